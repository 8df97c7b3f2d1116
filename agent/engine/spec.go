package engine

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/syntax"
)

// Kind is the purpose of a container; it is the value of LabelContainerType.
type Kind string

const (
	// KindDeploy is a process of the app's formation.
	KindDeploy Kind = "deploy"
	// KindRelease runs a release command once.
	KindRelease Kind = "release"
	// KindRun is a one-off container.
	KindRun Kind = "run"
	// KindCron is a one-off container of a cron task.
	KindCron Kind = "cron"
	// KindBuild is a step of a build. It ends with the build, whose process holds the
	// app's lock.
	KindBuild Kind = "build"
	// KindService is a database or another service beside the apps. App is its name as an
	// owner, which is no app's: see package services.
	KindService Kind = "service"
)

// Spec describes a container to start. The zero value of an optional field means the
// image's or the engine's default.
type Spec struct {
	App     string
	Kind    Kind
	Type    string // process type: "web"
	Index   int    // 1-based: web.1
	Release int
	Attempt string // identifies one preparation of the release; never reused

	Name       string   // container's name
	Image      string   // image id
	Entrypoint []string // nil: the image's ENTRYPOINT
	// Command nil means the image's CMD, and nothing where Entrypoint is set: an
	// image's CMD belongs to its own ENTRYPOINT.
	Command []string
	Env     []string // "KEY=value"

	Address netip.Addr // fixed address on the app's network; zero: an automatic one
	Port    int        // container's TCP port; with HostPort
	// HostPort publishes Port on all addresses of the host. 0: not published.
	HostPort int

	// Placement has a swarm run the process; nil: this engine runs it. With it, Address,
	// HostPort, Publish and mounts of folders are refused, and Port is published by the node
	// at a port of its own choice.
	Placement *Placement

	// Publish are further ports, each on an address of the host.
	Publish []Published
	// Hostname is the container's own host name; "" is the engine's choice. Names are its
	// names on the app's network beside Name.
	Hostname string
	Names    []string

	RestartPolicy string        // "no", "always", "unless-stopped", "on-failure[:N]"
	StopTimeout   time.Duration // between TERM and KILL

	Mounts []Mount
	// Joins are the names of the networks that the container joins beside the app's
	// own, before its process starts. There it has Aliases beside its own name.
	Joins   []string
	Aliases []string
	Limits  Limits

	// NoInit makes the command the container's process 1. Else an init is process 1: it
	// passes signals on, and reaps orphans.
	NoInit bool

	// Restricted: no program of the container gets rights that its caller does not have
	// (setuid has no effect), and of the capabilities it has only Capabilities and those of
	// Options.CapAdd.
	Restricted bool

	// Filtered: the host's firewall keeps the container from the host's ports and other networks.
	// The engine does nothing about it; it only tells Members.
	Filtered bool

	// LogSize is how large a file of the container's log may become: "20m"; "" is the engine's
	// choice, "unlimited" any size. The engine keeps such a file and the one before it.
	LogSize string

	Options Options

	// TTY gives the process a terminal. Its stop signal is HUP then: an interactive
	// shell ignores TERM.
	TTY bool
	// Deadline is the time until which a one-off container may run; zero: no limit.
	// Client names the process that started it. The engine only keeps them.
	Deadline time.Time
	Client   string
	// TTL is the time to live that Deadline comes from, for the label.
	TTL time.Duration

	// Of cron containers: see the labels.
	CronID, CronPolicy, CronRun string

	// Attached: the streams are the caller's; Stdin: the standard input too. Only
	// RunAttached sets them.
	Attached, Stdin bool
}

// Published is a TCP port of a container that is reached by a port of the host.
type Published struct {
	Port     int        // the container's
	Host     netip.Addr // the host's address; zero: all of them
	HostPort int        // 0: one of the engine's choice, at each start another
}

// Mount is a folder or file of the host, or a volume, that a container sees.
type Mount struct {
	// Source is an absolute path, which has to exist, or the name of a volume. The
	// engine creates a missing volume.
	Source   string
	Target   string // absolute path in the container
	ReadOnly bool
}

// Limits bound the memory, the CPUs and the processes of a container. 0: no limit.
type Limits struct {
	Memory            int64 // bytes; a process that needs more is killed
	MemorySwap        int64 // bytes of memory and swap together, at least Memory
	MemoryReservation int64 // bytes that the container keeps when the host's memory runs short
	NanoCPUs          int64 // billionths of a CPU
	Pids              int64 // processes and threads at the same time
}

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

// String returns the policy as ParseRestartPolicy reads it.
func (p RestartPolicy) String() string {
	if p.Max > 0 {
		return p.Name + ":" + strconv.Itoa(p.Max)
	}
	return p.Name
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

// Labels returns the container's labels. An engine has to set all of them, the empty
// ones too: else the image's own value would show through.
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
		LabelAttached:      yes(s.Attached),
		LabelRestartPolicy: s.RestartPolicy,
		LabelCronID:        s.CronID,
		LabelCronPolicy:    s.CronPolicy,
		LabelCronRun:       s.CronRun,
		LabelTTL:           ttl(s.TTL),
		LabelFiltered:      yes(s.Filtered),
	}
}

func deadline(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func ttl(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.Itoa(int(d.Seconds()))
}

func yes(is bool) string {
	if is {
		return "true"
	}
	return ""
}

// Made reports whether a container with these labels was started from a Spec of the
// same process, release and attempt.
func (s Spec) Made(labels map[string]string) bool {
	own, found := s.Labels(), map[string]string{}
	delete(own, LabelRestartPolicy)
	delete(own, LabelFiltered)
	for name := range own {
		found[name] = labels[name]
	}
	return maps.Equal(found, own)
}

// Check returns the error of a Spec that no engine can start.
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
	case s.Placement != nil:
		if err := s.placeable(); err != nil {
			return err
		}
	case s.HostPort != 0 && s.Port == 0:
		return fmt.Errorf("host port %d has no container port to lead to", s.HostPort)
	}
	_, err := ParseRestartPolicy(s.RestartPolicy)
	return err
}

// Bind reports whether the source is a path of the host, and not a volume.
func (m Mount) Bind() bool { return strings.HasPrefix(m.Source, "/") }

// Describe fills in the fields that the labels tell.
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
	i.CronRun = labels[LabelCronRun]
	i.Policy = RestartPolicy{}
	if policy := labels[LabelRestartPolicy]; policy != "" {
		i.Policy, _ = ParseRestartPolicy(policy)
	}
}

// CommandLine returns argv quoted for a shell, as one would type it.
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

// Moment parses a time of the engine's. The engine's year 1, and text that is no time,
// give the zero time.
func Moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}
