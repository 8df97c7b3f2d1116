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
	// NodePort is the port of Address that leads to Port, on a node of a swarm; 0: Port
	// itself.
	NodePort int
	// Secure: that port speaks TLS, see Plan.DialSecure.
	Secure bool
	// HasTLS: the app is reached by https, so requests carry X-Forwarded-Proto.
	HasTLS bool
	// Started is when the process started, as the engine reports it; zero: now.
	Started time.Time
	// Restarts is how often it had been restarted by then: 0 for a new one.
	Restarts int
	// Created is when its container was made; zero: unknown.
	Created time.Time
}

// Observer looks at processes from outside. It is all that the gate asks of an engine
// beside Execer; id is a Target's.
type Observer interface {
	// Process returns the state of a process.
	Process(ctx context.Context, id string) (Process, error)
	// Listening returns the addresses and TCP ports on which the process listens,
	// sorted by port.
	Listening(ctx context.Context, id string) ([]netip.AddrPort, error)
}

// Execer runs a command inside a container.
type Execer interface {
	// Exec returns the command's output, which may be cut, and its exit code. An
	// error means that the command could not run.
	Exec(ctx context.Context, id string, argv []string) (output []byte, exitCode int, err error)
}

// Inputs are the sources of a Plan.
type Inputs struct {
	App     string
	Types   []string      // process types
	Domains []string      // the app's names
	File    *File         // CHECKS; nil: none
	AppJSON scale.AppJSON // zero: none
	Image   *Healthcheck  // HEALTHCHECK of the image; nil: none, or not known yet
	Settings
}

// Plan lists the checks of the gate.
type Plan struct {
	// App is the app's name, for the fixes in messages.
	App string
	// Checks are the checks by process type, of the files and by default. A type
	// that is missing is not checked.
	Checks map[string][]Check
	// Domains are the names of the app; a redirect to one of them stays on it.
	Domains []string
	// Replaced: CHECKS replaces app.json's healthchecks for web.
	Replaced bool
	// Skipped names the types without checks and the reason; "" if there are none.
	Skipped string

	Settings Settings
	// Exec is needed where a check has a command.
	Exec Execer
	// Dial opens connections; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// DialSecure opens those to Secure targets.
	DialSecure func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewPlan decides which checks the types of an app get. For web, CHECKS replaces the
// healthchecks of app.json, as in Dokku 0.38; its settings win over in.Settings.
func NewPlan(in Inputs) (Plan, []Warning, error) {
	p := Plan{App: in.App, Checks: map[string][]Check{}, Domains: in.Domains, Settings: in.Settings}
	var fromFile []Check
	var budget error
	if in.File != nil {
		fromFile, p.Settings, budget = in.File.Over(in.Settings)
	}
	warnings, err := p.addHealthchecks(in.AppJSON)
	if err = scale.Joined(budget, err); err != nil {
		return Plan{}, warnings, err
	}
	if len(fromFile) > 0 {
		if p.Replaced = len(p.Checks[scale.Web]) > 0; p.Replaced {
			warnings = append(warnings, Warning{File: fileName, Message: "it replaces app.json's healthchecks for web"})
		}
		p.Checks[scale.Web] = fromFile
	}
	p.askFirstDomain()
	p.addDefaults(in.Types)
	p.addImage(in.Image, in.Types)
	return p, warnings, nil
}

// addHealthchecks adds the checks of app.json.
func (p *Plan) addHealthchecks(app scale.AppJSON) (warnings []Warning, err error) {
	var bad scale.Problems
	for _, typ := range slices.Sorted(maps.Keys(app.Healthchecks)) {
		list, w, err := FromHealthchecks(typ, app.Healthchecks[typ], p.Settings.MaxBudget)
		warnings = append(warnings, w...)
		if problems, ok := err.(scale.Problems); ok {
			bad = append(bad, problems...)
		}
		if len(list) > 0 {
			p.Checks[typ] = list
		}
	}
	if len(bad) > 0 {
		return warnings, bad
	}
	return warnings, nil
}

// askFirstDomain gives the checks that name no host the app's first domain, as Dokku
// does since March 2025: many frameworks answer 400 to other hosts.
func (p *Plan) askFirstDomain() {
	n := slices.IndexFunc(p.Domains, func(d string) bool { return d != "_" && !strings.Contains(d, "*") })
	if n < 0 {
		return
	}
	for _, list := range p.Checks {
		for i := range list {
			list[i].ask(p.Domains[n])
		}
	}
}

// addDefaults gives every type without checks its default check, and removes the checks
// that the settings skip.
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
			p.Checks[typ] = []Check{p.Settings.listen()}
		default:
			p.Checks[typ] = []Check{{Kind: Uptime, Uptime: p.Settings.Uptime}}
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

// ByDefault returns the plan without the checks of files and of the image: their types get
// the default checks. Web has to listen even if the app's settings do not ask for that,
// because nothing else would prove that it serves.
func (p Plan) ByDefault() Plan {
	all := p.Checks
	p.Checks = map[string][]Check{}
	for typ, list := range all {
		switch declared := slices.ContainsFunc(list, func(c Check) bool { return !c.byDefault() }); {
		case !declared:
			p.Checks[typ] = list
		case typ == scale.Web:
			p.Settings.RequireListening = true
			p.Checks[typ] = []Check{p.Settings.listen()}
		default:
			p.Checks[typ] = []Check{{Kind: Uptime, Uptime: p.Settings.Uptime}}
		}
	}
	return p
}

// listen is the default check of web.
func (s Settings) listen() Check {
	c := Check{Kind: Listening, Timeout: s.Timeout, Wait: s.ListenTimeout, Attempts: 1}
	if !s.RequireListening {
		c.Wait = s.DefaultWait
	}
	return c
}

// Summary names the checks of the targets: "CHECKS, 2 checks for web".
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
