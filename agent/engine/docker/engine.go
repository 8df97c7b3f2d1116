package docker

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/docker/docker/client"
	"golang.org/x/sync/singleflight"

	"dokku/agent/engine"
)

const (
	// subnetBits is the length of an app's prefix: room for 510 fixed and 511
	// automatic addresses.
	subnetBits = 22

	// A container keeps logFiles files of its log, of at most logSize each. With one
	// file, the engine would drop the whole log at each rotation.
	logSize  = "10m"
	logFiles = "2"
)

// Config says which Docker Engine to use and how. The zero value is right for
// a host with one engine.
type Config struct {
	// Host is the engine's address, "unix:///run/docker.sock". "" means
	// DOCKER_HOST and its companions, and without them the default socket.
	Host string
	// Root returns the value of engine.LabelRoot for new networks; it is called for
	// each of them. A nil Root, or "", leaves the label out.
	Root func() string
	// Pool is the IPv4 prefix that the apps' subnets are cut from, a /22 or larger;
	// default 10.192.0.0/11.
	Pool netip.Prefix
	// NamePrefix begins the names of all containers in the engine, and in nothing that this
	// package returns: another program on the same engine may use the names without it.
	NamePrefix string
	// Program is the path of this program, linked statically, which DiskUse runs in a container;
	// "": it counts volumes as nothing.
	Program string
	// Dial opens the connections to Host, which is "tcp://ADDRESS:PORT" then; nil: without TLS.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
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

// New returns the engine that c names. It fails when c is invalid, not when the
// engine is down.
func New(c Config) (*Engine, error) {
	if !c.Pool.IsValid() {
		c.Pool = netip.MustParsePrefix("10.192.0.0/11")
	}
	c.Pool = c.Pool.Masked()
	if !c.Pool.Addr().Is4() || c.Pool.Bits() > subnetBits {
		return nil, fmt.Errorf("cannot cut subnets of /%d out of pool %s: the pool has to be IPv4, and a /%[1]d or larger", subnetBits, c.Pool)
	}
	d := &Engine{config: c, proc: "/proc"}
	var err error
	if d.client, err = NewClient(c); err != nil {
		return nil, fmt.Errorf("cannot use Docker Engine %q: %w", c.Host, err)
	}
	return d, nil
}

// NewClient returns a client of the engine that c names, for calls that are no part
// of engine.Host: builds. It does not connect. The caller closes it.
func NewClient(c Config) (*client.Client, error) {
	from := client.FromEnv
	if c.Host != "" {
		from = client.WithHost(c.Host)
	}
	options := []client.Opt{from, client.WithAPIVersionNegotiation()}
	if c.Dial != nil {
		options = append(options, client.WithDialContext(c.Dial))
	}
	return client.NewClientWithOpts(options...)
}

// Client returns the engine's own client, for calls that are no part of engine.Host:
// builds. It stays the engine's: the caller does not close it, and asks again for
// each build, because the engine replaces it when it reconnects.
func (d *Engine) Client() *client.Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.client
}

// Close closes the idle connections to the engine.
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
	fresh, err := NewClient(d.config)
	if err != nil {
		return
	}
	d.mu.Lock()
	old := d.client
	d.client, d.negotiated = fresh, false
	d.mu.Unlock()
	old.Close()
}
