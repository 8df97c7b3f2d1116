package nginx

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dokku/agent/proxy"
)

// resendTimeout is how old a request may be and still go to another process.
const resendTimeout = 10 * time.Second

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

// server is what all files have in common: the part of Config that is rendered.
type server struct {
	listener
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

// at is the server for another port.
func (s server) at(port int) server {
	s.port = port
	return s
}

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

// renderApp returns the file of an app. The route must come from Route.Checked.
func renderApp(r proxy.Route, s server) []byte {
	w := &strings.Builder{}
	fmt.Fprintf(w, "# %s, release %d. dokku writes this file anew at each deploy; settings of your own\n", r.App, r.Release)
	fmt.Fprintf(w, "# belong into %s.\n", orElse(r.Settings.IncludeDir, "the app's nginx.conf.d")+"/*.conf")
	renderMark(w, r)
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
		for _, p := range portsOf(r, s) {
			renderSites(w, r, s, p)
		}
		renderChallenged(w, r, s)
	}
	return []byte(w.String())
}

// site is one server block of an app.
type site struct {
	names       []string // in nginx's form
	port        proxy.Port
	certificate proxy.Certificate // on a port for TLS
	redirects   bool              // plain requests are sent on to TLS
}

// renderSites writes the servers of an app for a port of the host.
func renderSites(w io.Writer, r proxy.Route, s server, p proxy.Port) {
	if p.TLS {
		for _, c := range r.Certificates {
			renderServer(w, r, s, site{names: serverNames(c.Domains), port: p, certificate: c})
		}
		return
	}
	plain, redirected := r.Domains, secured(r)
	if status, _ := redirect(r, s); status != "" && p.Host == s.port && len(redirected) > 0 {
		plain = slices.DeleteFunc(slices.Clone(plain), func(d string) bool { return slices.Contains(redirected, d) })
		renderServer(w, r, s, site{names: serverNames(redirected), port: p, redirects: true})
	}
	if len(plain) > 0 {
		renderServer(w, r, s, site{names: serverNames(plain), port: p})
	}
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
		io.WriteString(w, "    server 127.0.0.1:9 down; # no process; an included file may name this upstream\n")
	}
	if n := r.Settings.Properties["proxy-keepalive"]; n != "" {
		fmt.Fprintf(w, "    keepalive %s;\n", n)
	}
	io.WriteString(w, "}\n")
}

// renderServer writes a server block that passes all requests for names on to
// a port of the processes of an app.
func renderServer(w io.Writer, r proxy.Route, s server, b site) {
	fmt.Fprintf(w, "\nserver {\n")
	s.renderListen(w, b.port)
	fmt.Fprintf(w, "    server_name %s;\n", strings.Join(b.names, "\n        "))
	if b.port.TLS {
		s.renderCertificate(w, b.certificate.ID)
		s.renderStapling(w, b.certificate)
	}
	fmt.Fprintf(w, "    client_max_body_size %s;\n", r.Settings.ClientMaxBodySize)
	renderLogs(w, r.Settings)
	renderClient(w, r.Settings)
	renderTrust(w, s.trusted)
	// Sets a variable that all answers need, and answers nothing.
	renderHSTS(w, r.Settings)
	renderChallenge(w, r)
	renderAddresses(w, r.Settings)
	if b.redirects {
		status, port := redirect(r, s)
		renderRedirect(w, status, port)
	}
	if len(r.Upstreams) == 0 {
		io.WriteString(w, "\n    location / {\n        return 503;\n    }\n")
	} else {
		fmt.Fprintf(w, "\n    location / {\n        proxy_pass http://%s;\n", upstream(r.App, b.port.Container))
		renderHeaders(w, r.Settings)
		renderProxy(w, r.Settings)
		io.WriteString(w, compression+"    }\n")
	}
	if r.Settings.IncludeDir != "" {
		fmt.Fprintf(w, "\n    include %s/*.conf;\n", r.Settings.IncludeDir)
	}
	// After the included files, whose own pages win.
	renderPages(w, r)
	fmt.Fprintf(w, "}\n")
}

// compression is Dokku's, for clients behind another proxy too. It stands in the
// location: an included file may set other values for its own locations.
const compression = `        gzip on;
        gzip_proxied any;
        gzip_vary on;
        gzip_min_length 1100;
        gzip_comp_level 6;
        gzip_types text/css text/javascript text/xml text/plain text/x-component
            application/javascript application/x-javascript application/json application/graphql-response+json
            application/manifest+json application/xml application/rss+xml application/wasm
            font/truetype font/opentype application/x-font-ttf application/vnd.ms-fontobject image/svg+xml;
`

// renderHeaders writes the headers of a request to a process. What a client says about
// how it reached nginx counts only if it is a trusted proxy, or by a property.
func renderHeaders(w io.Writer, s proxy.Settings) {
	connection := "$dokku_connection"
	if s.Properties["proxy-keepalive"] != "" {
		connection = "$dokku_keepalive"
	}
	for _, h := range [][2]string{
		{"Host", "$dokku_host"},
		{"Upgrade", "$http_upgrade"},
		{"Connection", connection},
		{"X-Forwarded-For", orElse(s.Properties["x-forwarded-for-value"], "$remote_addr")},
		{"X-Forwarded-Port", orElse(s.Properties["x-forwarded-port-value"], "$dokku_port")},
		{"X-Forwarded-Proto", orElse(s.Properties["x-forwarded-proto-value"], "$dokku_proto")},
		{"X-Forwarded-Ssl", orElse(s.Properties["x-forwarded-ssl"], "$dokku_ssl")},
		{"X-Request-Start", "$msec"},
	} {
		fmt.Fprintf(w, "        proxy_set_header %s %s;\n", h[0], h[1])
	}
}

// renderProxy writes how a request is passed on.
func renderProxy(w io.Writer, s proxy.Settings) {
	b, err := s.Buffers()
	if err != nil {
		panic(fmt.Sprintf("internal error: a route that was not checked: %v", err))
	}
	io.WriteString(w, "        proxy_http_version 1.1;\n")
	fmt.Fprintf(w, "        proxy_connect_timeout %s;\n", propertyTime(s, "proxy-connect-timeout"))
	fmt.Fprintf(w, "        proxy_read_timeout %s;\n", nginxTime(s.ReadTimeout))
	fmt.Fprintf(w, "        proxy_send_timeout %s;\n", nginxTime(s.SendTimeout))
	if s.Properties["proxy-buffering"] == "off" {
		io.WriteString(w, "        proxy_buffering off;\n")
	}
	fmt.Fprintf(w, "        proxy_buffer_size %s;\n", nginxSize(b.First))
	fmt.Fprintf(w, "        proxy_buffers %d %s;\n", b.Count, nginxSize(b.Size))
	fmt.Fprintf(w, "        proxy_busy_buffers_size %s;\n", nginxSize(b.Busy))
	io.WriteString(w, "        proxy_next_upstream error timeout;\n        proxy_next_upstream_tries 2;\n")
	fmt.Fprintf(w, "        proxy_next_upstream_timeout %s;\n", nginxTime(min(resendTimeout, s.ReadTimeout)))
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

// nginxSize writes whole kilobytes as such and the rest in bytes.
func nginxSize(n int64) string {
	if n%1024 == 0 {
		return fmt.Sprintf("%dk", n/1024)
	}
	return fmt.Sprint(n)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
