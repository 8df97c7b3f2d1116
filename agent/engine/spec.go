package engine

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/syntax"
)

// RestartPolicy is a parsed Spec.RestartPolicy.
type RestartPolicy struct {
	Name string // "no", "always", "unless-stopped" or "on-failure"
	Max  int    // on-failure: how many restarts; 0 means no limit
}

// ParseRestartPolicy reads a policy as `docker run --restart` does; "" is "no".
func ParseRestartPolicy(s string) (RestartPolicy, error) {
	name, count, counted := strings.Cut(s, ":")
	switch {
	case s == "":
		return RestartPolicy{Name: "no"}, nil
	case name == "on-failure" && counted:
		n, err := strconv.Atoi(count)
		if err == nil && n >= 0 {
			return RestartPolicy{name, n}, nil
		}
	case s == "no", s == "always", s == "unless-stopped", s == "on-failure":
		return RestartPolicy{Name: s}, nil
	}
	return RestartPolicy{}, fmt.Errorf(
		"invalid restart policy %q: use no, always, unless-stopped, on-failure or on-failure:N", s)
}

// Restarts reports whether the policy restarts a process that ended by itself
// with code after so many restarts.
func (p RestartPolicy) Restarts(code, restarts int) bool {
	switch p.Name {
	case "always", "unless-stopped":
		return true
	case "on-failure":
		return code != 0 && (p.Max == 0 || restarts < p.Max)
	}
	return false
}

// NetworkName returns the name of an app's network.
func NetworkName(app string) string { return "dokku-" + app }

// dyno returns the process's name within the app: "web.1".
func (s Spec) dyno() string {
	if s.Type == "" {
		return string(s.Kind)
	}
	return s.Type + "." + strconv.Itoa(s.Index)
}

// Labels returns all labels. None may be left out: the image's own value would
// show through.
func (s Spec) Labels() map[string]string {
	return map[string]string{
		LabelApp:           s.App,
		LabelContainerType: string(s.Kind),
		LabelProcessType:   s.Type,
		LabelDyno:          s.dyno(),
		LabelRelease:       strconv.Itoa(s.Release),
		LabelAttempt:       s.Attempt,
		LabelDeadline:      deadline(s.Deadline),
		LabelClient:        s.Client,
		LabelAttached:      attached(s.Attached),
	}
}

func deadline(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func attached(yes bool) string {
	if yes {
		return "true"
	}
	return ""
}

// Made reports whether labels are those of a container that was started for
// the same process of the same preparation of the same release.
func (s Spec) Made(labels map[string]string) bool {
	ours := make(map[string]string, len(labels))
	for name := range s.Labels() {
		ours[name] = labels[name]
	}
	return maps.Equal(ours, s.Labels())
}

// Check reports what no engine can start.
func (s Spec) Check() error {
	switch {
	case s.App == "":
		return errors.New("no app is given")
	case s.Kind == "":
		return errors.New("no kind of container is given")
	case s.Name == "":
		return errors.New("no container name is given")
	case s.Image == "":
		return fmt.Errorf("%w (none is given)", ErrNoImage)
	case s.HostPort != 0 && s.Port == 0:
		return fmt.Errorf("host port %d has no container port to lead to", s.HostPort)
	}
	_, err := ParseRestartPolicy(s.RestartPolicy)
	return err
}

// Bind reports whether the source is a path of the host.
func (m Mount) Bind() bool { return strings.HasPrefix(m.Source, "/") }

// Describe fills in what an Instance knows from its labels.
func (i *Instance) Describe(labels map[string]string) {
	i.App = labels[LabelApp]
	i.Kind = Kind(labels[LabelContainerType])
	i.Type = labels[LabelProcessType]
	i.Attempt = labels[LabelAttempt]
	i.Release, _ = strconv.Atoi(labels[LabelRelease])
	if n, ok := strings.CutPrefix(labels[LabelDyno], i.Type+"."); ok {
		i.Index, _ = strconv.Atoi(n)
	}
	i.Deadline = Moment(labels[LabelDeadline])
	i.Client, i.Attached = labels[LabelClient], labels[LabelAttached] != ""
}

// CommandLine is argv as one would type it.
func CommandLine(argv []string) string {
	words := make([]string, len(argv))
	for n, word := range argv {
		quoted, err := syntax.Quote(word, syntax.LangBash)
		if err != nil {
			quoted = strconv.Quote(word)
		}
		words[n] = quoted
	}
	return strings.Join(words, " ")
}

// Moment reads the engine's time; its year 1 is our zero time.
func Moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}
