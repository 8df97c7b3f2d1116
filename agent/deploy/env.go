package deploy

import (
	"context"
	"net"
	"sync"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/engine/node"
	"dokku/agent/firewall"
	"dokku/agent/proc"
	"dokku/agent/proxy"
	"dokku/agent/store"
	"dokku/build"
)

// Env is shared by all deploys of one DOKKU_ROOT: the store, the engine, the proxy and
// the builder. It is safe for concurrent use.
type Env struct {
	Store *store.Store

	// Connect opens the engine that the settings name and a builder on it: once, on first
	// use, if the fields below are nil. Reach returns the proxy, if Router is nil.
	Connect func(app.Settings) (engine.Host, Builder, error)
	Reach   func(app.Settings) proxy.Proxy

	mu      sync.Mutex
	nodes   *node.Clients // see dialNode
	Machine engine.Host
	Router  proxy.Proxy
	// Firewall returns what keeps containers from the host's ports; nil, or a nil Filter: nothing does.
	Firewall func(app.Settings) firewall.Filter
	// Choose chooses a builder and names the ports that the files expose, and Build builds
	// the image of a revision. Without Choose, Build chooses.
	Choose func(context.Context, build.Request) (build.Choice, []int, error)
	Build  func(context.Context, build.Request) (build.Result, error)
	// Dial opens the gate's connections, those to nodes too; nil: a net.Dialer, and TLS to nodes.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// FreeSpace returns the free space, in bytes, of a folder's file system; nil: statfs(2).
	FreeSpace func(dir string) (int64, error)
	// By names who runs this process: an ssh key, or a user of this server; "": the agent.
	By string
	// Owner finds the git receive-pack of the current push.
	Owner func() (proc.Owner, error)
}

// Builder builds the images of revisions; build.Builders is one.
type Builder interface {
	Inspect(context.Context, build.Request) (build.Choice, []int, error)
	Build(context.Context, build.Request) (build.Result, error)
}

// A machine is the part of the engine that a deploy uses. Storage, terminals, archives
// and events belong to other operations.
type machine interface {
	engine.Engine
	engine.Names
	engine.Restarts
	engine.Networks
	engine.Caches
	engine.Inspector
	engine.Terminal
	engine.Registries
}

// Engine returns the engine that the settings name, whole, for the operations beside
// deploys. It connects on first use.
func (e *Env) Engine(set app.Settings) (engine.Host, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.Machine != nil {
		return e.Machine, nil
	}
	host, builder, err := e.Connect(set)
	if err != nil {
		return nil, err
	}
	if e.Machine = host; e.Build == nil {
		e.Choose, e.Build = builder.Inspect, builder.Build
	}
	return host, nil
}

// chooser returns Choose, after it has connected.
func (e *Env) chooser(set app.Settings) (func(context.Context, build.Request) (build.Choice, []int, error), error) {
	_, err := e.Engine(set)
	return e.Choose, err
}

// machine is Engine for deploys.
func (e *Env) machine(set app.Settings) (machine, error) { return e.Engine(set) }

// Proxy returns the proxy that the settings name. It is made anew each time: its own
// settings may change while the agent runs.
func (e *Env) Proxy(set app.Settings) proxy.Proxy {
	if e.Router != nil {
		return e.Router
	}
	return e.Reach(set)
}
