package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// ErrAnswerLost makes a hook of Memory.Fail lose a call's answer: the call takes
// effect and fails nevertheless, as one does whose connection breaks.
var ErrAnswerLost = errors.New("the engine's answer was lost")

// Memory is an engine without containers, for tests. Its processes do what
// Behave scripts, else they run until they are stopped; it keeps the whole
// contract of Host otherwise. Ids depend only on the order of the calls.
type Memory struct {
	mu         sync.Mutex
	serial     int
	hook       func(call string, args ...any) error
	script     func(Spec) Behaviour
	containers []*process
	nets       []Network
	shared     []NetworkInfo
	volumes    map[string]string // content of files in volumes, by volume/path
	images     []*memoryImage
	watchers   []*watcher
	root       string
}

var _ Host = (*Memory)(nil)

// Behaviour is what a container's process does.
type Behaviour struct {
	Output []string // lines it prints at once
	// Exits: it ends by itself after Output, with Code, or killed for its memory.
	Exits     bool
	Code      int
	OOMKilled bool

	OnStop     []string // lines it prints when it is told to stop
	StopCode   int      // how it ends then
	IgnoreStop bool     // it has to be killed once the grace is over

	Ports []int // where it listens
	// What it does first, and prints about it: "reached db:5432", "wrote /data/x",
	// "read written from /data/x", or that it cannot.
	Dials, Writes, Reads []string
	// Allocates: with less memory than that, in bytes, it is killed after Output.
	Allocates int64
	// Exec answers Console.Exec; nil: there is no command.
	Exec func(argv []string) (output string, exit int)
	// Talk is what a command does with the streams of its caller (Terminal) until
	// ctx ends, after Output; it returns its exit code, and less than 0 when there
	// is no such command. nil: a container only prints Output, and Exec answers.
	Talk func(ctx context.Context, argv []string, s Streams) (exit int)
}

// NewMemory returns an engine that has nothing.
func NewMemory() *Memory { return &Memory{} }

// Fail makes every call of an interface method go through hook first, with the
// method's name and its arguments after the context. An error fails the call
// without effect; see ErrAnswerLost. The hook may block: a hanging engine. nil
// removes it.
func (m *Memory) Fail(hook func(call string, args ...any) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = hook
}

// SetRoot is Config.Root of what calls m from now on.
func (m *Memory) SetRoot(root string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.root = root
}

// Behave scripts what is started, or started again, from now on.
func (m *Memory) Behave(script func(Spec) Behaviour) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.script = script
}

// SetImage adds an image with the app's label ("": without), or replaces the
// one with info's id. An empty id is made up. Tags move to it.
func (m *Memory) SetImage(app string, info ImageInfo, tags ...string) ImageInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	if info.ID == "" {
		info.ID = "sha256:" + m.newID("image")
	}
	m.images = slices.DeleteFunc(m.images, func(i *memoryImage) bool { return i.ID == info.ID })
	i := &memoryImage{ImageInfo: info, app: app}
	m.images = append(m.images, i)
	for _, tag := range tags {
		m.moveTag(i, tag)
	}
	return info
}

// Exit ends a container's process by itself with code; its restart policy
// applies. It panics when there is no such running container.
func (m *Memory) Exit(id string, code int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.find(id)
	if p == nil || !p.Running() {
		panic(fmt.Sprintf("there is no running container %q", id))
	}
	m.exit(p, code, false)
}

// Print adds a line to a container's log.
func (m *Memory) Print(id, line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.find(id); p != nil {
		p.print(line)
	}
}

// Restart does what a restart of the engine, or of its host, does: every process
// ends with its StopCode (137 if it ignores the signal), those whose policy says
// so are started again, and watchers are told that the engine is back.
func (m *Memory) Restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.containers {
		if p.Running() {
			m.exit(p, p.behaviour.stopCode(), false)
		}
	}
	m.emit(Event{Action: ActionConnected})
}

func (b Behaviour) stopCode() int {
	if b.IgnoreStop {
		return 137
	}
	return b.StopCode
}

// call does what every method of an interface begins and ends with.
func call[T any](ctx context.Context, m *Memory, do func() (T, error), name string, args ...any) (T, error) {
	var none T
	m.mu.Lock()
	hook := m.hook
	m.mu.Unlock()
	var failed error
	if hook != nil {
		failed = hook(name, args...)
	}
	if failed != nil && !errors.Is(failed, ErrAnswerLost) {
		return none, failed
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	result, err := do()
	if failed != nil {
		return none, failed
	}
	return result, err
}

// newID makes ids that look like the engine's.
func (m *Memory) newID(kind string) string {
	m.serial++
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, m.serial)))
}

// Observe implements Engine.
func (m *Memory) Observe(ctx context.Context, app string) (Observed, error) {
	return call(ctx, m, func() (Observed, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		var o Observed
		for _, p := range m.containers {
			if app == "" || p.App == app {
				o.Instances = append(o.Instances, p.Instance)
			}
		}
		for _, n := range m.nets {
			if app == "" || n.App == app {
				o.Networks = append(o.Networks, n)
			}
		}
		for _, i := range m.images {
			owners := owners(i.app, i.tags)
			if app == "" && i.app != "" || app != "" && slices.Contains(owners, app) {
				o.Images = append(o.Images, Image{ID: i.ID, App: cmp.Or(app, owners[0]), Tags: slices.Clone(i.tags)})
			}
		}
		slices.SortFunc(o.Instances, func(a, b Instance) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(o.Networks, func(a, b Network) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(o.Images, func(a, b Image) int { return cmp.Compare(a.ID, b.ID) })
		return o, nil
	}, "Observe", app)
}

// Network implements Networks.
func (m *Memory) Network(ctx context.Context, app string) (Network, error) {
	return call(ctx, m, func() (Network, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if app == "" {
			return Network{}, errors.New("cannot make the network of an app: no app is given")
		}
		var taken []netip.Prefix
		for _, n := range m.nets {
			if n.App == app {
				return n, nil
			}
			taken = append(taken, n.Subnet)
		}
		subnet, ok := freeSubnet(netip.MustParsePrefix("10.192.0.0/11"), 22, taken)
		if !ok {
			return Network{}, fmt.Errorf("cannot make the network of app %s: %w", app, ErrNoSubnet)
		}
		n := Network{ID: m.newID("network"), Name: NetworkName(app), App: app, Root: m.root, Subnet: subnet}
		n.Automatic, n.Gateway = divide(subnet)
		m.nets = append(m.nets, n)
		return n, nil
	}, "Network", app)
}

// network returns the app's network.
func (m *Memory) network(app string) (Network, bool) {
	n := slices.IndexFunc(m.nets, func(n Network) bool { return n.App == app })
	if n < 0 {
		return Network{}, false
	}
	return m.nets[n], true
}

// now has no monotonic clock, as a time that came from an engine.
func now() time.Time { return time.Now().UTC().Round(0) }
