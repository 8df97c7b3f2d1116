package nginx

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

// listenOn is how a server listens on a port.
func (s server) listenOn(p proxy.Port) listen {
	l := s.on(p.Host)
	if !p.TLS {
		return l
	}
	l.Words = " ssl"
	if l.HTTP2 = !s.version().before(http2Directive); !l.HTTP2 {
		l.Words += " http2"
	}
	return l
}

// certificate returns the folder of a certificate.
func (s server) certificate(id string) string { return filepath.Join(s.certificates, id) }

// noCertificate is the certificate of a server that refuses handshakes: none, or for an
// nginx that needs one, that for no name.
func (s server) noCertificate() string {
	if s.version().before(rejects) {
		return s.certificate(placeholder)
	}
	return ""
}

// Certificate returns the folder of the server's certificate; "" without TLS.
func (b block) Certificate() string {
	if b.certificate.ID == "" {
		return ""
	}
	return b.server.certificate(b.certificate.ID)
}

// noAppOverTLS is a server for TLS whose names lead to no app.
type noAppOverTLS struct {
	Listen      listen
	Names       syntax
	Certificate string // its folder; "": handshakes are refused
	Status      int
}

const (
	// misdirected (RFC 9110, 15.5.20) has a browser that came by another name's connection
	// open one of its own.
	misdirected = 421
	// closed is nginx's own: it closes the connection without an answer.
	closed = 444
)

// defaultsOverTLS returns the servers that are read first of all on the ports for TLS: they
// refuse a name without a certificate, instead of showing it another app's. Clients that
// connect to an address name none. Where an app has an address, they get its certificate.
func defaultsOverTLS(routes []proxy.Route, s server) (list []noAppOverTLS) {
	for _, port := range tlsPorts(routes, s) {
		d := noAppOverTLS{s.listenOn(proxy.Port{Host: port, TLS: true}), "_", s.noCertificate(), closed}
		if id := addressCertificate(routes, port, s); id != "" {
			d.Certificate, d.Status = s.certificate(id), misdirected
		}
		list = append(list, d)
	}
	return list
}

// unknownOverTLS returns the servers that refuse names without a certificate where the
// default server has one, that of an address.
func unknownOverTLS(routes []proxy.Route, s server) (list []noAppOverTLS) {
	for _, port := range tlsPorts(routes, s) {
		if addressCertificate(routes, port, s) != "" {
			list = append(list, noAppOverTLS{s.listenOn(proxy.Port{Host: port, TLS: true}), "~^", s.noCertificate(), misdirected})
		}
	}
	return list
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

// Redirect returns the status and the site to which plain requests are sent on; "" for
// none. One that a trusted proxy got over TLS is not plain.
func (b block) Redirect() syntax {
	if !b.redirects {
		return ""
	}
	status, port := redirect(b.Route, b.server)
	to := sound(status) + " https://$host"
	if port != 443 {
		to += syntax(":" + strconv.Itoa(port))
	}
	return to
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
	for _, c := range r.Pairs() {
		if err := n.copyCertificate(*c); err != nil {
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
