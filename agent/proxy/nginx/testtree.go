package nginx

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"dokku/agent/proxy"
)

// testTree returns a tree for nginx to test in the place of a draft's: the same without the
// certificates that nginx has read before. Reading them is most of the work of a test. The
// tree lacks marks, and is never live.
func (n *Proxy) testTree(d draft, generation string) (string, error) {
	known := n.knownCertificates(d)
	if len(known) == 0 {
		return generation, nil
	}
	entries, err := os.ReadDir(n.tree(generation))
	if err != nil {
		return "", err
	}
	short := strings.ToLower(rand.Text())
	if err := n.disk.Mkdir(n.tree(short), 0o755); err != nil {
		return "", err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".conf" {
			continue
		}
		from, to := n.tree(generation, e.Name()), n.tree(short, e.Name())
		app, _ := appOf(e.Name())
		if len(known[app]) == 0 {
			err = n.share(from, to)
		} else {
			err = n.writeShort(from, to, known[app])
		}
		if err != nil {
			return "", err
		}
	}
	return short, nil
}

// knownCertificates are the certificates by app that are in the draft's base too, where
// nginx has served that. Their files never change.
func (n *Proxy) knownCertificates(d draft) map[string][]proxy.Certificate {
	if n.version().before(rejects) || !n.has(d.base, provenMark) {
		return nil
	}
	known, changed := map[string][]proxy.Certificate{}, d.replaced()
	for _, r := range d.routes {
		if !changed[r.App] && len(r.Certificates) > 0 {
			known[r.App] = r.Certificates
		}
	}
	return known
}

// writeShort copies an app's file without some certificates. Each line keeps its number,
// since nginx names it where it refuses one.
func (n *Proxy) writeShort(from, to string, without []proxy.Certificate) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	short, s := string(text), n.server()
	for _, c := range without {
		short = strings.ReplaceAll(short, s.certificateLines(c.ID), "    ssl_reject_handshake on;\n\n")
	}
	return n.disk.Write(to, []byte(short), 0o644)
}

// certificateLines are the lines of a server's certificate, as the template has them.
func (s server) certificateLines(id string) string {
	dir := s.certificate(id)
	return fmt.Sprintf("    ssl_certificate %s;\n    ssl_certificate_key %s;\n",
		filepath.Join(dir, proxy.CertificateFile), filepath.Join(dir, proxy.KeyFile))
}
