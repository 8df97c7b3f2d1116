package agent

import (
	"fmt"
	"net/netip"
	"os"

	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/build"
	"dokku/build/dockerfile"
)

// connect opens the Docker Engine that the settings name, and the builders on it.
func connect(s *Store, set Settings) (engine.Host, Builder, error) {
	c := docker.Config{Host: set.Docker, Root: s.identity}
	if set.Pool != "" {
		var err error
		if c.Pool, err = netip.ParsePrefix(set.Pool); err != nil {
			return nil, nil, fmt.Errorf("cannot use the pool of addresses %q of %s: %w", set.Pool, s.own("server.json"), err)
		}
	}
	d, err := docker.New(c)
	if err != nil {
		return nil, nil, err
	}
	builders := build.Builders{dockerfile.New(dockerfile.Config{Client: d.Client})}
	return docker.Counted(d), builders.Build, nil
}

// reach returns the nginx of this host.
func reach(s *Store, set Settings) proxy.Proxy {
	c := nginx.Config{Dir: s.own("nginx"), Disk: s.disk, Port: set.Nginx.Port, Check: set.Nginx.Check, Reload: set.Nginx.Reload}
	if len(c.Check) == 0 {
		c.Check = []string{"sudo", "-n", "/usr/local/lib/dokku/nginx-check"}
	}
	if len(c.Reload) == 0 {
		c.Reload = []string{"sudo", "-n", "/usr/local/lib/dokku/nginx-reload"}
	}
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		c.IPv6 = true
	}
	return nginx.New(c)
}
