package docker

import (
	"cmp"
	"context"
	"dokku/agent/engine"
	"fmt"
	"net/netip"
	"sync"

	"github.com/docker/docker/client"
	"golang.org/x/sync/singleflight"
)

// How long the engine may take for one call before it counts as hung. They are
// generous: a busy machine needs seconds to start fifty containers at once.
const ()

// Config says which Docker Engine to use and how. The zero value is right for
// a host with one engine.
type Config struct {
	// Host is the engine's address, "unix:///run/docker.sock". "" means
	// DOCKER_HOST and its companions, and without them the default socket.
	Host string
	// Root names whose apps they are (LabelRoot); it is asked when a network is
	// made. nil, or "", leaves that open.
	Root func() string
	// Pool is where the apps' subnets come from; default 10.192.0.0/11.
	Pool netip.Prefix
	// SubnetBits is the length of an app's prefix; default 22, which is room for
	// 510 fixed and 511 automatic addresses.
	SubnetBits int
	// LogMaxSize is at what size a container's log is rotated; default "10m".
	LogMaxSize string
	// LogMaxFile is how many of them are kept. The default is 2: with 1, the
	// engine would throw the whole log away each time.
	LogMaxFile int
}

// Engine is a Docker Engine, from 20.10 on. It connects at the first call.
type Engine struct {
	config Config
	proc   string // where this machine's processes are seen: /proc

	// networks lets one call at a time choose a subnet.
	networks sync.Mutex

	ps singleflight.Group // runs of the host's ps, by arguments

	mu     sync.Mutex
	client *client.Client
	// negotiated: client speaks the engine's API version.
	negotiated bool
}

var _ engine.Host = (*Engine)(nil)

// New returns the engine that c names. It fails when c makes no sense,
// not when the engine is down.
func New(c Config) (*Engine, error) {
	if !c.Pool.IsValid() {
		c.Pool = netip.MustParsePrefix("10.192.0.0/11")
	}
	c.Pool = c.Pool.Masked()
	c.SubnetBits = cmp.Or(c.SubnetBits, 22)
	c.LogMaxSize = cmp.Or(c.LogMaxSize, "10m")
	c.LogMaxFile = cmp.Or(c.LogMaxFile, 2)
	if !c.Pool.Addr().Is4() || c.SubnetBits < c.Pool.Bits() || c.SubnetBits > 28 {
		return nil, fmt.Errorf("cannot cut subnets of /%d out of pool %s: the pool has to be IPv4, and a subnet between /%d and /28",
			c.SubnetBits, c.Pool, c.Pool.Bits())
	}
	d := &Engine{config: c, proc: "/proc"}
	var err error
	if d.client, err = d.dial(); err != nil {
		return nil, fmt.Errorf("cannot use Docker Engine %q: %w", c.Host, err)
	}
	return d, nil
}

func (d *Engine) dial() (*client.Client, error) {
	from := client.FromEnv
	if d.config.Host != "" {
		from = client.WithHost(d.config.Host)
	}
	return client.NewClientWithOpts(from, client.WithAPIVersionNegotiation())
}

// Client returns the engine's client, for what this package does not do:
// builds.
func (d *Engine) Client() *client.Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.client
}

// Close closes the connections to the engine that nobody uses.
func (d *Engine) Close() error { return d.Client().Close() }

// connect returns a client that has agreed with the engine on an API version.
// The client could do so by itself at its first call, but not when its first
// calls are made side by side.
func (d *Engine) connect(ctx context.Context) (*client.Client, error) {
	d.mu.Lock()
	cli, ready := d.client, d.negotiated
	d.mu.Unlock()
	if ready {
		return cli, nil
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	ping, err := cli.Ping(ctx)
	if err != nil {
		return nil, d.explain(ctx, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client == cli && !d.negotiated {
		cli.NegotiateAPIVersionPing(ping)
		d.negotiated = true
	}
	return d.client, nil
}

// reconnect makes the next call agree on an API version anew: the engine that
// comes back after an upgrade may not speak the old one any longer. Calls that
// are under way keep the client they have.
func (d *Engine) reconnect() {
	fresh, err := d.dial()
	if err != nil {
		return
	}
	d.mu.Lock()
	old := d.client
	d.client, d.negotiated = fresh, false
	d.mu.Unlock()
	old.Close()
}
