package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"dokku/agent/agenttest"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// TestCleanup: cleanup removes only resources that no app needs.
func TestCleanup(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ctx := t.Context()
	a, err := m.server.Env.Store.Load("shop")
	if err != nil {
		t.Fatal(err)
	}
	once := func(name string, exits bool) string {
		m.engine.Behave(func(engine.Spec) memory.Behaviour { return memory.Behaviour{Exits: exits} })
		i, err := m.engine.Start(ctx, engine.Spec{App: "shop", Kind: engine.KindRun, Type: "run", Index: 1, Name: name, Image: a.Current.Image})
		if err != nil {
			t.Fatal(err)
		}
		return i.ID
	}
	serving := m.ids()
	runs := once("shop.run.1", false)
	once("shop.run.2", true)
	m.engine.SetImage("shop", engine.ImageInfo{ID: "sha256:left"})
	m.engine.SetImage("somebody", engine.ImageInfo{ID: "sha256:foreign"})
	if err := m.server.Cleanup(ctx, "", event.Log{}); err != nil {
		t.Fatal(err)
	}
	if got := m.ids(); len(got) != len(serving)+1 {
		t.Errorf("the containers are %v, want %v and %s", got, serving, runs)
	}
	if _, err := m.engine.Instance(ctx, runs); err != nil {
		t.Errorf("a one-off container that runs is gone: %v", err)
	}
	if _, err := m.engine.Image(ctx, "sha256:left"); err == nil {
		t.Errorf("an image that no release has is still there")
	}
	for _, id := range []string{"sha256:foreign", a.Current.Image} {
		if _, err := m.engine.Image(ctx, id); err != nil {
			t.Error(err)
		}
	}
}

// TestScratchOfKilledBuild: what a killed build has left beside its containers goes with the
// next look of the agent, and what the engine's crash has left when it is back.
func TestScratchOfKilledBuild(t *testing.T) {
	m := newMachine(t, newHistory(t))
	left := func() int {
		names, err := m.engine.Clone().RemoveCaches(t.Context(), "shop")
		check(t, err)
		return len(names)
	}
	m.engine.SetCache("shop", "cache")
	m.engine.SetScratch("shop", "layers")
	m.settle()
	if n := left(); n != 2 { // the lock was not abandoned: it belongs to a build
		t.Fatalf("%d volumes", n)
	}
	check(t, os.WriteFile(m.server.Env.Store.Own("locks", "shop"), []byte(`{"pid":1,"step":"a build"}`), 0o600))
	m.settle()
	if n := left(); n != 1 {
		t.Errorf("after a kill, %d volumes are left, want the cache", n)
	}
	m.engine.SetScratch("shop", "layers")
	_, _, err := m.server.TryReconcile(t.Context(), "shop", true, event.Log{})
	check(t, err)
	if n := left(); n != 1 {
		t.Errorf("after a crash of the engine, %d volumes are left, want the cache", n)
	}
}

// TestFilesOfKilledWriters: temporary files of a killed build or command go, those with a
// password too, and files of others stay.
func TestFilesOfKilledWriters(t *testing.T) {
	m := newMachine(t, newHistory(t))
	st := m.server.Env.Store
	ours := []string{"shop/dokku/.manifest1234567890", "shop/dokku/registry/.config.json1234567890", "shop/dokku/.state.json1234567890",
		"shop/dokku/deploys/.1.json1234567890", "shop/dokku/deploys/.1.cancel.json1234567890",
		"..netrc1234567890", ".docker/.config.json1234567890", ".ssh/.known_hosts1234567890"}
	others := []string{"shop/dokku/.manifest.old", "shop/dokku/registry/config.json", ".netrc", ".netrc-2024", ".ssh/known_hosts"}
	agenttest.Leave(t, st.Root, append(ours, others...)...)
	check(t, os.WriteFile(st.Own("locks", "shop"), []byte(`{"pid":1,"step":"a build"}`), 0o600))
	m.settle()
	st.SweepRoot()
	for _, name := range ours {
		if _, err := os.Stat(filepath.Join(st.Root, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	for _, name := range others {
		_, err := os.Stat(filepath.Join(st.Root, name))
		check(t, err)
	}
	agenttest.Leave(t, st.Root, "..netrc1234567890")
	check(t, st.ChangeFile(t.Context(), filepath.Join(st.Root, ".netrc"), func([]byte) ([]byte, error) { return []byte("x"), nil }))
	if left, _ := filepath.Glob(filepath.Join(st.Root, "..netrc1*")); len(left) > 0 {
		t.Errorf("after a change, %q are left", left)
	}
}
