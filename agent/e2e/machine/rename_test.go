package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

// app is the app's name: an operation may rename it.
func (m *machine) app() string {
	m.t.Helper()
	apps, err := m.server.Env.Store.Apps()
	if err != nil || len(apps) != 1 {
		m.t.Fatalf("the apps are %v (%v), want one", apps, err)
	}
	return apps[0]
}

// ids are the ids of all containers that exist.
func (m *machine) ids() []string {
	m.t.Helper()
	o, err := m.engine.Observe(context.Background(), "")
	if err != nil {
		m.t.Fatal(err)
	}
	var ids []string
	for _, i := range o.Instances {
		ids = append(ids, i.ID)
	}
	slices.Sort(ids)
	return ids
}

func (m *machine) live(app string) (proxy.Route, bool) {
	m.t.Helper()
	r, ok, err := m.proxy.Live(context.Background(), app)
	if err != nil {
		m.t.Fatal(err)
	}
	return r, ok
}

// TestRenameKeepsServing: a rename without a deploy keeps the processes, routes the new
// name to them, and reserves the old name until they are replaced. Then nothing of the
// old name is left, and another app can take it, with its own images.
func TestRenameKeepsServing(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx, none := t.Context(), event.Log{}
	if err := m.server.Env.Store.UpdateSettings(ctx, func(s *app.Settings) error { s.Domains = []string{"example.com"}; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := m.server.Update(ctx, "shop", deploy.Op{Name: "domains:set", Changes: deploy.ChangesNames}, none, func(st *app.State) error {
		st.Domains = []string{"shop.example.com", "www.example.org"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	before := m.ids()
	if err := m.server.Rename(ctx, "shop", "store", true, none); err != nil {
		t.Fatal(err)
	}
	if after := m.ids(); !slices.Equal(after, before) {
		t.Errorf("the containers are %v, were %v", after, before)
	}
	if err := m.serving(); err != nil {
		t.Error(err)
	}
	live, _ := m.live("store")
	if want := []string{"store.example.com", "www.example.org"}; !slices.Equal(live.Domains, want) {
		t.Errorf("the route has the domains %v, want %v", live.Domains, want)
	}
	a, err := m.server.Env.Store.Load("store")
	if err != nil || !slices.Equal(a.State.Domains, live.Domains) || a.State.Renamed == nil {
		t.Fatalf("%+v, %v", a, err)
	}
	v, verr := m.server.View(a.Name)
	have, err := m.server.Env.InstancesOf(ctx, v)
	err = errors.Join(verr, err)
	if err != nil || len(have) != 3 || have[0].Name != "store.web.1" {
		t.Errorf("the app's instances are %v, %v", have, err)
	}
	for what, err := range map[string]error{
		"create":       m.server.Create(ctx, "shop", false),
		"rename back":  m.server.Rename(ctx, "store", "shop", false, none),
		"rename again": m.server.Rename(ctx, "store", "market", false, none),
	} {
		if err == nil || !strings.Contains(err.Error(), "ps:restart store") {
			t.Errorf("%s: %v", what, err)
		}
	}
	m.settle()
	if err := m.server.Restart(ctx, "store", none); err != nil {
		t.Fatal(err)
	}
	m.settle()
	if err := m.atRest(); err != nil {
		t.Error(err)
	}
	if err := m.server.Create(ctx, "shop", false); err != nil {
		t.Error(err)
	}
	// The new app of the old name drops its images, and not the renamed app's.
	if _, done, err := m.server.TryReconcile(ctx, "shop", false, none); !done || err != nil {
		t.Error(done, err)
	}
	if _, err := m.engine.Image(ctx, a.Current.Image); err != nil {
		t.Errorf("the image of the renamed app is gone: %v", err)
	}
}

// TestRenameWithoutNewProcesses: if new processes fail to start, the renamed app keeps
// its old ones, and the agent does not retry again and again.
func TestRenameWithoutNewProcesses(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ctx, none := t.Context(), event.Log{}
	before := m.ids()
	m.engine.Behave(func(s engine.Spec) memory.Behaviour { return memory.Behaviour{Exits: true, Code: 3} })
	err := m.server.Rename(ctx, "shop", "store", false, none)
	if err == nil || !strings.Contains(err.Error(), "shop is called store now") {
		t.Fatalf("%v", err)
	}
	m.settle()
	if after := m.ids(); !slices.Equal(after, before) {
		t.Errorf("the containers are %v, were %v", after, before)
	}
	if err := m.serving(); err != nil {
		t.Error(err)
	}
	if a, err := m.server.Env.Store.Load("store"); err != nil || a.State.Renamed == nil || a.State.Renamed.Redeploy {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestRenameAfterReboot: an ended container of the former name cannot start under the
// new name; a new one takes its place.
func TestRenameAfterReboot(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ctx, none := t.Context(), event.Log{}
	if err := m.server.Rename(ctx, "shop", "store", true, none); err != nil {
		t.Fatal(err)
	}
	m.engine.Restart()
	for range 4 {
		if _, done, err := m.server.TryReconcile(ctx, "store", true, none); !done || err != nil {
			t.Fatal(done, err)
		}
	}
	if err := m.serving(); err != nil {
		t.Error(err)
	}
	if err := m.atRest(); err != nil {
		t.Error(err)
	}
}

// TestRenameRefused: a refused rename leaves every byte as it was.
func TestRenameRefused(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ctx, none := t.Context(), event.Log{}
	if err := m.server.Create(ctx, "other", false); err != nil {
		t.Fatal(err)
	}
	if err := m.server.Update(ctx, "other", deploy.Op{Name: "domains:set", Changes: deploy.ChangesNames}, none, func(st *app.State) error {
		st.Domains = []string{"taken." + app.HostName()}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(m.root, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		data, err := os.ReadFile(m.server.Env.Store.File("shop", "state.json"))
		return fmt.Sprint(string(data), err, m.ids())
	}
	before := state()
	for name, want := range map[string]string{
		"other": "Name is already taken", "shop": "Name is already taken", "folder": "is not an app",
		"../x": "is not valid", "": "is not valid", "taken": "belongs to app other",
	} {
		if err := m.server.Rename(ctx, "shop", name, false, none); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("rename to %q: %v", name, err)
		}
	}
	if err := m.server.Rename(ctx, "nosuch", "new", false, none); err == nil || err.Error() != "App nosuch does not exist" {
		t.Errorf("rename of no app: %v", err)
	}
	if after := state(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestRenamesCross: two renames that repeatedly want each other's names both end, and
// each app has one name.
func TestRenamesCross(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ctx, none := t.Context(), event.Log{}
	if err := m.server.Create(ctx, "other", false); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for _, names := range [][2]string{{"shop", "other"}, {"other", "shop"}} {
		go func() { done <- m.server.Rename(ctx, names[0], names[1], true, none) }()
	}
	for range 2 {
		if err := <-done; err == nil {
			t.Error("an app got a name that another one has")
		}
	}
	if apps, err := m.server.Env.Store.Apps(); err != nil || !slices.Equal(apps, []string{"other", "shop"}) {
		t.Errorf("%v, %v", apps, err)
	}
}
