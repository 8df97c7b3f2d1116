package machine

import (
	"testing"

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
