package nginx

import (
	"fmt"
	"net/netip"
	"slices"
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
	files        string // folder of the files that nginx's workers read
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
	Words       syntax // after the port, with a space before each
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
	Mark       syntax
	Pools      []pool
	Servers    []block
	Challenged *challenged
}

// pool is the processes of an app at one of their ports.
type pool struct {
	Name      string
	Processes []netip.AddrPort
}

// PutsAside reports whether nginx asks a process again only after a while when it has failed: on
// another machine, if there is another one to ask.
func (f appFile) PutsAside(p pool) bool { return f.Elsewhere && len(p.Processes) > 1 }

// Zone is the memory, in KiB, in which nginx's workers share what they know of the processes. One
// takes about 1 KiB in the two lists.
func (p pool) Zone() int { return 64 + 2*len(p.Processes) }

// renderApp returns the file of an app. The route must come from Route.Checked.
func renderApp(r proxy.Route, s server) []byte { return write("app.conf", appOfRoute(r, s)) }

func appOfRoute(r proxy.Route, s server) appFile {
	f := appFile{view: view{r}, Mark: syntax(mark(r)), Pools: []pool{poolOf(r, 0)}}
	known := []int{0}
	for _, p := range r.Ports {
		if !slices.Contains(known, p.Container) {
			f.Pools = append(f.Pools, poolOf(r, p.Container))
			known = append(known, p.Container)
		}
	}
	if len(r.Domains) > 0 {
		f.Servers = blocksOf(r, s)
		f.Challenged = challengedOf(r, s)
	}
	return f
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
	names       []string          // in nginx's form
	ports       []proxy.Port      // of the same processes; one for TLS is the last
	certificate proxy.Certificate // on a port for TLS
	redirects   bool              // plain requests are sent on to TLS
	Refuses     bool              // handshakes are refused
	open        bool              // nobody is asked for a password
}

// blocksOf returns the servers of an app.
func blocksOf(r proxy.Route, s server) []block { return apart(serversOf(r, s), r.Auth) }

// serversOf returns the servers by ports and certificates.
func serversOf(r proxy.Route, s server) (list []block) {
	ports := portsOf(r, s)
	secure := secureTwin(r, s)
	for _, p := range ports {
		switch {
		case p == secure: // stands with the main port
		case p.TLS:
			list = append(list, secureBlocks(r, s, p)...)
		case p.Host == s.port:
			list = append(list, mainBlocks(r, s, p, secure)...)
		default:
			list = append(list, block{view: view{r}, server: s, names: serverNames(r.Domains), ports: []proxy.Port{p}})
		}
	}
	return list
}

// secureTwin is the first port for TLS that leads to the same processes as the main port;
// zero if there is none. Then one server has both: nginx takes about as long for each
// server as for reading a certificate.
func secureTwin(r proxy.Route, s server) proxy.Port {
	ports := portsOf(r, s)
	for _, main := range ports {
		if main.TLS || main.Host != s.port || len(r.Certificates) == 0 {
			continue
		}
		if i := slices.IndexFunc(ports, func(p proxy.Port) bool { return p.TLS && p.Container == main.Container }); i >= 0 {
			return ports[i]
		}
	}
	return proxy.Port{}
}

// secureBlocks returns a server for each certificate of the route, on some ports.
func secureBlocks(r proxy.Route, s server, ports ...proxy.Port) (list []block) {
	for _, c := range r.Certificates {
		list = append(list, block{view: view{r}, server: s, names: serverNames(c.Domains), ports: ports, certificate: c})
	}
	return list
}

// mainBlocks returns the servers of the main port. secure is a port that they have too;
// zero for none.
func mainBlocks(r proxy.Route, s server, main, secure proxy.Port) (list []block) {
	plain := r.Domains
	status, _ := redirect(r, s)
	certified := secured(r)
	if len(certified) > 0 && (status != "" || secure != proxy.Port{}) {
		plain = slices.DeleteFunc(slices.Clone(plain), func(d string) bool { return slices.Contains(certified, d) })
		if list = secureBlocks(r, s, main, secure); secure == (proxy.Port{}) {
			list = []block{{view: view{r}, server: s, names: serverNames(certified), ports: []proxy.Port{main}}}
		}
		for i := range list {
			list[i].redirects = status != ""
		}
	}
	if len(plain) > 0 {
		list = append(list, block{view: view{r}, server: s, names: serverNames(plain), ports: []proxy.Port{main}})
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
func lines(names []string) syntax {
	var all syntax
	for i, name := range names {
		if i > 0 {
			all += "\n        "
		}
		if slices.Contains(patterns, name) {
			all += syntax(name)
		} else {
			all += sound(name)
		}
	}
	return all
}

// patterns are names that are no words: none, any, and the host's addresses.
var patterns = []string{`""`, "~^", `~^[0-9.]+$`, `~^\[[0-9a-fA-F:.]+\]$`}

// Names returns the names of the server, one a line.
func (b block) Names() syntax { return lines(b.names) }

// Listen returns where the server listens.
func (b block) Listen() (list []listen) {
	for _, p := range b.ports {
		list = append(list, b.server.listenOn(p))
	}
	return list
}

// Trusted returns the proxies in front: the client's address is the last one in the chain
// of X-Forwarded-For that is none of theirs.
func (b block) Trusted() []netip.Prefix { return b.server.trusted }

// Port is what an app is told of the port, unless a property says otherwise. Without proxies
// in front it is nginx's own, as in Dokku's file.
func (b block) Port() syntax {
	if len(b.server.trusted) == 0 {
		return "$server_port"
	}
	return "$dokku_port"
}

// Proto is what an app is told of the scheme, as Port is of the port.
func (b block) Proto() syntax {
	if len(b.server.trusted) == 0 {
		return "$scheme"
	}
	return "$dokku_proto"
}

// Pool returns the name of the processes that get the requests.
func (b block) Pool() string { return upstream(b.App, b.ports[0].Container) }

// Scheme is how the processes are asked. Another proxy is asked over TLS if the visitor came
// so; see [proxy.Route.Onward].
func (b block) Scheme() string {
	if b.Onward && b.ports[0].TLS || b.Entrance != nil {
		return "https"
	}
	return "http"
}

// EntranceFiles is the folder of the certificate by which the processes are reached; "" without
// one.
func (b block) EntranceFiles() string {
	if b.Entrance == nil {
		return ""
	}
	return b.server.certificate(b.Entrance.ID)
}

// EntranceName is the name of those who have the processes.
func (block) EntranceName() string { return proxy.EntranceName }

// Patience is how long a connection to a process on another machine may take by default: a
// machine that does not answer costs each request that much.
func (b block) Patience() string {
	if b.Elsewhere {
		return "1s"
	}
	return ""
}

// Tries is how many processes are asked for one request. Two machines may be gone at the same
// time, and the request must still be answered.
func (b block) Tries() int {
	if b.Elsewhere {
		return 3
	}
	return 2
}

// ResendTimeout returns how old a request may be and still go to another process.
func (b block) ResendTimeout() time.Duration { return min(resendTimeout, b.Settings.ReadTimeout) }
