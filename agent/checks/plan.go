package checks

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dokku/scale"
)

// Target is a process that has to pass.
type Target struct {
	Name    string // "web.1"
	Type    string // "web"
	ID      string // container's id
	Address netip.Addr
	Port    int // the app's TCP port; 0 for types without one
	// HasTLS: the app is reached by https, so requests carry X-Forwarded-Proto.
	HasTLS bool
	// Started is when the process started, as the engine reports it; zero: now.
	Started time.Time
	// Restarts is how often it had been restarted by then: 0 for a new one.
	Restarts int
}

// Observer looks at processes from outside.
type Observer interface {
	// Process returns the state of a process.
	Process(ctx context.Context, id string) (Process, error)
	// ListeningPorts returns the TCP ports on which the container listens on any
	// address, loopback too.
	ListeningPorts(ctx context.Context, id string) ([]int, error)
}

// Execer runs a command inside a container.
type Execer interface {
	// Exec returns what the command printed, which may be cut, and its exit code.
	// An error means that it could not be run.
	Exec(ctx context.Context, id string, argv []string) (output []byte, exitCode int, err error)
}

// Plan is what the gate checks.
type Plan struct {
	// Checks are the checks by process type, of the files and by default. A type
	// that is missing is not checked.
	Checks map[string][]Check
	// Domains are the names of the app; a redirect to one of them stays on it.
	Domains []string
	// Skipped says why checks are left out, if any are.
	Skipped string

	Settings Settings
	// Exec is needed where a check has a command.
	Exec Execer
	// Dial opens connections; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewPlan decides which checks the types of an app get. File is nil where the
// repository has no CHECKS. Its settings win over settings.
func NewPlan(types []string, file *File, app scale.AppJSON, settings Settings) (Plan, []Warning, error) {
	p := Plan{Checks: map[string][]Check{}, Settings: settings}
	var fromFile []Check
	if file != nil {
		var err error
		if fromFile, p.Settings, err = file.Over(settings); err != nil {
			return Plan{}, nil, err
		}
	}
	var warnings []Warning
	var bad scale.Problems
	for _, typ := range slices.Sorted(maps.Keys(app.Healthchecks)) {
		list, w, err := FromHealthchecks(typ, app.Healthchecks[typ])
		warnings = append(warnings, w...)
		if problems, ok := err.(scale.Problems); ok {
			bad = append(bad, problems...)
		}
		if len(list) > 0 {
			p.Checks[typ] = list
		}
	}
	if len(bad) > 0 {
		return Plan{}, warnings, bad
	}
	if len(fromFile) > 0 {
		if len(p.Checks[scale.Web]) == 0 {
			p.Checks[scale.Web] = fromFile
		} else {
			warnings = append(warnings, Warning{File: fileName, Message: "app.json has healthchecks for web: they are used, and this file is not"})
		}
	}
	p.addDefaults(types)
	return p, warnings, nil
}

// addDefaults gives every type that has no checks its default one, and takes away
// what the settings skip.
func (p *Plan) addDefaults(types []string) {
	var skipped []string
	for _, typ := range types {
		switch {
		case p.Settings.Skips(typ):
			delete(p.Checks, typ)
			skipped = append(skipped, typ)
		case len(p.Checks[typ]) > 0:
		case p.Settings.SkipDefault:
			skipped = append(skipped, typ)
		case typ == scale.Web:
			p.Checks[typ] = []Check{{Kind: Listening, Timeout: p.Settings.Timeout, Wait: p.Settings.DefaultWait, Attempts: 1}}
		default:
			p.Checks[typ] = []Check{{Kind: Uptime, Uptime: p.Settings.DefaultWait}}
		}
	}
	if len(skipped) == 0 {
		return
	}
	p.Skipped = "for " + strings.Join(skipped, ", ")
	for _, name := range []string{"skip-all", "skip-default", "skip"} {
		if from := p.Settings.Origin[name]; from != "" && from != "default" {
			p.Skipped += fmt.Sprintf(" (%s of %s)", name, from)
			break
		}
	}
}

// Summary says what is checked on the targets: "CHECKS, 2 checks for web".
func (p Plan) Summary(targets []Target) string {
	counts := map[string]int{}
	sources := map[string]string{}
	types := map[string]bool{}
	for _, t := range targets {
		types[t.Type] = true
		for _, c := range p.Checks[t.Type] {
			if !c.byDefault() {
				counts[t.Type]++
				sources[t.Type] = c.Source
			}
		}
	}
	var parts []string
	for _, typ := range slices.Sorted(maps.Keys(counts)) {
		noun := "checks"
		if counts[typ] == 1 {
			noun = "check"
		}
		parts = append(parts, fmt.Sprintf("%s, %d %s for %s", sources[typ], counts[typ], noun, typ))
	}
	if len(parts) == 0 {
		return "default, for " + strings.Join(slices.Sorted(maps.Keys(types)), ", ")
	}
	return strings.Join(parts, "; ")
}
