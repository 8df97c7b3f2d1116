package nginx

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dokku/agent/certs"
	"dokku/agent/proxy"
)

// version is nginx's version: 1, 22, 1. Zero: unknown.
type version [3]int

func (v version) before(o version) bool { return slices.Compare(v[:], o[:]) < 0 }

var (
	// http2Directive is the first version in which HTTP/2 is a directive of its own;
	// before, it is a word of listen (nginx's CHANGES).
	http2Directive = version{1, 25, 1}
	// rejects is the first version that can refuse a handshake without a certificate.
	rejects = version{1, 19, 4}

	versionForm = regexp.MustCompile(`nginx/([0-9]+)\.([0-9]+)\.([0-9]+)`)
)

// askVersion asks the nginx in the path. One that does not answer counts as the
// oldest, whose words all versions understand.
func (n *Proxy) askVersion() version {
	said, err := n.run(context.Background(), []string{"nginx", "-v"})
	m := versionForm.FindStringSubmatch(said)
	if err != nil || m == nil {
		return version{}
	}
	var v version
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1])
	}
	return v
}

// ciphers and protocols are Mozilla's intermediate configuration, version 5.7
// (https://wiki.mozilla.org/Security/Server_Side_TLS). Its ciphers with finite-field
// Diffie-Hellman are left out: they need parameters, and no client that knows TLS 1.2
// needs them.
const (
	protocols = "TLSv1.2 TLSv1.3"
	ciphers   = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" +
		"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)

// renderTLS writes what all servers with TLS have in common. They must agree: nginx takes
// the protocols of the first server of a port before it knows the name.
func renderTLS(w io.Writer) {
	fmt.Fprintf(w, `    ssl_protocols %s;
    ssl_ciphers %s;
    ssl_prefer_server_ciphers off;
    ssl_session_timeout 1d;
    ssl_session_cache shared:dokku:10m;
    ssl_session_tickets off;
`, protocols, ciphers)
}

// renderListen writes where a server listens; TLS says for what.
func (s server) renderListen(w io.Writer, p proxy.Port) {
	if !p.TLS {
		s.at(p.Host).render(w)
		return
	}
	words := " ssl"
	if s.version().before(http2Directive) {
		words += " http2"
	}
	fmt.Fprintf(w, "    listen %d%s;\n", p.Host, words)
	if s.ipv6 {
		fmt.Fprintf(w, "    listen [::]:%d%s;\n", p.Host, words)
	}
	if !s.version().before(http2Directive) {
		io.WriteString(w, "    http2 on;\n")
	}
}

// renderCertificate writes a server's certificate.
func (s server) renderCertificate(w io.Writer, id string) {
	io.WriteString(w, s.certificateLines(id))
	renderTLS(w)
}

func (s server) certificateLines(id string) string {
	dir := filepath.Join(s.certificates, id)
	return fmt.Sprintf("    ssl_certificate %s;\n    ssl_certificate_key %s;\n",
		filepath.Join(dir, proxy.CertificateFile), filepath.Join(dir, proxy.KeyFile))
}

// renderRejecting writes the servers that are read first of all on the ports for TLS: they
// refuse a name without a certificate, instead of showing it another app's. Clients that
// connect to an address name none. Where an app has an address, they get its certificate.
func renderRejecting(w io.Writer, routes []proxy.Route, s server) {
	for _, port := range tlsPorts(routes, s) {
		if id := addressCertificate(routes, port, s); id != "" {
			renderMisdirected(w, s, port, "_", func() { s.renderCertificate(w, id) })
			continue
		}
		fmt.Fprintf(w, "\nserver {\n")
		s.renderListen(w, proxy.Port{Host: port, TLS: true})
		io.WriteString(w, "    server_name _;\n")
		s.renderNoCertificate(w)
		io.WriteString(w, "    return 444;\n}\n")
	}
}

// renderUnknownTLS writes the servers that refuse names without a certificate where the
// default server has one, that of an address.
func renderUnknownTLS(w io.Writer, routes []proxy.Route, s server) {
	for _, port := range tlsPorts(routes, s) {
		if addressCertificate(routes, port, s) != "" {
			renderMisdirected(w, s, port, "~^", func() { s.renderNoCertificate(w) })
		}
	}
}

// renderMisdirected writes a server for TLS whose names lead to no app. The status (RFC
// 9110, 15.5.20) has a browser that came by another name's connection open one of its own.
func renderMisdirected(w io.Writer, s server, port int, name string, certificate func()) {
	fmt.Fprintf(w, "\nserver {\n")
	s.renderListen(w, proxy.Port{Host: port, TLS: true})
	fmt.Fprintf(w, "    server_name %s;\n", name)
	certificate()
	io.WriteString(w, "    return 421;\n}\n")
}

// renderNoCertificate makes a server refuse handshakes.
func (s server) renderNoCertificate(w io.Writer) {
	if s.version().before(rejects) {
		s.renderCertificate(w, placeholder)
		return
	}
	io.WriteString(w, "    ssl_reject_handshake on;\n")
	renderTLS(w)
}

// addressCertificate is the certificate for the lowest IPv4 address that an app has as a
// domain on a port; "" for none.
func addressCertificate(routes []proxy.Route, port int, s server) string {
	var lowest netip.Addr
	id := ""
	for _, r := range routes {
		if !slices.ContainsFunc(portsOf(r, s), func(p proxy.Port) bool { return p.TLS && p.Host == port }) {
			continue
		}
		for _, c := range r.Certificates {
			for _, d := range c.Domains {
				if a, err := netip.ParseAddr(d); err == nil && (id == "" || a.Less(lowest)) {
					lowest, id = a, c.ID
				}
			}
		}
	}
	return id
}

// renderRedirect sends plain requests to a port for TLS. One that a trusted proxy got over
// TLS is not plain.
func renderRedirect(w io.Writer, status string, port int) {
	to := "https://$host"
	if port != 443 {
		to += ":" + strconv.Itoa(port)
	}
	fmt.Fprintf(w, "\n    if ($dokku_insecure) {\n        return %s %s$request_uri;\n    }\n", status, to)
}

// tlsPorts are the ports of the host, ascending, on which apps are served over TLS.
func tlsPorts(routes []proxy.Route, s server) []int {
	var ports []int
	for _, r := range routes {
		for _, p := range portsOf(r, s) {
			if p.TLS && len(r.Certificates) > 0 && !slices.Contains(ports, p.Host) {
				ports = append(ports, p.Host)
			}
		}
	}
	slices.Sort(ports)
	return ports
}

// redirect returns the status and the port for TLS of the redirects of plain requests on
// the main port; "" for none.
func redirect(r proxy.Route, s server) (status string, port int) {
	status = orElse(r.Settings.Properties["https-redirect"], "301")
	if status == proxy.Off {
		return "", 0
	}
	for _, p := range portsOf(r, s) {
		if p.TLS {
			return status, p.Host
		}
	}
	return "", 0
}

// secured are the names of a route that have a certificate.
func secured(r proxy.Route) []string {
	var names []string
	for _, c := range r.Certificates {
		names = append(names, c.Domains...)
	}
	return names
}

// checkTLS refuses a port that one route wants with TLS and another one without: nginx
// would speak both on it in the way of the first.
func checkTLS(routes []proxy.Route, app string, s server) error {
	plain, owner := map[int]bool{}, map[int]string{}
	for _, r := range routes {
		for _, p := range portsOf(r, s) {
			if p.TLS && len(r.Certificates) == 0 {
				continue
			}
			if first, known := owner[p.Host]; known && plain[p.Host] == p.TLS {
				other := first
				if first == app {
					other = r.App
				}
				return fmt.Errorf("cannot route %s: port %d speaks TLS for one app and plain HTTP for another (%s): choose another port", app, p.Host, other)
			}
			plain[p.Host], owner[p.Host] = !p.TLS, r.App
		}
	}
	return nil
}

// placeholder is the name of a certificate for no name, for an nginx that cannot refuse a
// handshake without one.
const placeholder = "none"

func (n *Proxy) certificateDir() string { return filepath.Join(n.config.Dir, "certificates") }

// copyCertificates copies the certificates of a route to where nginx reads them: an app's
// folder may get another name, and go, while nginx still has the route. Keys are for the
// owner and root alone; nginx's master reads them as root.
func (n *Proxy) copyCertificates(r proxy.Route) error {
	if len(r.Certificates) > 0 && n.version().before(rejects) {
		if err := n.writePlaceholder(); err != nil {
			return fmt.Errorf("cannot route %s: cannot make the certificate for unknown names: %w", r.App, err)
		}
	}
	for _, c := range r.Certificates {
		if err := n.copyCertificate(c); err != nil {
			return fmt.Errorf("cannot route %s: cannot copy its certificate: %w", r.App, err)
		}
	}
	return nil
}

// writePlaceholder makes the certificate for no name. It is never made anew: no client
// accepts it anyway.
func (n *Proxy) writePlaceholder() error {
	to := filepath.Join(n.certificateDir(), placeholder)
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	p, err := certs.SelfSigned([]string{"unknown.invalid"}, time.Now())
	if err != nil {
		return err
	}
	return n.writeCertificate(to, map[string][]byte{proxy.CertificateFile: p.Chain, proxy.KeyFile: p.Key})
}

func (n *Proxy) copyCertificate(c proxy.Certificate) error {
	to := filepath.Join(n.certificateDir(), c.ID)
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	if c.Dir == "" {
		return fmt.Errorf("%s is gone: run dokku certs:add again", to)
	}
	files := map[string][]byte{}
	for _, name := range []string{proxy.CertificateFile, proxy.KeyFile} {
		data, err := os.ReadFile(filepath.Join(c.Dir, name))
		if err != nil {
			return err
		}
		files[name] = data
	}
	return n.writeCertificate(to, files)
}

func (n *Proxy) writeCertificate(to string, files map[string][]byte) error {
	if err := n.disk.MkdirAll(filepath.Dir(to), 0o711); err != nil {
		return err
	}
	return n.disk.Folder(to, files)
}

// collectCertificates removes the copies that no tree names. It runs after collect.
func (n *Proxy) collectCertificates() {
	entries, err := os.ReadDir(n.certificateDir())
	if err != nil || len(entries) == 0 {
		return
	}
	used, err := n.namedCertificates()
	if err != nil {
		return // the next change collects
	}
	for _, e := range entries {
		if !used[e.Name()] {
			n.disk.RemoveAll(filepath.Join(n.certificateDir(), e.Name()))
		}
	}
}

// namedCertificates are the certificates in the files of all trees.
func (n *Proxy) namedCertificates() (map[string]bool, error) {
	files, err := filepath.Glob(n.tree("*", "*.conf"))
	if err != nil {
		return nil, err
	}
	used, read := map[string]bool{}, map[uint64]bool{}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		// Most files of a tree are those of another one.
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			if read[stat.Ino] {
				continue
			}
			read[stat.Ino] = true
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, part := range strings.Split(string(text), "\n    ssl_certificate_key "+n.certificateDir()+"/")[1:] {
			id, _, _ := strings.Cut(part, "/")
			used[id] = true
		}
	}
	return used, nil
}
