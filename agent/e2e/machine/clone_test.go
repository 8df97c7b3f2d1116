package machine

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/doctor"
	"dokku/agent/event"
	"dokku/agent/proxy"
	"dokku/agent/store"
)

// furnishRoute gives the app what stands in front of it.
func (m *machine) furnishRoute() error {
	ctx, route := context.Background(), deploy.Op{Name: "test", Changes: deploy.ChangesNames}
	page := map[string][]byte{proxy.MaintenancePage: []byte("back soon"), "css/a.css": []byte("p {}")}
	return errors.Join(
		m.server.SetMaintenancePage(ctx, "shop", "maintenance:custom-page", page, event.Log{}),
		m.server.Update(ctx, "shop", route, event.Log{}, func(st *app.State) error {
			st.Maintenance, st.Redirects = true, map[string]app.Redirect{"old.example": {To: "shop.example", Code: 301}}
			a := st.ChangingAuth()
			a.Enabled, a.Users["ann"] = true, "$6$salt$aaaaaaaa"
			a.AllowedIPs = []string{"10.0.0.0/8"}
			st.Logs = map[string]string{app.LogMaxSize: "20m"}
			return nil
		}))
}

func (m *machine) load(name string) *app.App {
	m.t.Helper()
	a, err := m.server.Env.Store.Load(name)
	m.must(err)
	return a
}

// TestFurnishedRoute: what stands in front of an app stays there through deploys, restarts,
// a stop and a rename, and goes with its commands alone.
func TestFurnishedRoute(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx, none := context.Background(), event.Log{}
	m.must(m.furnishRoute())
	page := m.load("shop").State.MaintenancePage
	closed := func(what, name string) {
		t.Helper()
		m.settle()
		r, ok := m.live(name)
		if !ok || r.Maintenance == nil || r.Maintenance.Page.ID != page || r.Auth == nil || r.Auth.Users["ann"] == "" || len(r.Auth.Allowed) != 1 ||
			len(r.Redirects) != 1 || r.Redirects[0] != (proxy.Redirect{From: "old.example", To: "shop.example", Code: 301}) {
			t.Errorf("%s: the app is live as %+v", what, r)
		}
	}
	closed("at once", "shop")
	m.must(m.push(h.one, h.two))
	closed("after a push", "shop")
	m.must(m.server.Restart(ctx, "shop", none))
	closed("after a restart", "shop")
	told := false
	d := doctor.Doctor{Server: m.server, Around: doctor.Surroundings{SSHConfig: "/dev/null"}}
	for _, f := range d.Examine(ctx, "shop") {
		told = told || strings.HasSuffix(f.Text, ", in maintenance (maintenance:enable)")
	}
	if !told {
		t.Error("the doctor does not say that the app is in maintenance")
	}
	m.must(m.server.Stop(ctx, "shop", none))
	closed("stopped", "shop")
	m.must(m.server.Start(ctx, "shop", none))
	m.must(m.server.Rename(ctx, "shop", "store", false, none))
	closed("after a rename", "store")
	if _, ok := m.proxy.Resolve("old.example"); !ok {
		t.Error("the domain that is redirected leads nowhere")
	}
	m.must(m.server.Update(ctx, "store", deploy.Op{Name: "test", Changes: deploy.ChangesNames}, none, func(st *app.State) error {
		st.Maintenance, st.Redirects, st.Auth.Enabled = false, nil, false
		return nil
	}))
	if r, ok := m.live("store"); !ok || r.Maintenance != nil || r.Auth != nil || r.Redirects != nil {
		t.Errorf("at the end the app is live as %+v", r)
	}
	if _, ok := m.proxy.Resolve("old.example"); ok {
		t.Error("the domain that was redirected still leads to the app")
	}
}

// TestClone: a clone has the code and the settings of an app, and what asks for passwords
// in front of it; it is deployed like any other app, and each goes its own way.
func TestClone(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx, none := context.Background(), event.Log{}
	m.must(m.push(h.one, h.two))
	m.must(m.furnishRoute())
	m.must(m.server.SetConfig(ctx, "shop", map[string]string{"A": "b"}, nil, true, none))
	m.settle()

	m.must(m.server.Clone(ctx, "shop", "store", none))
	m.must(m.server.Rebuild(ctx, "store", none))
	from, to := m.load("shop"), m.load("store")
	if to.Current == nil || to.Current.Revision != h.two || to.Current.Number != 1 || !maps.Equal(to.State.Config, from.State.Config) || to.Current.LogSize != "20m" {
		t.Errorf("the clone runs %+v with %v", to.Current, to.State.Config)
	}
	if !to.State.FirstScriptRan {
		t.Error("the clone would run the first script of app.json again")
	}
	r, ok := m.live("store")
	if !ok || r.Maintenance == nil || r.Maintenance.Page.ID != from.State.MaintenancePage || r.Auth == nil || len(r.Auth.Users) != 1 || len(r.Redirects) != 0 {
		t.Errorf("the clone is live as %+v", r)
	}
	if data, err := os.ReadFile(filepath.Join(r.Maintenance.Page.Dir, "css", "a.css")); err != nil || string(data) != "p {}" {
		t.Errorf("the clone's page: %q, %v", data, err)
	}
	m.must(m.server.Update(ctx, "shop", deploy.Op{Name: "test", Changes: deploy.ChangesNames}, none, func(st *app.State) error {
		st.Domains = []string{"shop.example.com"}
		return nil
	}))
	m.must(m.server.Clone(ctx, "shop", "third", none)) // it could not have the same domain
	if o, _ := m.live("shop"); len(o.Redirects) != 1 {
		t.Errorf("the app is live as %+v", o)
	}
	m.must(m.server.SetConfig(ctx, "store", map[string]string{"A": "c"}, nil, true, none))
	m.must(m.server.Destroy(ctx, "shop", none))
	if _, ok := m.live("store"); !ok {
		t.Error("the clone went with the app")
	}
}

// TestCloneKilled kills apps:clone before each of its changes: the clone is there as a
// whole, or not at all, and the app is as it was.
func TestCloneKilled(t *testing.T) {
	h := newHistory(t)
	begin := func() *machine {
		m := newMachine(t, h)
		m.must(m.push(h.one, h.two))
		m.must(m.furnishRoute())
		m.settle()
		return m
	}
	ctx, none := context.Background(), event.Log{}
	whole := begin()
	before := whole.count
	whole.must(whole.server.Clone(ctx, "shop", "store", none))
	n := whole.count - before
	if n < 6 {
		t.Errorf("only %d changes: %v", n, whole.names)
	}
	for k := 1; k <= n; k++ {
		m := begin()
		m.kill = m.count + k
		m.server.Clone(ctx, "shop", "store", none)
		m.turnOn()
		m.server.Env.Store.SweepRoot()
		if left, _ := filepath.Glob(filepath.Join(m.root, store.NewPrefix+"*")); len(left) > 0 {
			t.Errorf("killed before change %d: %v is left", k, left)
		}
		clone, err := m.server.Env.Store.Load("store")
		if none := new(app.NoAppError); err != nil && !errors.As(err, &none) {
			t.Errorf("killed before change %d: %v", k, err)
		} else if err == nil && clone.State.MaintenancePage == "" {
			t.Errorf("killed before change %d: the clone has the state %+v", k, clone.State)
		} else if err != nil {
			m.must(m.server.Clone(ctx, "shop", "store", event.Log{}))
		}
		m.must(m.server.Rebuild(ctx, "store", event.Log{}))
		if a := m.load("shop"); a.Current == nil || a.Current.Revision != h.two {
			t.Errorf("killed before change %d: the app runs %+v", k, a.Current)
		}
	}
}
