package nginx

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"

	"dokku/agent/proxy"
)

const (
	// serverFile sorts before all apps, whose names begin with a letter or a
	// digit, and cannot be the file of any. It has to be read first: its
	// generation must never be newer than the routes that are read after it.
	serverFile = "+server.conf"

	// unknownFile sorts behind all apps. It has to be read last: of two regular
	// expressions for names, nginx takes the first.
	unknownFile = "~unknown.conf"

	// formMark begins the line that says by which template and settings the shared files
	// were written.
	formMark = "# form "
)

// shared returns serverFile and unknownFile. A tree that lacks the second has none.
func shared(generation string, apps []string, routes []proxy.Route, s server) (first, last []byte) {
	f := shareFile(routes, s)
	f.Form, f.Generation = form(s), generation
	names := addressNames(s.hostnames, routes)
	switch {
	case hasCatchAll(routes, s.port, s): // it answers these names too
	case len(apps) == 1 && len(routes) == 1 && listens(routes[0], s.port, s):
		f.Alone = aloneOn(s.port, routes[0], names, s)
	default:
		f.Host = s.noApp(names, s.port)
	}
	for _, port := range otherPorts(routes, s) {
		if on := listening(routes, port, s); len(on) == 1 && !hasCatchAll(on, port, s) {
			f.Alone = append(f.Alone, aloneOn(port, on[0], names, s)...)
		}
	}
	return write("shared.conf", f), renderUnknown(routes, s)
}

// sharedFile is the data of shared.conf: the variables that all apps use, the server that
// proves the generation, and those for names that no app has.
type sharedFile struct {
	Form, Generation, Reserved string
	Listen                     listen // on the main port
	Trusted                    []netip.Prefix
	Pages                      []page
	Stopped                    page
	Others                     *noApp // on the other ports
	TLS                        []noAppOverTLS
	Relay                      string
	Resolvers                  []syntax
	Responders                 []proxy.Certificate
	Host                       *noApp  // answers by the host's address
	Alone                      []block // the same, of an app that is alone
}

// noApp is a server whose names lead to no app.
type noApp struct {
	Listen []listen
	Names  syntax
	Page   page
}

func (s server) noApp(names []string, ports ...int) *noApp {
	f := &noApp{Names: lines(names), Page: unknownPage.in(s.errorPages)}
	for _, port := range ports {
		f.Listen = append(f.Listen, s.on(port))
	}
	return f
}

// shareFile returns the data without what depends on a tree.
func shareFile(routes []proxy.Route, s server) sharedFile {
	f := sharedFile{Reserved: proxy.ReservedDomain, Listen: s.on(s.port), Trusted: s.trusted, Pages: ownPages, Stopped: stoppedPage, TLS: defaultsOverTLS(routes, s),
		Relay: relay, Resolvers: inBrackets(s.resolvers), Responders: respondersOf(routes, s)}
	if ports := otherPorts(routes, s); len(ports) > 0 {
		f.Others = s.noApp([]string{"_"}, ports...)
	}
	return f
}

// form identifies the templates of the shared files and the settings in them. A tree
// with another one is outdated.
func form(s server) string {
	// Whatever nginx's version is: its words are in the apps' files too. Nor do other name
	// servers make a tree outdated.
	s.version, s.resolvers = func() version { return rejects }, []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	secured := func(port int, domain string) proxy.Route {
		return proxy.Route{Ports: []proxy.Port{{Host: port, TLS: true}},
			Certificates: []proxy.Certificate{{Domains: []string{domain}, Responder: "http://example.com"}}}
	}
	routes := []proxy.Route{{Ports: []proxy.Port{{Host: s.port + 1}}}, secured(s.port+2, "example.com"), secured(s.port+3, "192.0.2.1")}
	f := shareFile(routes, s)
	f.Form, f.Generation = "form", "generation"
	f.Host = s.noApp(addressNames(s.hostnames, nil), s.port)
	w := sha256.New()
	w.Write(write("shared.conf", f))
	w.Write(renderUnknown(routes, s))
	return fmt.Sprintf("%x", w.Sum(nil)[:8])
}

// renderUnknown returns unknownFile: a server for the names that no app has. Without it,
// they would lead to nginx's default server, often a page that welcomes to nginx. Sites
// of this nginx that have their own names keep them.
func renderUnknown(routes []proxy.Route, s server) []byte {
	var f struct {
		Plain *noApp
		TLS   []noAppOverTLS
	}
	if s.unknown && !hasCatchAll(routes, s.port, s) {
		f.Plain = s.noApp([]string{"~^"}, s.port)
	}
	if s.unknown {
		f.TLS = unknownOverTLS(routes, s)
	}
	return write("unknown.conf", f)
}

// hasCatchAll reports whether one of the routes answers every name on a port of the host.
func hasCatchAll(routes []proxy.Route, port int, s server) bool {
	return slices.ContainsFunc(routes, func(r proxy.Route) bool {
		return listens(r, port, s) && slices.Contains(r.Domains, proxy.CatchAll)
	})
}

// aloneOn returns the server of an app for the host's own names on a port.
func aloneOn(port int, r proxy.Route, names []string, s server) (list []block) {
	for _, p := range portsOf(r, s) {
		if p.Host == port && !p.TLS {
			list = append(list, block{view: view{r}, server: s, names: names, ports: []proxy.Port{p}})
		}
	}
	return list
}

// otherPorts are the ports of the host, ascending, that apps have beside the
// main one.
func otherPorts(routes []proxy.Route, s server) []int {
	var ports []int
	for _, r := range routes {
		for _, p := range r.Ports {
			if p.Host != s.port && !p.TLS && !slices.Contains(ports, p.Host) {
				ports = append(ports, p.Host)
			}
		}
	}
	slices.Sort(ports)
	return ports
}

// listening are the routes that have a port of the host.
func listening(routes []proxy.Route, port int, s server) []proxy.Route {
	return slices.DeleteFunc(slices.Clone(routes), func(r proxy.Route) bool { return !listens(r, port, s) })
}

// addressNames are the server names by which the host itself is reached. A
// name that an app has is left out: an exact name would win over the app's
// wildcard, and of two equal ones nginx ignores the second.
func addressNames(hostnames []string, routes []proxy.Route) []string {
	var names []string
	for _, h := range append([]string{"localhost"}, hostnames...) {
		h = proxy.Lower(h)
		taken := slices.ContainsFunc(routes, func(r proxy.Route) bool {
			return slices.ContainsFunc(r.Domains, func(d string) bool { return d != proxy.CatchAll && proxy.Covers(d, h) })
		})
		if proxy.CheckDomain(h) == nil && h != proxy.CatchAll && !taken && !slices.Contains(names, h) {
			names = append(names, h)
		}
	}
	return append(names, `~^[0-9.]+$`, `~^\[[0-9a-fA-F:.]+\]$`)
}
