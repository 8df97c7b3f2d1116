package nginx

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dokku/agent/proxy"
)

// resendTimeout is how old a request may be and still go to another process.
const resendTimeout = 10 * time.Second

// server is what all files have in common: the part of Config that is rendered.
type server struct {
	port         int // where all our servers listen
	ipv6         bool
	tls          int    // the port for TLS
	certificates string // folder of the certificates
	version      func() version
	trusted      []netip.Prefix
	errorPages   string
	// unknown: names that no app has are answered here. Else they are left to nginx's
	// default server.
	unknown   bool
	hostnames []string
	resolvers []netip.Addr
}

// listen is where a server listens.
type listen struct {
	Port        int
	Words       string // after the port, with a space before each
	IPv6, HTTP2 bool
}

// on is how a server listens on a port without TLS.
func (s server) on(port int) listen { return listen{Port: port, IPv6: s.ipv6} }

// portsOf are the ports that a route's servers listen on.
func portsOf(r proxy.Route, s server) []proxy.Port {
	switch {
	case len(r.Ports) > 0:
		return r.Ports
	case len(r.Certificates) > 0:
		return []proxy.Port{{Host: s.port}, {Host: s.tls, TLS: true}}
	}
	return []proxy.Port{{Host: s.port}}
}

// listens reports whether the route's names are answered on a port of the host without
// TLS.
func listens(r proxy.Route, port int, s server) bool {
	return slices.ContainsFunc(portsOf(r, s), func(p proxy.Port) bool { return p.Host == port && !p.TLS })
}

// appFile is the data of app.conf.
type appFile struct {
	view
	Mark       string
	Pools      []pool
	Servers    []block
	Challenged *challenged
}

// pool is the processes of an app at one of their ports.
type pool struct {
	Name      string
	Processes []netip.AddrPort
}

// renderApp returns the file of an app. The route must come from Route.Checked.
func renderApp(r proxy.Route, s server) []byte {
	f := appFile{view: view{r}, Mark: mark(r), Pools: []pool{poolOf(r, 0)}}
	known := []int{0}
	for _, p := range r.Ports {
		if !slices.Contains(known, p.Container) {
			f.Pools = append(f.Pools, poolOf(r, p.Container))
			known = append(known, p.Container)
		}
	}
	if len(r.Domains) > 0 {
		for _, p := range portsOf(r, s) {
			f.Servers = append(f.Servers, blocksOf(r, s, p)...)
		}
		f.Challenged = challengedOf(r, s)
	}
	return write("app.conf", f)
}

// poolOf lists the processes of an app at one of their ports; 0: the port that the
// upstreams have.
func poolOf(r proxy.Route, port int) pool {
	p := pool{Name: upstream(r.App, port), Processes: r.Upstreams}
	if port != 0 {
		p.Processes = nil
		for _, u := range r.Upstreams {
			p.Processes = append(p.Processes, netip.AddrPortFrom(u.Addr(), uint16(port)))
		}
	}
	return p
}

// upstream names an app's processes at one of their ports. No app's name has an
// underscore, so that no other app's upstream has this name.
func upstream(app string, port int) string {
	if port == 0 {
		return app + "-web"
	}
	return fmt.Sprintf("%s-web_%d", app, port)
}

// block is a server of an app: the data of server.conf.
type block struct {
	view
	server      server
	names       []string // in nginx's form
	port        proxy.Port
	certificate proxy.Certificate // on a port for TLS
	redirects   bool              // plain requests are sent on to TLS
}

// blocksOf returns the servers of an app for a port of the host.
func blocksOf(r proxy.Route, s server, p proxy.Port) (list []block) {
	if p.TLS {
		for _, c := range r.Certificates {
			list = append(list, block{view: view{r}, server: s, names: serverNames(c.Domains), port: p, certificate: c})
		}
		return list
	}
	plain, redirected := r.Domains, secured(r)
	if status, _ := redirect(r, s); status != "" && p.Host == s.port && len(redirected) > 0 {
		plain = slices.DeleteFunc(slices.Clone(plain), func(d string) bool { return slices.Contains(redirected, d) })
		list = append(list, block{view: view{r}, server: s, names: serverNames(redirected), port: p, redirects: true})
	}
	if len(plain) > 0 {
		list = append(list, block{view: view{r}, server: s, names: serverNames(plain), port: p})
	}
	return list
}

// serverNames returns domains in nginx's form. A regular expression that matches
// everything comes after all other names, but before the default server.
func serverNames(domains []string) []string {
	var names []string
	for _, d := range domains {
		if d == proxy.CatchAll {
			names = append(names, `""`, "~^")
			continue
		}
		names = append(names, d)
	}
	return names
}

// lines is a list of names, one a line.
func lines(names []string) string { return strings.Join(names, "\n        ") }

// Names returns the names of the server, one a line.
func (b block) Names() string { return lines(b.names) }

// Listen returns where the server listens.
func (b block) Listen() listen { return b.server.listenOn(b.port) }

// Trusted returns the proxies in front: the client's address is the last one in the chain
// of X-Forwarded-For that is none of theirs.
func (b block) Trusted() []netip.Prefix { return b.server.trusted }

// Pool returns the name of the processes that get the requests.
func (b block) Pool() string { return upstream(b.App, b.port.Container) }

// ResendTimeout returns how old a request may be and still go to another process.
func (b block) ResendTimeout() time.Duration { return min(resendTimeout, b.Settings.ReadTimeout) }
