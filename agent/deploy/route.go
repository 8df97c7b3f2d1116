package deploy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"dokku/agent/app"
	"dokku/agent/engine/node"
	"dokku/agent/proc"
	"dokku/agent/proxy"
	"dokku/agent/store"
)

// URLsOf returns the URLs of the app's web processes.
func (e *Env) URLsOf(a app.View) []string {
	if a.State.ProxyDisabled {
		return []string{fmt.Sprintf("http://%s:%d", app.HostAddress(), a.State.HostPort)}
	}
	domains := a.Domains()
	if len(domains) == 0 {
		domains = []string{app.HostAddress()}
	}
	// Without configured domains, the default one may not resolve. The host's address
	// reaches the app if it is the only one.
	if len(a.Domains()) > 0 && len(a.State.Domains) == 0 && len(a.Settings.Domains) == 0 && only(e.Store, a.Name) {
		domains = append([]string{app.HostAddress()}, domains...)
	}
	var urls, secured []string
	for _, c := range a.Certificates() {
		secured = append(secured, c.Domains...)
	}
	for _, d := range domains {
		if d == proxy.CatchAll {
			d = app.HostAddress()
		}
		urls = append(urls, urlsOf(a, d, slices.Contains(secured, d))...)
	}
	return urls
}

// urlsOf returns the URLs of a domain, those over TLS first. A plain port that only sends
// browsers on to TLS is left out.
func urlsOf(a app.View, domain string, secured bool) []string {
	var plain, safe []string
	for _, m := range a.Ports() {
		usual := map[string]int{"http": 80, "https": 443}[m.Scheme]
		url := m.Scheme + "://" + domain
		if m.Host != usual {
			url += fmt.Sprintf(":%d", m.Host)
		}
		switch {
		case m.Scheme == "http" && !(secured && m.Host == a.Settings.Nginx.Port && a.NginxProperty("https-redirect") != proxy.Off && a.HasTLS()):
			plain = append(plain, url)
		case m.Scheme == "https" && secured:
			safe = append(safe, url)
		}
	}
	return append(safe, plain...)
}

// only reports whether no other deployed app uses the proxy.
func only(s *store.Store, app string) bool {
	apps, err := s.Apps()
	if err != nil {
		return false
	}
	for _, name := range apps {
		if o, err := s.Load(name); name != app && err == nil && o.Deployed() && !o.State.ProxyDisabled {
			return false
		}
	}
	return true
}

// routeOf returns the route of a release without its upstreams. An app with a Listener may
// have no release.
func routeOf(s *store.Store, v app.View, r *app.Release) *proxy.Route {
	if r == nil {
		r = &app.Release{Port: int(v.State.Listener().Port())}
	}
	mappings := v.State.Ports
	if v.ExposedAsIs(r) {
		mappings = v.DefaultPortsOf(r)
	}
	route := &proxy.Route{App: v.Name, Release: r.Number, Domains: v.Names(), Ports: routePorts(mappings, r),
		Elsewhere: r.OnSwarm(), Stopped: v.State.Stopped, Replaces: v.Former()}
	for _, c := range v.Certificates() {
		dir := s.File(v.Name, app.TLSDir, c.ID)
		if c.Global {
			dir = s.Own(app.TLSDir, c.ID)
		}
		route.Certificates = append(route.Certificates, proxy.Certificate{ID: c.ID, Dir: dir, Domains: c.Domains, Responder: c.Responder})
	}
	if r.OnSwarm() {
		route.Entrance = entrance(s)
	}
	if names, _ := v.ACMENames(); len(names) > 0 && !v.ProvesByDNS() {
		route.Challenge = v.Settings.Authorities[v.Directory()].Thumbprint
	}
	besideRoute(s, v, route)
	set := &route.Settings
	set.ClientMaxBodySize = v.NginxProperty("client-max-body-size")
	set.ReadTimeout, _ = proxy.ParseTime(v.NginxProperty("proxy-read-timeout"))
	set.SendTimeout, _ = proxy.ParseTime(v.NginxProperty("proxy-send-timeout"))
	if dir := filepath.Join(v.Dir, "nginx.conf.d"); isDir(dir) && v.NginxProperty(app.NginxNoCustomConfig) != "true" {
		set.IncludeDir = dir
		if staples(dir) {
			for i := range route.Certificates {
				route.Certificates[i].Responder = ""
			}
		}
	}
	set.Properties = map[string]string{proxy.AccessLogPath: v.NginxLog("access"), proxy.ErrorLogPath: v.NginxLog("error")}
	for _, p := range proxy.Properties {
		if value := v.NginxProperty(p.Name); value != "" {
			set.Properties[p.Name] = value
		}
	}
	return route
}

// entrance is the certificate by which the processes of a swarm are reached; nil where there is
// none yet.
func entrance(s *store.Store) *proxy.Certificate {
	keys, err := NodeKeys(s).Load()
	if err != nil {
		return nil
	}
	return &proxy.Certificate{ID: node.ID(keys.Door), Dir: keys.DoorDir}
}

// NodeKeys are the keys of a server for the nodes of its swarm.
func NodeKeys(s *store.Store) node.Keys { return node.Keys{Dir: s.Own("nodes"), Disk: s.Disk} }

var stapling = regexp.MustCompile(`(?m)^[^#\n]*\bssl_stapling(_responder)?\s`)

// staples reports whether an admin's own nginx files staple OCSP answers. nginx refuses
// these directives twice.
func staples(dir string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, "*.conf"))
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && stapling.Match(text)
	})
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

// routePorts returns the ports of a release's route. The first mapping leads to the
// port on which the release was gated, even if the setting changed since.
func routePorts(mappings []app.PortMap, r *app.Release) []proxy.Port {
	var list []proxy.Port
	for i, m := range mappings {
		p := proxy.Port{Host: m.Host, Container: m.Container, TLS: m.Scheme == "https"}
		if m.Container == 0 {
			p.Container = r.DetectedPort()
		}
		if i == 0 || p.Container == r.Port {
			p.Container = 0
		}
		list = append(list, p)
	}
	return list
}

// sshPort is sshd's default port.
const sshPort = 22

// PortTaken returns an error if the proxy cannot listen on a port of the host. A port
// on which it already listens for another app is free: the domains differ.
func (e *Env) PortTaken(ctx context.Context, set app.Settings, port int) error {
	if port == set.Nginx.Port {
		return nil
	}
	if port == sshPort {
		//lint:ignore ST1005 the style of Dokku's messages
		return fmt.Errorf("Host port %d belongs to ssh: choose another one", port)
	}
	mapped, err := e.mapped(ctx, set, port)
	if mapped || err != nil {
		return err
	}
	// On the port for TLS, nginx may serve other sites of this host.
	if port != set.Nginx.TLSPort && proc.Listens(port) {
		//lint:ignore ST1005 the style of Dokku's messages
		return fmt.Errorf("Host port %d is taken: another program on this host listens on it; choose another one, or stop that program", port)
	}
	return nil
}

// mapped reports whether the proxy already listens on a port for any app. A port of an
// app without the proxy is an error.
func (e *Env) mapped(ctx context.Context, set app.Settings, port int) (bool, error) {
	px := e.Proxy(set)
	apps, err := e.Store.Apps()
	if err != nil {
		return false, err
	}
	for _, name := range apps {
		a, err := e.Store.Load(name)
		if err != nil {
			return false, err
		}
		if first := a.State.HostPort; first != 0 && port >= first && port < first+app.PortsPerApp {
			return false, &app.OwnedError{App: name, Text: fmt.Sprintf("Host port %d belongs to app %s (%d to %d, see proxy:disable): choose another one",
				port, name, first, first+app.PortsPerApp-1)}
		}
		live, ok, err := px.Live(ctx, name)
		if err == nil && ok && (slices.ContainsFunc(live.Ports, func(p proxy.Port) bool { return p.Host == port }) ||
			port == set.Nginx.TLSPort && len(live.Ports) == 0 && len(live.Certificates) > 0) {
			return true, nil
		}
	}
	return false, nil
}

// checkPorts refuses a deploy if the proxy cannot listen on the route's ports.
func (e *Env) checkPorts(ctx context.Context, v app.View) error {
	for _, m := range v.State.Ports {
		if err := e.PortTaken(ctx, v.Settings, m.Host); err != nil {
			return fmt.Errorf("%w (dokku ports:set %s changes the app's ports)", err, v.Name)
		}
	}
	return nil
}
