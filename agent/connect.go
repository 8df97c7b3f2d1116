package agent

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/client"

	"dokku/agent/app"
	"dokku/agent/certs/acme"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/engine/swarm"
	"dokku/agent/firewall"
	"dokku/agent/proxy"
	"dokku/agent/proxy/doors"
	"dokku/agent/proxy/nginx"
	"dokku/agent/store"
	"dokku/build"
	"dokku/build/container"
	"dokku/build/dockerfile"
	"dokku/build/herokuish"
	"dokku/build/null"
	"dokku/build/pack"
	"dokku/build/railpack"
)

// connect opens the Docker Engine that the settings name, with the swarm that it manages, and
// the builders that use it.
func connect(s *store.Store, set app.Settings) (engine.Host, deploy.Builder, error) {
	c := docker.Config{Host: set.Docker, Root: s.Identity, NamePrefix: set.NamePrefix}
	if set.Pool != "" {
		var err error
		if c.Pool, err = netip.ParsePrefix(set.Pool); err != nil {
			return nil, nil, fmt.Errorf("cannot use the pool of addresses %q of %s: %w", set.Pool, s.Own("server.json"), err)
		}
	}
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	c.Program = program
	d, err := docker.New(c)
	if err != nil {
		return nil, nil, err
	}
	steps := container.New(container.Config{Client: d.Client, Labels: engine.Spec{Kind: engine.KindBuild, Type: string(engine.KindBuild)}.Labels()})
	return docker.Counted(swarm.Beside(d, swarm.Config{Keys: deploy.NodeKeys(s), Program: program})), builders(set, d.Client, steps), nil
}

// builders are those of a server, in the order in which they are asked.
func builders(set app.Settings, engine func() *client.Client, steps *container.Engine) build.Builders {
	slugs := herokuish.New(steps)
	slugs.CachePrefix = set.NamePrefix
	return build.Builders{
		slugs,
		pack.New(pack.Config{Client: engine, Lifecycle: set.Lifecycle, Allowed: app.Words(set.Build[app.PropAllowedBuilders])}, steps),
		dockerfile.New(dockerfile.Config{Client: engine, Daemon: set.BuilderSocket()}),
		railpack.New(railpack.Config{Client: engine, Steps: steps, Daemon: set.BuilderSocket()}),
		null.Builder{},
	}
}

// ChooseByFiles chooses the builder of a revision as a server with the settings does, but
// by the files alone: it needs no engine and no server. See build.Builders.Inspect.
func ChooseByFiles(ctx context.Context, set app.Settings, r build.Request) (build.Choice, []int, error) {
	r.FilesOnly = true
	return builders(set, nil, nil).Inspect(ctx, r)
}

// reach returns this host's nginx as a proxy, with the front doors.
func reach(s *store.Store, set app.Settings, pool *doors.Pool) proxy.Proxy {
	return doors.New(ownNginx(s, set), doorsOf(s, set, pool))
}

// ownNginx returns this host's nginx.
func ownNginx(s *store.Store, set app.Settings) *nginx.Proxy {
	c := nginx.Config{Dir: s.Own("nginx"), Files: set.Nginx.Files(), Disk: s.Disk, Port: set.Nginx.Port, TLSPort: set.Nginx.TLSPort, Check: set.Nginx.Check, Reload: set.Nginx.Reload,
		DefaultSite: set.Nginx.Properties[app.NginxUnknown] == "default-site"}
	// nginx:set checked these. Of values that somebody edited by hand, an invalid one
	// trusts nobody and has no pages: no text of it may reach nginx.
	c.Trusted, _ = proxy.ParsePrefixes(set.Nginx.Properties[app.NginxTrusted])
	for _, name := range set.Doors() { // they say who the visitors are
		if from, err := netip.ParseAddr(set.FrontDoors[name].From); err == nil && !slices.Contains(c.Trusted, single(from)) {
			c.Trusted = append(c.Trusted, single(from))
		}
	}
	if dir := set.Nginx.Properties[proxy.ErrorPages]; proxy.CheckProperty(proxy.ErrorPages, dir) == nil {
		c.ErrorPages = dir
	}
	if len(c.Check) == 0 { // the nginx that install.sh has set up
		c.Main = "/etc/nginx/nginx.conf"
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

// filter returns what keeps containers from this host's ports; nil: nothing does.
func filter(set app.Settings) firewall.Filter {
	check := set.Nginx.Check
	switch {
	case len(set.Firewall) == 0 && len(check) == 3 && check[0] == "sudo": // beside Dokku
		return firewall.Helper{Command: []string{check[0], check[1], filepath.Join(filepath.Dir(check[2]), "firewall")}}
	case len(set.Firewall) == 0:
		return firewall.Helper{Command: firewall.DefaultCommand}
	case set.Firewall[0] == app.FirewallOff:
		return nil
	}
	return firewall.Helper{Command: set.Firewall}
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// doorsOf returns how the front doors are reached.
func doorsOf(s *store.Store, set app.Settings, pool *doors.Pool) doors.Config {
	c := doors.Config{Doors: set.FrontDoors, Dir: s.Own("front-doors"), Disk: s.Disk, Pool: pool}
	c.Settings = doors.Settings{Port: cmp.Or(set.Nginx.Port, 80), TLSPort: cmp.Or(set.Nginx.TLSPort, 443),
		DefaultSite: set.Nginx.Properties[app.NginxUnknown] == "default-site"}
	c.Settings.Trusted, _ = proxy.ParsePrefixes(set.Nginx.Properties[app.NginxTrusted])
	return c
}

// doorsPool returns the connections of a server with this DOKKU_ROOT to its front doors.
func doorsPool(s *store.Store) *doors.Pool { return &doors.Pool{KeyFile: s.Own("front-door-key")} }

// ServeFrontDoor answers one request of another server whose front door this host is. The
// program is called by sshd for that; version is the program's.
func ServeFrontDoor(ctx context.Context, root, version string, in io.Reader, out io.Writer) error {
	s := &store.Store{Root: root}
	set, err := s.Settings()
	if err != nil {
		return err
	}
	d := doors.Door{Dir: s.Own("front-door"), Logs: set.Nginx.Logs(), Port: set.Nginx.Port, TLSPort: set.Nginx.TLSPort, Disk: s.Disk, Version: version,
		Proxy: func(theirs doors.Settings) doors.Served {
			own := set
			own.FrontDoors = nil
			own.Nginx.Properties = map[string]string{}
			var trusted []string
			for _, p := range theirs.Trusted {
				trusted = append(trusted, p.String())
			}
			own.Nginx.Properties[app.NginxTrusted] = strings.Join(trusted, ",")
			if theirs.DefaultSite {
				own.Nginx.Properties[app.NginxUnknown] = "default-site"
			}
			return ownNginx(s, own)
		}}
	return d.Serve(ctx, in, out)
}

// authority returns the client of a CA that speaks ACME.
func authority(c acme.Config) acme.CA { return acme.New(c) }
