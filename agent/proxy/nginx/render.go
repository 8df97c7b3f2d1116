package nginx

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dokku/agent/proxy"
)

const (
	// serverFile sorts before all apps, whose names begin with a letter or a
	// digit, and cannot be the file of any. It has to be read first: its
	// generation must never be newer than the routes that are read after it.
	serverFile = "+server.conf"

	// routeMark begins the line that a route is read back from.
	routeMark = "# route "

	// connectTimeout leaves a process with a full accept queue two more SYNs.
	connectTimeout = 5 * time.Second

	// resendTimeout is how old a request may be and still go to another process.
	resendTimeout = 10 * time.Second
)

// listener says where all our servers listen.
type listener struct {
	port int
	ipv6 bool
}

func (l listener) render(w io.Writer) {
	fmt.Fprintf(w, "    listen %d;\n", l.port)
	if l.ipv6 {
		fmt.Fprintf(w, "    listen [::]:%d;\n", l.port)
	}
}

// at is the listener for another port.
func (l listener) at(port int) listener { return listener{port: port, ipv6: l.ipv6} }

// portsOf are the ports that a route's servers listen on; main is the proxy's own.
func portsOf(r proxy.Route, main int) []proxy.Port {
	if len(r.Ports) == 0 {
		return []proxy.Port{{Host: main}}
	}
	return r.Ports
}

// listens reports whether the route's names are answered on a port of the host.
func listens(r proxy.Route, port, main int) bool {
	return slices.ContainsFunc(portsOf(r, main), func(p proxy.Port) bool { return p.Host == port })
}

// renderApp returns the file of an app. The route must come from Route.Checked.
func renderApp(r proxy.Route, l listener) []byte {
	mark, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("internal error: a route that cannot be written as JSON: %v", err))
	}
	w := &strings.Builder{}
	fmt.Fprintf(w, "# %s, release %d. dokku writes this file anew at each deploy; settings of your own\n", r.App, r.Release)
	fmt.Fprintf(w, "# belong into %s.\n", orElse(r.Settings.IncludeDir, "the app's nginx.conf.d")+"/*.conf")
	fmt.Fprintf(w, "%s%s\n\n", routeMark, mark)
	renderUpstream(w, r, 0)
	known := []int{0}
	for _, p := range r.Ports {
		if !slices.Contains(known, p.Container) {
			w.WriteString("\n")
			renderUpstream(w, r, p.Container)
			known = append(known, p.Container)
		}
	}
	if len(r.Domains) > 0 {
		for _, p := range portsOf(r, l.port) {
			renderServer(w, r, r.Domains, l.at(p.Host), p.Container)
		}
	}
	return []byte(w.String())
}

// renderUpstream lists the processes of an app at one of their ports; 0: the
// port that the upstreams have.
func renderUpstream(w io.Writer, r proxy.Route, port int) {
	fmt.Fprintf(w, "upstream %s {\n", upstream(r.App, port))
	for _, u := range r.Upstreams {
		if port != 0 {
			u = netip.AddrPortFrom(u.Addr(), uint16(port))
		}
		// No process is put aside because of one failure: where all are, nginx
		// answers 502 though they may be back. The agent takes dead ones out.
		fmt.Fprintf(w, "    server %s max_fails=0;\n", u)
	}
	if len(r.Upstreams) == 0 {
		io.WriteString(w, "    server 127.0.0.1:9 down; # no process: 502\n")
	}
	io.WriteString(w, "}\n")
}

// renderServer writes a server block that passes all requests for names on to
// a port of the processes of an app.
func renderServer(w io.Writer, r proxy.Route, names []string, l listener, port int) {
	s := r.Settings
	fmt.Fprintf(w, "\nserver {\n")
	l.render(w)
	fmt.Fprintf(w, "    server_name %s;\n", strings.Join(names, "\n        "))
	fmt.Fprintf(w, "    client_max_body_size %s;\n\n", s.ClientMaxBodySize)
	fmt.Fprintf(w, `    location / {
        proxy_pass http://%s;
        proxy_http_version 1.1;
        proxy_set_header Host $dokku_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $dokku_connection;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Port $server_port;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Request-Start $msec;
        proxy_connect_timeout %s;
        proxy_read_timeout %s;
        proxy_send_timeout %s;
        proxy_buffer_size 16k;
        proxy_buffers 8 16k;
        proxy_busy_buffers_size 32k;
        proxy_next_upstream error timeout;
        proxy_next_upstream_tries 2;
        proxy_next_upstream_timeout %s;
    }
`, upstream(r.App, port), nginxTime(connectTimeout), nginxTime(s.ReadTimeout), nginxTime(s.SendTimeout),
		nginxTime(min(resendTimeout, s.ReadTimeout)))
	if s.IncludeDir != "" {
		fmt.Fprintf(w, "\n    include %s/*.conf;\n", s.IncludeDir)
	}
	fmt.Fprintf(w, "}\n")
}

// renderShared returns serverFile: the variables that all apps use, the server
// that proves the generation, and the one that answers by the host's address.
func renderShared(generation string, apps []string, routes []proxy.Route, hostnames []string, l listener) []byte {
	w := &strings.Builder{}
	fmt.Fprintf(w, `# Shared by all apps. dokku writes this file anew at each deploy.

# A Host header that contradicts the name by which the server was chosen (a
# request line with a URL in it) is not passed on, nor is a missing one.
map "$host|$http_host" $dokku_host {
    default $host;
    "~*^([^|]+)\|\1(:[0-9]+)?$" $http_host;
}

map $http_upgrade $dokku_connection {
    default upgrade;
    "" close;
}

# Only this host is told; deny has no effect on return.
map $remote_addr $dokku_generation {
    default "";
    127.0.0.1 %s;
    ::1 %[1]s;
}

server {
`, generation)
	l.render(w)
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
	renderOthers(w, routes, l)
	names := addressNames(hostnames, routes)
	if len(apps) == 1 && len(routes) == 1 && listens(routes[0], l.port, l.port) {
		renderPort(w, routes[0], names, l)
	} else {
		fmt.Fprintf(w, "\nserver {\n")
		l.render(w)
		fmt.Fprintf(w, `    server_name %s;

    location / {
        default_type text/plain;
        return 404 "There is nothing at this address. Use the app's own name.\n";
    }
}
`, strings.Join(names, "\n        "))
	}
	for _, port := range otherPorts(routes, l) {
		on := listening(routes, port, l)
		if len(on) == 1 {
			renderPort(w, on[0], names, l.at(port))
		}
	}
	return []byte(w.String())
}

// renderPort writes the server block of an app for one port of the host.
func renderPort(w io.Writer, r proxy.Route, names []string, l listener) {
	for _, p := range portsOf(r, l.port) {
		if p.Host == l.port {
			renderServer(w, r, names, l, p.Container)
		}
	}
}

// renderOthers writes the server that is read first of all that listen on the
// ports beside the main one: nginx chooses it for each name that no app has on
// that port, so that a request for one app never reaches another one.
func renderOthers(w io.Writer, routes []proxy.Route, l listener) {
	ports := otherPorts(routes, l)
	if len(ports) == 0 {
		return
	}
	fmt.Fprintf(w, "\nserver {\n")
	for _, port := range ports {
		l.at(port).render(w)
	}
	fmt.Fprintf(w, `    server_name _;

    location / {
        default_type text/plain;
        return 404 "There is no such app on this port.\n";
    }
}
`)
}

// otherPorts are the ports of the host, ascending, that apps have beside the
// main one.
func otherPorts(routes []proxy.Route, l listener) []int {
	var ports []int
	for _, r := range routes {
		for _, p := range r.Ports {
			if p.Host != l.port && !slices.Contains(ports, p.Host) {
				ports = append(ports, p.Host)
			}
		}
	}
	slices.Sort(ports)
	return ports
}

// listening are the routes that have a port of the host.
func listening(routes []proxy.Route, port int, l listener) []proxy.Route {
	return slices.DeleteFunc(slices.Clone(routes), func(r proxy.Route) bool { return !listens(r, port, l.port) })
}

// addressNames are the server names by which the host itself is reached. A
// name that an app has is left out: an exact name would win over the app's
// wildcard, and of two equal ones nginx ignores the second.
func addressNames(hostnames []string, routes []proxy.Route) []string {
	var names []string
	for _, h := range append([]string{"localhost"}, hostnames...) {
		h = proxy.Lower(h)
		taken := slices.ContainsFunc(routes, func(r proxy.Route) bool {
			return slices.ContainsFunc(r.Domains, func(d string) bool { return proxy.Covers(d, h) })
		})
		if proxy.CheckDomain(h) == nil && !taken && !slices.Contains(names, h) {
			names = append(names, h)
		}
	}
	return append(names, `~^[0-9.]+$`, `~^\[[0-9a-fA-F:.]+\]$`)
}

// parseApp reads the route back from the file of an app.
func parseApp(app string, file []byte) (proxy.Route, error) {
	bad := func(why any) (proxy.Route, error) {
		return proxy.Route{}, fmt.Errorf("cannot read the route of %s from its nginx file: %v: run ps:restart %[1]s to write it anew", app, why)
	}
	var mark string
	found := 0
	for line := range strings.Lines(string(file)) {
		if m, ok := strings.CutPrefix(line, routeMark); ok && strings.HasSuffix(line, "\n") {
			mark, found = m, found+1
		}
	}
	if found != 1 {
		return bad(fmt.Sprintf("it has %d lines that begin with %q instead of one", found, routeMark))
	}
	var r proxy.Route
	if err := json.Unmarshal([]byte(mark), &r); err != nil {
		return bad(err)
	}
	if r.App != app {
		return bad(fmt.Sprintf("it is the file of %.80q", r.App))
	}
	r, err := r.Checked()
	if err != nil {
		return bad(err)
	}
	return r, nil
}

// upstream names an app's processes at one of their ports. No app's name has an
// underscore, so that no other app's upstream has this name.
func upstream(app string, port int) string {
	if port == 0 {
		return app + "-web"
	}
	return fmt.Sprintf("%s-web_%d", app, port)
}

// nginxTime writes whole seconds as such and the rest in milliseconds.
func nginxTime(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
