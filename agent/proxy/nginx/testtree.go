package nginx

import (
	"bytes"
	"crypto/rand"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"dokku/agent/proxy"
)

// knownFile has the apps of a tree for a test that nginx knows. It sorts behind serverFile
// and before all apps, and cannot be the file of any.
const knownFile = "+unchanged.conf"

// testTree returns a tree for nginx to test in the place of a draft's, which is quicker
// read: of the apps whose files nginx serves already, one file has what the others could
// contradict, and what may have changed. The tree lacks marks, and is never live.
func (n *Proxy) testTree(d draft, generation string) (string, error) {
	known := n.knownApps(d)
	if len(known) == 0 {
		return generation, nil
	}
	short := strings.ToLower(rand.Text())
	if err := n.disk.Mkdir(n.tree(short), 0o755); err != nil {
		return "", err
	}
	own := []string{serverFile, unknownFile}
	for _, app := range d.apps {
		if known[app] == nil {
			own = append(own, app+".conf")
		}
	}
	for _, name := range own {
		if err := n.share(n.tree(generation, name), n.tree(short, name)); err != nil {
			return "", err
		}
	}
	return short, n.disk.Write(n.tree(short, knownFile), n.known(d, known), 0o644)
}

// knownApps are the files of a draft's apps, by app, that are in its base too, where nginx
// has served that. Neither they nor their certificates ever change.
func (n *Proxy) knownApps(d draft) map[string][]byte {
	if n.version().before(rejects) || !n.has(d.base, provenMark) {
		return nil
	}
	return d.known
}

// known returns what a test needs of some apps: their names and upstreams, and all but TLS
// of those with files of an admin's, which may have changed.
func (n *Proxy) known(d draft, files map[string][]byte) []byte {
	routes := map[string]proxy.Route{}
	for _, r := range d.routes {
		routes[r.App] = r
	}
	w, s := &bytes.Buffer{}, n.server()
	for _, app := range slices.Sorted(maps.Keys(files)) {
		r := routes[app]
		if included(r) {
			w.WriteString(withoutTLS(string(files[app]), r, s))
			continue
		}
		f := appOfRoute(r, s)
		for i, b := range f.Servers {
			f.Servers[i] = b.withoutTLS()
		}
		w.Write(write("known.conf", f))
	}
	return w.Bytes()
}

// included reports whether the route's servers have files of an admin's.
func included(r proxy.Route) bool {
	if r.Settings.IncludeDir == "" {
		return false
	}
	files, err := filepath.Glob(filepath.Join(r.Settings.IncludeDir, "*.conf"))
	return err != nil || len(files) > 0
}

// withoutTLS returns the file of an app without TLS, as far as it has a port without. The
// other servers refuse handshakes.
func withoutTLS(file string, r proxy.Route, s server) string {
	for _, b := range blocksOf(r, s) {
		file = strings.Replace(file, string(write("head", b)), string(write("head", b.withoutTLS())), 1)
	}
	return file
}

// withoutTLS is the server without its port for TLS. One that has no other refuses
// handshakes.
func (b block) withoutTLS() block {
	if b.certificate.ID == "" {
		return b
	}
	if b.certificate = (proxy.Certificate{}); len(b.ports) == 1 {
		b.Refuses = true
	} else {
		b.ports = b.ports[:1]
	}
	return b
}
