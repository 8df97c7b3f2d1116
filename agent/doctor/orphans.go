package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/proxy"
	"dokku/agent/text"
)

// checkOrphans looks for containers, networks, images and routes of apps that this root
// no longer has. An engine may serve several roots; the package comment says how it
// tells them apart.
func (d *examination) checkOrphans(ctx context.Context) []Finding {
	const check = "orphans"
	c, err := d.condition()
	if err != nil {
		return nil // checkNginx tells
	}
	gone := map[string]remains{}
	for _, app := range c.Apps {
		if d.absent(app) {
			gone[app] = remains{routed: true}
		}
	}
	if _, err := d.engine(); err != nil {
		if len(gone) == 0 {
			return []Finding{wrong(check, HealthWarning, service("start", "docker"), "cannot be told while the engine does not answer")}
		}
	} else if err := d.orphans(ctx, gone); err != nil {
		return []Finding{wrong(check, HealthWarning, "", "%s", err)}
	}
	var list []Finding
	for _, app := range slices.Sorted(maps.Keys(gone)) {
		list = append(list, wrong(check, HealthWarning, "dokku doctor --fix", "App %s does not exist, but %s", app, gone[app]).
			fixable("orphan "+app, func(ctx context.Context) error { return d.removeOrphan(ctx, app) }))
	}
	if list == nil {
		return fine(check, "none")
	}
	return list
}

// orphans adds the resources of missing apps that certainly belong to this root.
func (d *examination) orphans(ctx context.Context, gone map[string]remains) error {
	host, err := d.Server.Env.Engine(d.set)
	if err != nil {
		return err
	}
	px := d.Server.Env.Proxy(d.set)
	all, err := host.Observe(ctx, "")
	if err != nil {
		return err
	}
	for _, n := range all.Networks {
		if !d.absent(n.App) {
			continue
		}
		if ours, err := d.orphaned(ctx, px, n); err != nil || !ours {
			continue
		}
		o, err := host.Observe(ctx, n.App)
		if err != nil {
			return err
		}
		gone[n.App] = remains{o, gone[n.App].routed}
	}
	return nil
}

// absent reports whether no app of this root has that name or had it before a rename.
func (d *examination) absent(name string) bool {
	if app.ValidName(name) != nil {
		return false
	}
	var none *app.NoAppError
	if _, err := d.Server.Env.Store.Load(name); !errors.As(err, &none) {
		return false
	}
	now, err := d.Server.Env.Store.NowCalled(name)
	return err == nil && now == ""
}

// orphaned reports whether the network belongs to this root: its label says so, or our
// proxy still routes the app into it.
func (d *examination) orphaned(ctx context.Context, px proxy.Proxy, n engine.Network) (bool, error) {
	if n.Root != "" {
		return n.Root == d.Server.Env.Store.KnownIdentity(), nil
	}
	live, ok, err := px.Live(ctx, n.App)
	if !ok || err != nil {
		return false, err
	}
	return slices.ContainsFunc(live.Upstreams, func(u netip.AddrPort) bool { return n.Subnet.Contains(u.Addr()) }), nil
}

// remains are the resources of a missing app.
type remains struct {
	engine.Observed
	routed bool
}

func (o remains) String() string {
	var list []string
	if o.routed {
		list = append(list, "its route")
	}
	for _, part := range []struct {
		n    int
		what string
	}{{len(o.Instances), "container"}, {len(o.Networks), "network"}, {len(o.Images), "image"}} {
		if part.n > 0 {
			list = append(list, text.Plural(part.n, part.what))
		}
	}
	if len(list) == 1 && o.routed {
		return list[0] + " does"
	}
	return strings.Join(list, ", ") + " do"
}

// removeOrphan removes the resources of a missing app. It looks again under the lock of
// the name, because the app may have been created again. It removes the route last:
// after a crash, the route may be the only evidence that the rest is ours.
func (d *examination) removeOrphan(ctx context.Context, name string) error {
	l, ok, err := d.Server.Env.Store.TryLock(name, "doctor")
	if err != nil || !ok {
		return err
	}
	defer l.Release()
	if !d.absent(name) {
		return nil
	}
	host, err := d.Server.Env.Engine(d.set)
	if err != nil {
		return err
	}
	px := d.Server.Env.Proxy(d.set)
	o, err := host.Observe(ctx, name)
	if err != nil {
		return err
	}
	ours := false
	for _, n := range o.Networks {
		one, err := d.orphaned(ctx, px, n)
		if err != nil {
			return err
		}
		ours = ours || one
	}
	if ours {
		if err := deploy.RemoveAll(ctx, host, o, app.View{App: &app.App{Name: name}}.Grace()); err != nil {
			return fmt.Errorf("cannot remove the leftovers of %s: %w", name, err)
		}
	}
	return px.Withdraw(ctx, name)
}
