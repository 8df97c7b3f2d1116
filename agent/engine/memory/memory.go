package memory

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

	"dokku/agent/engine"
)

// ErrAnswerLost makes a hook of Engine.Fail lose a call's answer: the call takes effect
// and fails nevertheless, as if its connection had broken.
var ErrAnswerLost = errors.New("the engine's answer was lost")

// Engine is an engine without containers. Its processes follow the script of Behave,
// else they run until they are stopped. Ids depend only on the order of the calls. It is
// safe for concurrent use.
type Engine struct {
	mu         sync.Mutex
	serial     int
	hook       func(call string, args ...any) error
	script     func(engine.Spec) Behaviour
	containers []*process
	nets       []engine.Network
	shared     []engine.NetworkInfo
	strangers  []engine.Member // of SetDefaultNetwork
	renumber   func(saved string) string
	volumes    map[string]string      // content of files in volumes, by volume/path
	named      map[string]bool        // the named volumes
	caches     map[string]buildVolume // by the name of the volume
	appCaches  map[string]int64       // by the app
	buildCache int64                  // bytes
	images     []*localImage
	registry   map[string]registryImage
	// registryDown is why registries do not answer; nil: they do.
	registryDown error
	pushed       map[string]string // ids of images, by their names by digest
	pushedImages map[string]localImage
	node         *node // see Swarm
	nodesLocked  bool  // by this engine, see lockNodes
	// patience is how long a start waits for a node that takes the process.
	patience        time.Duration
	nodeServices    []engine.NodeService
	nodeServiceKeys string
	pruned          engine.Pruned
	watchers        []*watcher
	together        map[kindOf]int // see Together
	root            string
}

var _ engine.Host = (*Engine)(nil)

// Behaviour scripts a container's process.
type Behaviour struct {
	Output []string // lines it prints at once
	// Exits: it ends by itself after Output, with Code, or killed for its memory.
	Exits     bool
	Code      int
	OOMKilled bool

	OnStop     []string // lines it prints when it is told to stop
	StopCode   int      // how it ends then
	IgnoreStop bool     // it has to be killed once the grace is over

	Ports    []int // where it listens on all addresses
	Loopback []int // and on 127.0.0.1 only
	// PID: it first prints "is process 1" or "is not process 1", of its container.
	PID bool
	// It then dials, writes and reads these, and prints the results: "reached
	// db:5432", "wrote /data/x", "read written from /data/x", or "cannot ...".
	Dials, Writes, Reads []string
	// Allocates: with less memory than that, in bytes, it is killed after Output.
	Allocates int64
	// Exec answers Console.Exec; nil: there is no command.
	Exec func(argv []string) (output string, exit int)
	// Talk is called after Output with the streams of the caller (Terminal), until
	// ctx ends. It returns the exit code, and less than 0 when there is no such
	// command. nil: a container only prints Output, and Exec answers.
	Talk func(ctx context.Context, argv []string, s engine.Streams) (exit int)
	// Keep is Talk of a process that keeps data in its first volume; the other one is not
	// called then. Refuses: with these data it ends at once, with code 1. It does so too while
	// another one runs on the volume.
	Keep    func(v Volume, argv []string, s engine.Streams) (exit int)
	Refuses func(data string) bool
}

// Volume is a named volume of an engine, for processes that keep data there.
type Volume struct {
	m    *Engine
	name string
}

// Get returns the data; "" at first.
func (v Volume) Get() string {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	return v.m.volumes[v.key()]
}

// Set replaces the data.
func (v Volume) Set(data string) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	if v.m.volumes == nil {
		v.m.volumes = map[string]string{}
	}
	v.m.volumes[v.key()] = data
}

// Of returns the volume of a running process that has a name in its app's network.
func (v Volume) Of(name string) (Volume, bool) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	at := slices.IndexFunc(v.m.containers, func(p *process) bool { return p.Running() && slices.Contains(p.spec.Names, name) })
	if at < 0 {
		return Volume{}, false
	}
	return v.m.volume(v.m.containers[at]), true
}

func (v Volume) key() string { return v.name + "/data" }

// Volume returns a volume by its name.
func (m *Engine) Volume(name string) Volume { return Volume{m, name} }

// volume is the first volume of a container.
func (m *Engine) volume(p *process) Volume {
	for _, mount := range p.spec.Mounts {
		if !mount.Bind() {
			return Volume{m, mount.Source}
		}
	}
	return Volume{m, p.ID}
}

// talker returns what answers commands with streams in a container; nil: nothing does.
func (m *Engine) talker(p *process) func(context.Context, []string, engine.Streams) int {
	if keep := p.behaviour.Keep; keep != nil {
		v := m.volume(p)
		return func(_ context.Context, argv []string, s engine.Streams) int { return keep(v, argv, s) }
	}
	return p.behaviour.Talk
}

// New returns an engine that has nothing.
func New() *Engine { return &Engine{} }

// Fail makes every call of an interface method go through hook first, with the
// method's name and its arguments after the context. An error fails the call
// without effect; see ErrAnswerLost. The hook may block: a hanging engine. nil
// removes it.
func (m *Engine) Fail(hook func(call string, args ...any) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = hook
}

// SetRoot sets Network.Root of networks that are made from now on.
func (m *Engine) SetRoot(root string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.root = root
}

// Behave scripts the containers that start, or start again, from now on.
func (m *Engine) Behave(script func(engine.Spec) Behaviour) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.script = script
}

// LoseImage makes the engine forget an image that containers may use, as after
// docker rmi -f or a switch of the image store.
func (m *Engine) LoseImage(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.images = slices.DeleteFunc(m.images, func(i *localImage) bool { return i.ID == id })
}

// SetImage adds an image with the app's label ("": without), or replaces the
// one with info's id. An empty id is made up. Tags move to it.
func (m *Engine) SetImage(app string, info engine.ImageInfo, tags ...string) engine.ImageInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	if info.ID == "" {
		info.ID = "sha256:" + m.newID("image")
	}
	m.images = slices.DeleteFunc(m.images, func(i *localImage) bool { return i.ID == info.ID })
	i := &localImage{ImageInfo: info, app: app}
	m.images = append(m.images, i)
	for _, tag := range tags {
		m.moveTag(i, tag)
	}
	return info
}

// Exit ends a container's process by itself with code; its restart policy
// applies. It panics when there is no such running container.
func (m *Engine) Exit(id string, code int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.find(id)
	if p == nil || !p.Running() {
		panic(fmt.Sprintf("there is no running container %q", id))
	}
	m.exit(p, code, false)
}

// RunOut acts as if the memory of a running container ran out: the kernel kills its process,
// or only another one that this has started. It panics when there is no such container.
func (m *Engine) RunOut(id string, ends bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.find(id)
	if p == nil || !p.Running() {
		panic(fmt.Sprintf("there is no running container %q", id))
	}
	if !ends {
		m.tell(p, engine.ActionOOM)
		return
	}
	m.exit(p, 137, true)
}

// Print adds a line to a container's log.
func (m *Engine) Print(id, line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.find(id); p != nil {
		p.print(line)
	}
}

// Restart acts as a restart of the engine or of its host: every process ends with its
// StopCode (137 if it ignores the signal), restart policies apply, and watchers learn
// that the engine is back.
func (m *Engine) Restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.containers {
		switch {
		case !p.Running():
		case p.group == nil:
			m.exit(p, p.behaviour.stopCode(), false)
		case p.home == m.node: // the swarm places it anew
			unlock := m.lockNodes()
			m.move(p)
			unlock()
		}
	}
	m.emit(engine.Event{Action: engine.ActionConnected})
}

func (b Behaviour) stopCode() int {
	if b.IgnoreStop {
		return 137
	}
	return b.StopCode
}

// call begins and ends every method of an interface.
func call[T any](ctx context.Context, m *Engine, do func() (T, error), name string, args ...any) (T, error) {
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

// newID returns an id that looks like Docker's.
func (m *Engine) newID(kind string) string {
	m.serial++
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, m.serial)))
}

// Observe implements Engine.
func (m *Engine) Observe(ctx context.Context, app string) (engine.Observed, error) {
	return call(ctx, m, func() (engine.Observed, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		o := engine.Observed{Unseen: m.unseen()}
		for _, p := range m.containers {
			if p.group != nil && o.Unseen != nil {
				continue
			}
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
			owners := engine.Owners(i.app, i.tags)
			if app == "" && i.app != "" || app != "" && slices.Contains(owners, app) {
				o.Images = append(o.Images, engine.Image{ID: i.ID, App: cmp.Or(app, owners[0]), Tags: slices.Clone(i.tags)})
			}
		}
		slices.SortFunc(o.Instances, func(a, b engine.Instance) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(o.Networks, func(a, b engine.Network) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(o.Images, func(a, b engine.Image) int { return cmp.Compare(a.ID, b.ID) })
		return o, nil
	}, "Observe", app)
}

// Network implements Networks.
func (m *Engine) Network(ctx context.Context, app string) (engine.Network, error) {
	return call(ctx, m, func() (engine.Network, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if app == "" {
			return engine.Network{}, errors.New("cannot make the network of an app: no app is given")
		}
		var taken []netip.Prefix
		for _, n := range m.nets {
			if n.Overlay {
				continue
			}
			if n.App == app {
				return n, nil
			}
			taken = append(taken, n.Subnet)
		}
		subnet, ok := engine.FreeSubnet(netip.MustParsePrefix("10.192.0.0/11"), 22, taken)
		if !ok {
			return engine.Network{}, fmt.Errorf("cannot make the network of app %s: %w", app, engine.ErrNoSubnet)
		}
		n := engine.Network{ID: m.newID("network"), Name: engine.NetworkName(app), App: app, Root: m.root, Subnet: subnet}
		n.Automatic, n.Gateway = engine.Divide(subnet)
		m.nets = append(m.nets, n)
		return n, nil
	}, "Network", app)
}

// network returns the app's network.
func (m *Engine) network(app string) (engine.Network, bool) {
	n := slices.IndexFunc(m.nets, func(n engine.Network) bool { return n.App == app && !n.Overlay })
	if n < 0 {
		return engine.Network{}, false
	}
	return m.nets[n], true
}

// now has no monotonic clock, like a time from a real engine.
func now() time.Time { return time.Now().UTC().Round(0) }
