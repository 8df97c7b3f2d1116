package nginx

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

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
	return renderShared(generation, apps, routes, s), renderUnknown(routes, s)
}

// form identifies the templates of the shared files and the settings in them. A tree
// with another one is outdated.
func form(s server) string {
	w := sha256.New()
	renderVariables(w, "", s)
	renderOthers(w, []proxy.Route{{Ports: []proxy.Port{{Host: s.port + 1}}}}, s)
	renderNoApp(w, s, addressNames(s.hostnames, nil))
	// Whatever nginx's version is: its words are in the apps' files too.
	s.version = func() version { return rejects }
	secured := func(port int, domain string) proxy.Route {
		return proxy.Route{Ports: []proxy.Port{{Host: port, TLS: true}}, Certificates: []proxy.Certificate{{Domains: []string{domain}}}}
	}
	routes := []proxy.Route{secured(s.port+1, "example.com"), secured(s.port+2, "192.0.2.1")}
	renderRejecting(w, routes, s)
	routes[0].Certificates[0].Responder = "http://example.com"
	s.resolvers = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	renderResponders(w, routes, s)
	w.Write(renderUnknown(routes, s))
	return fmt.Sprintf("%x", w.Sum(nil)[:8])
}

// renderShared returns serverFile: the variables that all apps use, the server
// that proves the generation, and the one that answers by the host's address.
func renderShared(generation string, apps []string, routes []proxy.Route, s server) []byte {
	w := &strings.Builder{}
	fmt.Fprintf(w, "# Shared by all apps. dokku writes this file anew at each deploy.\n%s%s\n\n", formMark, form(s))
	renderVariables(w, generation, s)
	renderOthers(w, routes, s)
	renderRejecting(w, routes, s)
	renderResponders(w, routes, s)
	names := addressNames(s.hostnames, routes)
	switch {
	case hasCatchAll(routes, s.port, s): // it answers these names too
	case len(apps) == 1 && len(routes) == 1 && listens(routes[0], s.port, s):
		renderPort(w, routes[0], names, s, s.port)
	default:
		renderNoApp(w, s, names)
	}
	for _, port := range otherPorts(routes, s) {
		if on := listening(routes, port, s); len(on) == 1 && !hasCatchAll(on, port, s) {
			renderPort(w, on[0], names, s, port)
		}
	}
	return []byte(w.String())
}

// renderVariables writes the variables that the apps' files use, and the server that
// proves the generation.
func renderVariables(w io.Writer, generation string, s server) {
	io.WriteString(w, `# A Host header that contradicts the name by which the server was chosen (a
# request line with a URL in it) is not passed on, nor is a missing one.
map "$host|$http_host" $dokku_host {
    default $host;
    "~*^([^|]+)\|\1(:[0-9]+)?$" $http_host;
}

map $http_upgrade $dokku_connection {
    default upgrade;
    "" close;
}

map $http_upgrade $dokku_keepalive {
    default upgrade;
    "" "";
}

# The proxies that may say how a request reached them (trusted-proxies).
geo $realip_remote_addr $dokku_trusted {
    default 0;
`)
	for _, p := range s.trusted {
		fmt.Fprintf(w, "    %s 1;\n", p)
	}
	io.WriteString(w, `}

map "$dokku_trusted|$http_x_forwarded_proto|$http_x_forwarded_ssl" $dokku_proto {
    default $scheme;
    "~*^1\|\s*(https|wss)\s*[,|]" https;
    "~*^1\|\s*(http|ws)\s*[,|]" http;
    "~*^1\|\|on$" https;
}

# A proxy that serves TLS and names no port has the usual one.
map "$dokku_trusted|$http_x_forwarded_port|$dokku_proto|$scheme" $dokku_port {
    default $server_port;
    "~^1\|\s*(?<dokku_given_port>[0-9]{1,5})\s*[,|]" $dokku_given_port;
    "~^1\|[^|]*\|https\|http$" 443;
}

# Plain requests that are sent on to TLS. A CA asks for its challenges without.
map "$dokku_proto|$uri" $dokku_insecure {
    default "";
    "~^http\|/\.well-known/acme-challenge/" "";
    "~^http\|" 1;
}

map "$dokku_trusted|$http_x_forwarded_ssl" $dokku_ssl {
    default "";
    "~*^1\|on$" on;
    "~*^1\|off$" off;
}
`)
	fmt.Fprintf(w, `
# Only this host is told; deny has no effect on return.
map $remote_addr $dokku_generation {
    default "";
    127.0.0.1 %s;
    ::1 %[1]s;
}

server {
`, orElse(generation, `""`))
	s.render(w)
	fmt.Fprintf(w, `    server_name %s;
    access_log off;

    location = /generation {
        if ($dokku_generation = "") {
            return 404;
        }
        default_type text/plain;
        return 200 "$dokku_generation $pid";
    }

    location / {
        return 404;
    }
}
`, proxy.ReservedDomain)
}

// renderNoApp writes a server whose names lead to no app.
func renderNoApp(w io.Writer, s server, names []string, ports ...int) {
	fmt.Fprintf(w, "\nserver {\n")
	if len(ports) == 0 {
		ports = []int{s.port}
	}
	for _, port := range ports {
		s.at(port).render(w)
	}
	fmt.Fprintf(w, "    server_name %s;\n", strings.Join(names, "\n        "))
	renderNothing(w, s)
	io.WriteString(w, "}\n")
}

// renderNothing answers that there is no site.
func renderNothing(w io.Writer, s server) {
	io.WriteString(w, "\n    location / {\n        return 404;\n    }\n")
	renderPage(w, unknownPage, s.errorPages)
}

// renderUnknown returns unknownFile: a server for the names that no app has. Without it,
// they would lead to nginx's default server, often a page that welcomes to nginx. Sites
// of this nginx that have their own names keep them.
func renderUnknown(routes []proxy.Route, s server) []byte {
	w := &strings.Builder{}
	io.WriteString(w, "# Names that no app has. dokku writes this file anew at each deploy.\n")
	if s.unknown && !hasCatchAll(routes, s.port, s) {
		renderNoApp(w, s, []string{"~^"})
	}
	if s.unknown {
		renderUnknownTLS(w, routes, s)
	}
	return []byte(w.String())
}

// hasCatchAll reports whether one of the routes answers every name on a port of the host.
func hasCatchAll(routes []proxy.Route, port int, s server) bool {
	return slices.ContainsFunc(routes, func(r proxy.Route) bool {
		return listens(r, port, s) && slices.Contains(r.Domains, proxy.CatchAll)
	})
}

// renderPort writes the server block of an app for one port of the host.
func renderPort(w io.Writer, r proxy.Route, names []string, s server, port int) {
	for _, p := range portsOf(r, s) {
		if p.Host == port && !p.TLS {
			renderServer(w, r, s, site{names: names, port: p})
		}
	}
}

// renderOthers writes the server that is read first of all that listen on the
// ports beside the main one: nginx chooses it for each name that no app has on
// that port, so that a request for one app never reaches another one.
func renderOthers(w io.Writer, routes []proxy.Route, s server) {
	if ports := otherPorts(routes, s); len(ports) > 0 {
		renderNoApp(w, s, []string{"_"}, ports...)
	}
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
