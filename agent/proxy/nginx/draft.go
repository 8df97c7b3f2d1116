package nginx

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"dokku/agent/proxy"
)

// A change is an app's route as it should be; nil: none. Without an app it is all files,
// written anew where that makes a difference.
type change struct {
	app   string
	route *proxy.Route
}

// failed says which change an error is about.
func (c change) failed(err error) error {
	switch {
	case c.app == "":
		return fmt.Errorf("cannot change nginx's settings: %w", err)
	case c.route == nil:
		return fmt.Errorf("cannot withdraw %s: %w", c.app, err)
	}
	return fmt.Errorf("cannot publish %s: %w", c.app, err)
}

// conflict looks for a domain of the change in nginx's warnings of a test.
func (c change) conflict(said string) error {
	if c.route == nil {
		return nil
	}
	for _, domain := range c.route.Domains {
		if strings.Contains(said, fmt.Sprintf("conflicting server name %q", domain)) {
			return fmt.Errorf("cannot route %s: another site of this nginx has the name %s already (nginx -T shows it): remove it from one of them", c.app, domain)
		}
	}
	return nil
}

// draft is a tree to be: another one with some apps' files put in or left out.
type draft struct {
	base    string
	changes []change
	files   map[string][]byte // written anew, by name
	others  []string          // names of the files taken over as they are
	known   map[string][]byte // of those, the content of the files that can be read, by app
	apps    []string          // all apps of the tree
	routes  []proxy.Route     // those of them that can be read
}

// replaced are the apps whose files the draft puts in or leaves out; see Route.Replaces.
func (d draft) replaced() map[string]bool {
	apps := map[string]bool{}
	for _, c := range d.changes {
		apps[c.app] = true
		if c.route != nil {
			apps[c.route.Replaces] = true
		}
	}
	delete(apps, "")
	return apps
}

// withdraws reports whether the draft makes no route live.
func (d draft) withdraws() bool {
	return !slices.ContainsFunc(d.changes, func(c change) bool { return c.route != nil })
}

// refreshes reports whether the draft only writes files anew.
func (d draft) refreshes() bool { return len(d.changes) == 1 && d.changes[0].app == "" }

// appOf returns the app whose file has a name. Other files are the shared ones, and
// marks.
func appOf(file string) (app string, ok bool) {
	app, ok = strings.CutSuffix(file, ".conf")
	return app, ok && file != serverFile && file != unknownFile
}

// draft plans a change of the tree base. A file of another app that cannot be
// read is taken over: nginx may well understand it, and one app's broken file
// must not keep all others from being deployed. One that would be written in
// another way today, after an update, is written anew, unless keep says that it stays:
// so an update costs one reload, and not one for each app.
func (n *Proxy) draft(base string, changes []change, keep bool) (draft, error) {
	d := draft{base: base, changes: changes, files: map[string][]byte{}, known: map[string][]byte{}}
	replaced := d.replaced()
	s := n.server()
	entries, err := os.ReadDir(n.tree(base))
	if err != nil {
		return d, fmt.Errorf("cannot read the live nginx files: %w", err)
	}
	for _, e := range entries {
		other, ok := appOf(e.Name())
		if !ok || replaced[other] {
			continue
		}
		d.apps = append(d.apps, other)
		file, err := os.ReadFile(n.tree(base, e.Name()))
		if err != nil {
			return d, fmt.Errorf("cannot read the live nginx files: %w", err)
		}
		route, err := parseApp(other, file)
		if err == nil {
			d.routes = append(d.routes, route)
			if now := renderApp(route, s); !keep && !bytes.Equal(now, file) {
				d.files[e.Name()] = now
				continue
			}
			d.known[other] = file
		}
		d.others = append(d.others, e.Name())
	}
	for _, c := range changes {
		if c.route == nil {
			continue
		}
		if err := n.add(&d, *c.route); err != nil {
			return d, err
		}
	}
	return d, nil
}

// add puts a route into a draft.
func (n *Proxy) add(d *draft, r proxy.Route) error {
	s := n.server()
	if err := proxy.Conflict(r, d.routes); err != nil {
		return err
	}
	d.apps, d.routes = append(d.apps, r.App), append(d.routes, r)
	if err := checkTLS(d.routes, r.App, s); err != nil {
		return err
	}
	d.files[r.App+".conf"] = renderApp(r, s)
	if err := n.copyCertificates(r); err != nil {
		return err
	}
	return n.copyFiles(r)
}

// renews reports whether the draft writes files of other apps anew.
func (d draft) renews() bool {
	replaced := d.replaced()
	for name := range d.files {
		if app, _ := appOf(name); !replaced[app] {
			return true
		}
	}
	return false
}

// all returns the files of the draft that are not taken over, by name.
func (n *Proxy) all(d draft, generation string) map[string][]byte {
	files := maps.Clone(d.files)
	if files == nil {
		files = map[string][]byte{}
	}
	files[serverFile], files[unknownFile] = shared(generation, d.apps, d.routes, n.server())
	return files
}

// is reports whether a tree has exactly the files of the draft.
func (n *Proxy) is(d draft, generation string) bool {
	if generation == "" {
		return false
	}
	if generation != d.base {
		if base, err := os.ReadFile(n.tree(generation, baseFile)); err != nil || string(base) != d.base {
			return false
		}
	}
	entries, err := os.ReadDir(n.tree(generation))
	if err != nil {
		return false
	}
	wanted := map[string]bool{}
	for _, app := range d.apps {
		wanted[app] = true
	}
	for _, e := range entries {
		if app, ok := appOf(e.Name()); ok && !wanted[app] {
			return false
		}
	}
	// A loss of power may have kept half of the removal of a tree.
	for _, other := range d.others {
		if !n.has(generation, other) {
			return false
		}
	}
	for name, want := range n.all(d, generation) {
		if file, err := os.ReadFile(n.tree(generation, name)); err != nil || !bytes.Equal(file, want) {
			return false
		}
	}
	return true
}

// elsewhere returns the draft with the addresses of processes that a tree has, as far as the tree
// has as many: it says nothing about whether nginx accepts a file at which addresses they are.
// Those on a swarm are known only once they run, so a route is staged with others.
func (n *Proxy) elsewhere(d draft, generation string) draft {
	d.files = maps.Clone(d.files)
	for _, c := range d.changes {
		if c.route == nil {
			continue
		}
		name := c.app + ".conf"
		file, err := os.ReadFile(n.tree(generation, name))
		if err != nil {
			continue
		}
		r, err := parseApp(c.app, file)
		if err != nil || len(r.Upstreams) != len(c.route.Upstreams) {
			continue
		}
		r.Upstreams = c.route.Upstreams
		if bytes.Equal(renderApp(r, n.server()), d.files[name]) {
			d.files[name] = file
		}
	}
	return d
}
