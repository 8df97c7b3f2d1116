package machine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// starts collects all starts from now on, by container type and index.
func (m *machine) starts() map[string]engine.Spec {
	specs := map[string]engine.Spec{}
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		specs[fmt.Sprintf("%s.%d", s.Type, s.Index)] = s
		return memory.Behaviour{Exits: s.Kind == engine.KindRelease}
	})
	return specs
}

// next changes settings that the next release takes up.
func (m *machine) next(change func(*app.State)) {
	m.t.Helper()
	err := m.server.Update(context.Background(), "shop", deploy.Op{Name: "test"}, event.Log{}, func(st *app.State) error { change(st); return nil })
	if err != nil {
		m.t.Fatal(err)
	}
}

// withData gives the machine a data root with a folder, and a network.
func (m *machine) withData() (folder string) {
	m.t.Helper()
	ctx := context.Background()
	root, err := filepath.EvalSymlinks(m.t.TempDir())
	if err != nil {
		m.t.Fatal(err)
	}
	folder = filepath.Join(root, "data")
	err = errors.Join(os.Mkdir(folder, 0o755), m.server.CreateNetwork(ctx, "db"), m.server.Env.Store.UpdateSettings(ctx, func(s *app.Settings) error {
		s.StorageRoot, s.Network = root, map[string]string{app.NetworkInitial: "db"}
		return nil
	}))
	if err != nil {
		m.t.Fatal(err)
	}
	return folder
}

// TestAttached follows settings into containers. They take effect with a release and
// apply to all its later containers and one-off commands.
func TestAttached(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := context.Background()
	// Isolation has limits of its own: see TestIsolation.
	m.next(func(st *app.State) { st.Isolation = app.IsolationOff })
	m.must(m.server.Restart(ctx, "shop", event.Log{}))
	folder := m.withData()
	if err := m.server.CreateNetwork(ctx, "cache"); err != nil {
		t.Fatal(err)
	}
	m.next(func(st *app.State) {
		st.Mounts = []app.Mount{{Source: folder, Target: "/data", ReadOnly: true}, {Source: "files", Target: "/files"}}
		st.Network = map[string]string{app.NetworkPostCreate: "cache,db", app.NetworkTLD: "svc.local"}
		st.Resources = map[string]string{"_default_.limit.memory": "64", "worker.limit.memory": "1g", "worker.limit.cpu": "0.5",
			"web.reserve.memory": "32m"}
	})
	specs := m.starts()
	if err := m.server.Scale(ctx, "shop", map[string]int{"web": 3}, false, event.Log{}); err != nil {
		t.Fatal(err)
	}
	if s := specs["web.3"]; len(s.Mounts)+len(s.Joins) > 0 || s.Limits != (engine.Limits{}) {
		t.Errorf("what is added to a release has what its siblings have not: %+v", s)
	}

	if err := m.push(h.one, h.two); err != nil {
		t.Fatal(err)
	}
	mounts := []engine.Mount{{Source: folder, Target: "/data", ReadOnly: true}, {Source: "files", Target: "/files"}}
	limits := map[string]engine.Limits{
		"web.1": {Memory: 64 << 20, MemoryReservation: 32 << 20}, "worker.1": {Memory: 1 << 30, NanoCPUs: 5e8},
		"release.1": {Memory: 64 << 20}, "predeploy.1": {Memory: 64 << 20}, "postdeploy.1": {Memory: 64 << 20},
	}
	check := func() {
		t.Helper()
		for name, want := range limits {
			s := specs[name]
			if !slices.Equal(s.Mounts, mounts) || !slices.Equal(s.Joins, []string{"db", "cache"}) || s.Limits != want {
				t.Errorf("%s starts with %v %v %+v, want %v db cache %+v", name, s.Mounts, s.Joins, s.Limits, mounts, want)
			}
			var alias []string
			if s.Kind == engine.KindDeploy {
				alias = []string{"shop." + s.Type + ".svc.local"}
			}
			if !slices.Equal(s.Aliases, alias) {
				t.Errorf("%s is known as %v, want %v", name, s.Aliases, alias)
			}
		}
	}
	check()

	// Later changes wait for the next release.
	m.next(func(st *app.State) { st.Mounts, st.Network, st.Resources = nil, nil, nil })
	clear(specs)
	if err := m.server.Scale(ctx, "shop", map[string]int{"web": 4}, false, event.Log{}); err != nil {
		t.Fatal(err)
	}
	limits = map[string]engine.Limits{"web.4": {Memory: 64 << 20, MemoryReservation: 32 << 20}}
	check()
	if err := m.server.Restart(ctx, "shop", event.Log{}); err != nil {
		t.Fatal(err)
	}
	if s := specs["web.1"]; len(s.Mounts) > 0 || !slices.Equal(s.Joins, []string{"db"}) || s.Limits != (engine.Limits{}) {
		t.Errorf("after a restart web.1 has %v %v %v", s.Mounts, s.Joins, s.Limits)
	}
	m.settle()
	if err := m.atRest(); err != nil {
		t.Error(err)
	}
}

// TestNotAttachable: an unusable attachment rejects a push or a restart before any
// build or start, and changes nothing.
func TestNotAttachable(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := context.Background()
	folder := m.withData()
	for _, test := range []struct {
		name         string
		change, undo func() error
		want         string
	}{
		{"the network has gone", func() error { return m.engine.Remove(ctx, engine.Resource{Kind: engine.NetworkKind, ID: "db"}) },
			func() error { return m.server.CreateNetwork(ctx, "db") }, "Network db does not exist: make it with dokku network:create db"},
		{"the folder has gone", func() error { return os.Remove(folder) }, func() error { return os.Mkdir(folder, 0o755) },
			"Storage path " + folder + " does not exist"},
		{"the folder is a link out of the data root", func() error {
			return errors.Join(os.Remove(folder), os.Symlink("/etc", folder))
		}, func() error { return errors.Join(os.Remove(folder), os.Mkdir(folder, 0o755)) }, "leads to /etc"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m.next(func(st *app.State) { st.Mounts = []app.Mount{{Source: folder, Target: "/data"}} })
			files, specs := m.files(), m.starts()
			if err := test.change(); err != nil {
				t.Fatal(err)
			}
			m.count, m.names = 0, nil
			for what, err := range map[string]error{"a push": m.push(h.one, h.two), "ps:restart": m.server.Restart(ctx, "shop", event.Log{})} {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: error %v, want %q", what, err, test.want)
				}
			}
			if len(specs) > 0 || slices.Contains(m.names, "build") {
				t.Errorf("%v were started, and this was done: %v", specs, m.names)
			}
			if !maps.Equal(m.files(), files) {
				t.Error("files have changed")
			}
			if err := errors.Join(test.undo(), m.atRest()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A network stays while an app asks for it or a container is in it.
func TestNetworkInUse(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := context.Background()
	m.withData()
	refused := func(want string) {
		t.Helper()
		if err := m.server.DestroyNetwork(ctx, "db"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	refused("in use by all apps (--global)")
	m.next(func(st *app.State) { st.Network = map[string]string{app.NetworkPostDeploy: "db"} })
	if err := m.server.Env.Store.UpdateSettings(ctx, func(s *app.Settings) error { s.Network = nil; return nil }); err != nil {
		t.Fatal(err)
	}
	refused("in use by app shop")
	if err := m.push(h.one, h.two); err != nil {
		t.Fatal(err)
	}
	m.next(func(st *app.State) { st.Network = nil })
	refused("in use by app shop") // its current release joins it
	if _, err := m.engine.Start(ctx, engine.Spec{App: "shop", Kind: engine.KindRun, Name: "by-hand", Joins: []string{"db"},
		Image: m.image()}); err != nil {
		t.Fatal(err)
	}
	if err := m.server.Restart(ctx, "shop", event.Log{}); err != nil {
		t.Fatal(err)
	}
	m.settle()
	refused("by-hand")
	if err := m.server.Destroy(ctx, "shop", event.Log{}); err != nil {
		t.Fatal(err)
	}
	all, err := m.server.Networks(ctx)
	if err != nil || len(all) != 1 || all[0].Name != "db" {
		t.Errorf("after apps:destroy there are %v, error %v", all, err)
	}
	if err := m.server.DestroyNetwork(ctx, "db"); err != nil {
		t.Error(err)
	}
}

// image is the id of the app's current image.
func (m *machine) image() string {
	m.t.Helper()
	a, err := m.server.Env.Store.Load("shop")
	if err != nil {
		m.t.Fatal(err)
	}
	return a.Current.Image
}

func TestParseMemory(t *testing.T) {
	for value, want := range map[string]int64{"6": 6 << 20, "6m": 6 << 20, "6291456b": 6 << 20, "6291455b": 0, "6144k": 6 << 20, "1g": 1 << 30, "1G": 1 << 30,
		"512": 512 << 20, "0": 0, "5": 0, "": 0, "m": 0, "-6": 0, "+6": 0, " 6": 0, "6 m": 0, "6mb": 6 << 20, "6MiB": 6 << 20, "7340032B": 7 << 20, "6mi": 0, "6bb": 0, "6.5m": 0, "0x10": 0,
		"1048576g": 1 << 50, "1048577g": 0, "9223372036854775807": 0, "999999999999999999": 0} {
		if n, err := app.ParseMemory(value); n != want || (err == nil) != (want != 0) {
			t.Errorf("%q is %d, error %v, want %d", value, n, err, want)
		}
	}
}

func TestParseCPU(t *testing.T) {
	for value, want := range map[string]int64{"1": 1e9, "0.5": 5e8, "0.01": 1e7, "0.123456789": 123456789, "0.009": 0, "0": 0, "": 0, ".5": 0,
		"1.": 0, "-1": 0, "+1": 0, "1e0": 0, "NaN": 0, "inf": 0, "0x1": 0, "1_0": 0, "100000": int64(runtime.NumCPU()) * 1e9, "1000000.5": 0, "0.1234567891": 0} {
		if n, err := app.ParseCPU(value); n != want || (err == nil) != (want != 0) {
			t.Errorf("%q is %d, error %v, want %d", value, n, err, want)
		}
	}
}

// State.Clone shares nothing that is changed in place.
func TestCloneSharesNothing(t *testing.T) {
	st := app.State{Mounts: []app.Mount{{Source: "a"}}, Network: map[string]string{"a": "a"}, Resources: map[string]string{"a": "a"}}
	c := st.Clone()
	c.Mounts[0].Source, c.Network["a"], c.Resources["a"] = "b", "b", "b"
	if st.Mounts[0].Source != "a" || st.Network["a"] != "a" || st.Resources["a"] != "a" {
		t.Errorf("the original has changed: %+v", st)
	}
}
