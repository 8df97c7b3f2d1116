package nginx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"dokku/agent/disk"
	"dokku/agent/proxy"
)

// Config describes the host's nginx. Dir, Check and Reload are required.
type Config struct {
	// Dir holds the links live and staged, the trees they name, and the lock.
	// It belongs to the agent's user. ConfD makes nginx include live.
	Dir string

	// Files is a folder for what nginx's workers read for a request: pages and lists of
	// users. They run as another user, which cannot enter the agent's home; the folder is
	// made if its parent is there.
	Files string

	// Disk changes the files; tests watch it.
	Disk disk.Disk

	// Check is the command that tests, as root, the whole configuration of nginx
	// with staged in the place of live: CheckScript. It exits other than 0, with
	// nginx's message on stderr, when nginx would refuse it.
	Check []string

	// Reload is the command that makes nginx read its configuration again:
	// ReloadScript. It fails unless nginx was told to.
	Reload []string

	// Port is where all servers listen; 80 unless set. IPv6 adds [::].
	Port int
	IPv6 bool

	// TLSPort is where names with a certificate are served over TLS; 443 unless set.
	TLSPort int

	// Trusted are the proxies in front of nginx whose word counts about the address,
	// the protocol and the port of a request.
	Trusted []netip.Prefix

	// ErrorPages is a folder with an admin's own page for names that no app has,
	// 404.html, readable for nginx's workers. "" or no such file: ours.
	ErrorPages string

	// DefaultSite leaves names that no app has to nginx's default server.
	DefaultSite bool

	// Main is nginx's main file, which Examine reads; "": it is not known.
	Main string

	// Hostnames are the names of the host itself, beside its addresses and
	// localhost. An app that is alone answers them. Default: os.Hostname().
	Hostnames []string

	// Resolvers is the file with the host's name servers (resolv.conf(5)), for OCSP;
	// /etc/resolv.conf unless set. Without any, no answers are stapled.
	Resolvers string

	// Timeout bounds each command, and the wait for nginx to serve what it was
	// told to; 30 s unless set: a busy machine needs its time.
	Timeout time.Duration
}

// Proxy publishes routes through the nginx of the host. All processes that use one
// Dir take turns under its lock.
type Proxy struct {
	store
	config  Config
	version func() version
}

var (
	_ proxy.Proxy     = (*Proxy)(nil)
	_ proxy.Examiner  = (*Proxy)(nil)
	_ proxy.Inspector = (*Proxy)(nil)
	_ proxy.Lister    = (*Proxy)(nil)
)

// New changes nothing on the host: the first call that writes makes the folders.
func New(c Config) *Proxy {
	if c.Port == 0 {
		c.Port = 80
	}
	if c.TLSPort == 0 {
		c.TLSPort = 443
	}
	if c.Resolvers == "" {
		c.Resolvers = "/etc/resolv.conf"
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Hostnames == nil {
		if name, err := os.Hostname(); err == nil {
			c.Hostnames = []string{name}
		}
	}
	n := &Proxy{store: store{dir: c.Dir, disk: c.Disk}, config: c}
	n.version = sync.OnceValue(n.askVersion)
	return n
}

func (n *Proxy) server() server {
	return server{port: n.config.Port, ipv6: n.config.IPv6, tls: n.config.TLSPort, certificates: n.certificateDir(), files: n.config.Files,
		version: n.version, trusted: n.config.Trusted,
		errorPages: n.config.ErrorPages, unknown: !n.config.DefaultSite, hostnames: n.config.Hostnames, resolvers: resolversIn(n.config.Resolvers)}
}

// Stage tests, with nginx itself, the configuration that Publish would make
// live. nginx need not run.
func (n *Proxy) Stage(ctx context.Context, r proxy.Route) error {
	r, err := r.Checked()
	if err != nil {
		return err
	}
	return n.together(ctx, "stage", change{r.App, &r}, n.stage)
}

// stage carries out Stage for some changes in one test.
func (n *Proxy) stage(ctx context.Context, changes []change, _ func() error) error {
	now, err := n.observe(ctx)
	if err != nil {
		return err
	}
	d, err := n.draft(now.base, changes, false)
	if err != nil {
		return err
	}
	_, err = n.testChange(ctx, d, n.test)
	n.collect(now.served)
	return err
}

// testChange tests a draft, and returns the tested tree. Where nginx refuses it, the
// reason may be another app's file that was written anew on the occasion: then it is
// tested with those as they are.
func (n *Proxy) testChange(ctx context.Context, d draft, test func(context.Context, draft) (string, error)) (string, error) {
	generation, err := test(ctx, d)
	if err == nil || ctx.Err() != nil || d.refreshes() || !d.renews() {
		return generation, err
	}
	if d, err = n.draft(d.base, d.changes, true); err != nil {
		return "", err
	}
	return test(ctx, d)
}

// Publish makes the route live. It returns nil once every worker of nginx that
// still accepts connections serves it. It reloads nginx only when something
// changed, or when an earlier call was cut short. Once nginx has been told, a
// context that ends no longer stops it.
func (n *Proxy) Publish(ctx context.Context, r proxy.Route) error {
	r, err := r.Checked()
	if err != nil {
		return err
	}
	return n.together(ctx, "publish", change{r.App, &r}, n.publish)
}

// Withdraw removes the app's route, with or without nginx running.
func (n *Proxy) Withdraw(ctx context.Context, app string) error {
	if err := proxy.CheckApp(app); err != nil {
		return err
	}
	return n.together(ctx, "publish", change{app: app}, n.publish)
}

// Refresh writes everything anew that would be written in another way today. Unlike a
// change of one app's route, it is refused as a whole.
func (n *Proxy) Refresh(ctx context.Context) error {
	return n.together(ctx, "publish", change{}, n.publish)
}

// publish makes some changes live in one step. It compares what nginx serves with what
// it should, so that it does not matter where an earlier call ended. A crash leaves
// behind:
//   - before point: a tree that nothing names, or that is only staged. The next
//     call removes or uses it.
//   - after point, before the reload: live names a tree that nginx does not
//     serve. nginx would serve it after a restart, and accepted it in a test.
//     The next call sees that the generation is another one, starts from what
//     serves, and reloads.
//   - after the reload, before the proof: nginx serves the new tree, or is about
//     to, and the tree lacks the mark of a proof. The next call proves it again.
//   - after the proof: trees that are not needed. The next call removes them.
func (n *Proxy) publish(ctx context.Context, changes []change, claim func() error) error {
	now, err := n.observe(ctx)
	if err != nil {
		return err
	}
	d, err := n.draft(now.base, changes, false)
	if err != nil {
		return err
	}
	if n.is(d, now.linked) {
		if now.served == now.linked && n.has(now.linked, provenMark) {
			return nil
		}
		// Nothing of ours serves, so the route that must go does not either.
		if d.withdraws() && now.served == "" {
			return nil
		}
	}
	if !d.withdraws() && now.down {
		// An nginx that runs may not listen on this port before it is told of the first files.
		if _, err := n.run(ctx, n.config.Reload); err != nil {
			return changes[0].failed(n.errDown())
		}
	}
	generation, err := n.testChange(ctx, d, n.tested)
	if err == nil && claim != nil {
		err = claim()
	}
	if err != nil {
		return err
	}
	err = n.switchTo(context.WithoutCancel(ctx), generation, now, d.withdraws())
	n.collect(now.served)
	n.collectCopies()
	if err != nil {
		return changes[0].failed(err)
	}
	return nil
}

// tested returns a tree of the draft that nginx has accepted: the staged one
// where it is the same change of the same tree. (An admin's file that was
// included may have changed since; see prove.)
func (n *Proxy) tested(ctx context.Context, d draft) (string, error) {
	staged, err := n.linked(stagedLink)
	if err != nil {
		return "", err
	}
	switch {
	case !n.has(staged, testedMark):
	case n.is(d, staged):
		return staged, nil
	case n.is(n.elsewhere(d, staged), staged):
		generation, err := n.build(d)
		if err == nil {
			err = n.point(stagedLink, generation)
		}
		if err != nil {
			return "", fmt.Errorf("cannot stage nginx files: %w", err)
		}
		return generation, n.mark(generation, testedMark)
	}
	return n.test(ctx, d)
}

// test builds a tree of the draft, stages it, and has nginx test it.
func (n *Proxy) test(ctx context.Context, d draft) (string, error) {
	generation, err := n.build(d)
	if err != nil {
		return "", err
	}
	short, err := n.testTree(d, generation)
	if err == nil {
		err = n.point(stagedLink, short)
	}
	if err != nil {
		return "", fmt.Errorf("cannot stage nginx files: %w", err)
	}
	said, err := n.run(ctx, n.config.Check)
	if short != generation {
		if err := n.point(stagedLink, generation); err != nil {
			return "", fmt.Errorf("cannot stage nginx files: %w", err)
		}
		if err != nil { // an included file may need what was left out
			said, err = n.run(ctx, n.config.Check)
		}
	}
	if err != nil && d.refreshes() {
		return "", fmt.Errorf("nginx refuses the configuration: %w", err)
	}
	if err != nil {
		return "", fmt.Errorf("cannot route %s: nginx refuses the configuration: %w", d.changes[0].app, err)
	}
	for _, c := range d.changes {
		if err := c.conflict(said); err != nil {
			return "", err
		}
	}
	return generation, n.mark(generation, testedMark)
}

// Live returns the route by which nginx answers now, whatever the files say.
// While nginx is down it is the one that nginx will start with.
func (n *Proxy) Live(ctx context.Context, app string) (proxy.Route, bool, error) {
	if err := proxy.CheckApp(app); err != nil {
		return proxy.Route{}, false, err
	}
	seen := ""
	for range 5 {
		generation, err := n.liveGeneration(ctx)
		if err != nil || generation == "" {
			return proxy.Route{}, false, err
		}
		if _, gone := os.Stat(n.tree(generation)); generation == seen && errors.Is(gone, fs.ErrNotExist) {
			// Not replaced, but removed while nginx serves it: its content is lost.
			return proxy.Route{}, false, nil
		}
		seen = generation
		file, err := os.ReadFile(n.tree(generation, app+".conf"))
		if errors.Is(err, fs.ErrNotExist) {
			if n.has(generation, serverFile) {
				return proxy.Route{}, false, nil
			}
			continue // removed after two switches in the meantime: look again
		}
		if err != nil {
			return proxy.Route{}, false, fmt.Errorf("cannot read the route of %s: %w", app, err)
		}
		r, err := parseApp(app, file)
		r.Outdated = err == nil && !(bytes.Equal(file, renderApp(r, n.server())) && n.hasForm(generation))
		return r, err == nil, err
	}
	return proxy.Route{}, false, fmt.Errorf("cannot read the route of %s: nginx's files change faster than they can be read", app)
}

// Routes returns the routes by which nginx answers now. A file that cannot be read back is
// left out, as in Live.
func (n *Proxy) Routes(ctx context.Context) ([]proxy.Route, error) {
	for range 5 {
		generation, err := n.liveGeneration(ctx)
		if err != nil || generation == "" {
			return nil, err
		}
		names, err := filepath.Glob(n.tree(generation, "*.conf"))
		if err != nil {
			return nil, err
		}
		var list []proxy.Route
		for _, path := range names {
			name, ok := appOf(filepath.Base(path))
			if !ok {
				continue
			}
			file, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				break // the tree was replaced
			}
			if err != nil {
				return nil, fmt.Errorf("cannot read the route of %s: %w", name, err)
			}
			if r, err := parseApp(name, file); err == nil {
				r.Outdated = !(bytes.Equal(file, renderApp(r, n.server())) && n.hasForm(generation))
				list = append(list, r)
			}
		}
		if n.has(generation, serverFile) {
			return list, nil
		}
		if _, gone := os.Stat(n.tree(generation)); gone != nil {
			if now, err := n.liveGeneration(ctx); err == nil && now == generation {
				return nil, nil // removed while nginx serves it: its content is lost
			}
		}
	}
	return nil, errors.New("cannot read the routes: nginx's files change faster than they can be read")
}

// hasForm reports whether the shared files of a tree were written by the present
// templates and settings.
func (n *Proxy) hasForm(generation string) bool {
	file, err := os.ReadFile(n.tree(generation, serverFile))
	return err == nil && bytes.Contains(file, []byte("\n"+formMark+form(n.server())+"\n"))
}

// liveGeneration returns the tree that nginx serves, "" for none of ours.
func (n *Proxy) liveGeneration(ctx context.Context) (string, error) {
	linked, err := n.linked(liveLink)
	if err != nil || linked == "" {
		return "", err
	}
	a, err := n.ask(ctx)
	if errors.Is(err, errRefused) {
		return linked, nil
	}
	return a.generation, err
}
