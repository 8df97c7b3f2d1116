package memory

import (
	"context"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"dokku/agent/proxy"
)

// Proxy is a proxy without nginx, for tests of the agent. Use New.
type Proxy struct {
	mu        sync.Mutex
	live      map[string]proxy.Route
	published []proxy.Route
	fail      func(call, app string) error
}

var (
	_ proxy.Proxy  = (*Proxy)(nil)
	_ proxy.Lister = (*Proxy)(nil)
)

// New returns a proxy without routes.
func New() *Proxy { return &Proxy{live: map[string]proxy.Route{}} }

// Clone returns a proxy that has the routes of m, without its hook and history.
func (m *Proxy) Clone() *Proxy {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Proxy{live: maps.Clone(m.live)}
}

// Fail sets a hook that each call asks first, with the call's name ("stage",
// "publish", "withdraw" or "live") and the app. If the hook returns an error, the
// call returns it and changes nothing. The hook may call the proxy. nil removes it.
func (m *Proxy) Fail(hook func(call, app string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = hook
}

// Published returns the history: each route as it went live, in order. A
// withdrawal is a route with nothing but the app's name. Publishing a route that
// is live already adds nothing.
func (m *Proxy) Published() []proxy.Route {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.published)
}

// Stage validates the route and looks for its domains among the other apps'.
func (m *Proxy) Stage(ctx context.Context, r proxy.Route) error {
	return m.call(ctx, "stage", r.App, func() error {
		_, err := m.check(r)
		return err
	})
}

// Publish makes the route live.
func (m *Proxy) Publish(ctx context.Context, r proxy.Route) error {
	return m.call(ctx, "publish", r.App, func() error {
		r, err := m.check(r)
		if err != nil {
			return err
		}
		delete(m.live, r.Replaces)
		r.Replaces = ""
		if old, ok := m.live[r.App]; ok && old.Same(r) {
			return nil
		}
		m.live[r.App] = r
		m.published = append(m.published, r)
		return nil
	})
}

// Withdraw removes the app's route.
func (m *Proxy) Withdraw(ctx context.Context, app string) error {
	return m.call(ctx, "withdraw", app, func() error {
		if err := proxy.CheckApp(app); err != nil {
			return err
		}
		if _, ok := m.live[app]; ok {
			delete(m.live, app)
			m.published = append(m.published, proxy.Route{App: app})
		}
		return nil
	})
}

// Live returns the app's route.
func (m *Proxy) Live(ctx context.Context, app string) (r proxy.Route, ok bool, err error) {
	err = m.call(ctx, "live", app, func() error {
		r, ok = m.live[app]
		return proxy.CheckApp(app)
	})
	return r, ok, err
}

// Routes returns all routes.
func (m *Proxy) Routes(ctx context.Context) (list []proxy.Route, err error) {
	err = m.call(ctx, "routes", "", func() error {
		for _, app := range slices.Sorted(maps.Keys(m.live)) {
			list = append(list, m.live[app])
		}
		return nil
	})
	return list, err
}

// Refresh does nothing: a route in memory has no form and no settings of a server.
func (m *Proxy) Refresh(ctx context.Context) error {
	return m.call(ctx, "refresh", "", func() error { return nil })
}

// Resolve returns the route that answers a Host header, by nginx's rules: the
// exact name, then the longest wildcard, for an address the only app, and at last the
// app that answers everything.
func (m *Proxy) Resolve(host string) (proxy.Route, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = proxy.Lower(strings.Trim(host, "[]"))
	var best proxy.Route
	length := 0
	for _, r := range m.live {
		for _, d := range r.Domains {
			if d == host {
				return r, true
			}
			if proxy.Covers(d, host) && len(d) > length { // the longest; CatchAll is the shortest
				best, length = r, len(d)
			}
		}
		if len(m.live) == 1 && (host == "localhost" || net.ParseIP(host) != nil) {
			return r, true
		}
	}
	return best, length > 0
}

func (m *Proxy) call(ctx context.Context, name, app string, do func() error) error {
	m.mu.Lock()
	hook := m.fail
	m.mu.Unlock()
	if hook != nil {
		if err := hook(name, app); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return do()
}

func (m *Proxy) check(r proxy.Route) (proxy.Route, error) {
	r, err := r.Checked()
	if err != nil {
		return r, err
	}
	var live []proxy.Route
	for _, o := range m.live {
		live = append(live, o)
	}
	return r, proxy.Conflict(r, live)
}
