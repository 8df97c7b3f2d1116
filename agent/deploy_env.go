package agent

import (
	"context"
	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/proxy"
	"dokku/build"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
)

// Env is what all deploys of one DOKKU_ROOT share: the store, the engine, the proxy
// and the builder. It is safe for concurrent use.
type Env struct {
	Store *Store

	mu    sync.Mutex
	host  engine.Host
	proxy proxy.Proxy
	// image builds an image; tests replace it.
	image func(context.Context, build.Request) (build.Result, error)
	// dial opens the gate's connections; nil: a net.Dialer. Tests replace it.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// owner finds the git that a push belongs to; tests replace it.
	owner func() (Owner, error)
}

// Engine returns the engine that the settings name. It prepares the connection on
// first use.
func (s *Env) Engine(set Settings) (engine.Host, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.host != nil {
		return s.host, nil
	}
	var err error
	c := docker.Config{Host: set.Docker, Root: s.Store.identity}
	if set.Pool != "" {
		if c.Pool, err = netip.ParsePrefix(set.Pool); err != nil {
			return nil, fmt.Errorf("cannot use the pool of addresses %q of %s: %w", set.Pool, s.Store.own("server.json"), err)
		}
	}
	d, err := docker.New(c)
	if err != nil {
		return nil, err
	}
	s.host = docker.Counted(d)
	return s.host, nil
}

// Proxy returns the proxy that the settings name.
func (s *Env) Proxy(set Settings) proxy.Proxy {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proxy != nil {
		return s.proxy
	}
	c := proxy.Config{Dir: s.Store.own("nginx"), Disk: s.Store.disk, Port: set.Nginx.Port, Check: set.Nginx.Check, Reload: set.Nginx.Reload}
	if len(c.Check) == 0 {
		c.Check = []string{"sudo", "-n", "/usr/local/lib/dokku/nginx-check"}
	}
	if len(c.Reload) == 0 {
		c.Reload = []string{"sudo", "-n", "/usr/local/lib/dokku/nginx-reload"}
	}
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		c.IPv6 = true
	}
	s.proxy = proxy.NewNginx(c)
	return s.proxy
}
