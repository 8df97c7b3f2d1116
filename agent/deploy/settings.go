package deploy

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

// Op is an operation on an app under its lock.
type Op struct {
	// Name is the operation's name in messages and in the lock's file: "ps:scale".
	Name    string
	Changes Changes
	// NoWait: fail with a *store.BusyError where something else works on the app.
	NoWait bool
	// Replaces: cancel the deploy that is under way, in this name, instead of waiting for
	// its end.
	Replaces *app.Cancel
	// WaitLog is told for what the operation waits; nil: the operation's log is.
	WaitLog *event.Log
	// afterHooks: let the hooks of a push that git accepts finish it first.
	afterHooks bool
}

// Changes is the reach of an operation on settings.
type Changes int

const (
	// ChangesSettings only stores the change; it needs neither engine nor proxy.
	ChangesSettings Changes = iota
	// ChangesRoute needs the proxy's consent.
	ChangesRoute
	// ChangesNames is ChangesRoute for names, which are unique among all apps.
	ChangesNames
	// ChangesExistence removes the app.
	ChangesExistence
)

// Update changes the app's settings. If the operation changes the route of a deployed
// app, the proxy tests the new route first; a route that it refuses changes nothing.
func (x *Session) Update(ctx context.Context, op Op, change func(*app.State) error) error {
	before := x.State
	after := x.State.Clone()
	if err := change(&after); err != nil {
		return err
	}
	if op.Changes == ChangesRoute || op.Changes == ChangesNames {
		if err := Reachable(x.View(), x.View().With(after)); err != nil {
			return err
		}
	}
	x.State = after
	if x.Current.OnSwarm() && op.Changes == ChangesRoute {
		if err := x.swarmPorts(x.Current); err != nil {
			x.State = before
			return fmt.Errorf("cannot change the ports of %s: %w", x.Name, err)
		}
	}
	if (before.Listener().IsValid() || x.Served()) && op.Changes != ChangesSettings {
		if err := x.Env.StageLive(ctx, x.View()); err != nil {
			x.State = before
			return err
		}
		x.dirty = true
		return x.Decide(context.WithoutCancel(ctx), fmt.Sprintf("the change of %s is stored", op.Name))
	}
	x.dirty = true
	if err := x.Save(); err != nil {
		return err
	}
	return followBranch(x)
}

// Reachable refuses a change after which nobody could reach an app any more that could be
// reached before: all its ports are for TLS, and no certificate is valid for its domains. That
// of an app without a release waits for its first deploy.
func Reachable(before, after app.View) error {
	if before.Current == nil || !onlyTLS(after) || onlyTLS(before) {
		return nil
	}
	return unreachable(after)
}

// reachableFirst refuses the first deploy of an app that nobody could reach.
func reachableFirst(v app.View) error {
	names, _ := v.ACMENames()
	if v.Current != nil || !onlyTLS(v) || len(names) > 0 && !v.Settings.RenewalOff() {
		return nil
	}
	return unreachable(v)
}

func unreachable(after app.View) error {
	//lint:ignore ST1005 the style of Dokku's messages
	return fmt.Errorf("App %s would not be reachable: %s speaks TLS, and no certificate is valid for its domains: "+
		"add one first (dokku certs:add %[1]s CRT KEY), or a port with http (dokku ports:add %[1]s http:%[3]d:%[4]d)",
		after.Name, after.Ports()[0], after.Settings.Nginx.Port, after.DetectedPort())
}

// onlyTLS reports whether an app has names, and is served on ports for TLS alone, without a
// certificate for any name.
func onlyTLS(v app.View) bool {
	plain := func(m app.PortMap) bool { return m.Scheme != "https" }
	return !v.State.ProxyDisabled && len(v.Domains()) > 0 && len(v.Certificates()) == 0 && !slices.ContainsFunc(v.Ports(), plain)
}

// LockedError returns the error, in Dokku's words, that refuses a deploy of a locked
// app.
func LockedError(app string) error {
	return fmt.Errorf("%s currently has a deploy lock in place. Exiting...\nRun 'apps:unlock %[1]s' to release the existing deploy lock", app)
}

// StageLive tests the app's route with the present settings and the upstreams that
// are live now.
func (e *Env) StageLive(ctx context.Context, v app.View) error {
	if v.State.ProxyDisabled || !v.Served() {
		return nil
	}
	route, _, err := e.liveRoute(ctx, v)
	if err != nil {
		return err
	}
	return e.Proxy(v.Settings).Stage(ctx, route)
}

// StageOwn tests the app's route with the *.conf files of a folder in place of its own ones.
// The app need not be deployed.
func (e *Env) StageOwn(ctx context.Context, v app.View, dir string) error {
	copied := *v.App
	if v.App = &copied; v.Current == nil {
		v.Current = &app.Release{Number: 1}
	}
	route, _, err := e.liveRoute(ctx, v)
	if err != nil {
		return err
	}
	route.Settings.IncludeDir = dir
	return e.Proxy(v.Settings).Stage(ctx, route)
}

// RouteChanges reports whether the app is live by another route than that of the
// present settings.
func (e *Env) RouteChanges(ctx context.Context, v app.View) (bool, error) {
	if v.State.ProxyDisabled {
		return false, nil
	}
	route, live, err := e.liveRoute(ctx, v)
	return live != nil && !route.Same(*live), err
}

// liveRoute returns the route of the present settings with the upstreams that are live
// now, and the live one; nil if there is none.
func (e *Env) liveRoute(ctx context.Context, v app.View) (route proxy.Route, live *proxy.Route, err error) {
	route = *routeOf(e.Store, v, v.Current)
	at := v.State.Listener()
	if at.IsValid() {
		route.Upstreams = []netip.AddrPort{at}
	}
	r, ok, err := Live(ctx, e.Proxy(v.Settings), v.App)
	if err != nil || !ok {
		return route, nil, err
	}
	if at.IsValid() {
		route.Entrance = nil
	} else if route.Upstreams = r.Upstreams; r.Entrance == nil {
		route.Entrance = nil
	}
	return route, &r, nil
}
