package machine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/store"
)

// TestImageThatStays: an engine that cannot remove an old image, or takes minutes for
// it, fails no push whose version is live. The agent removes the image later.
func TestImageThatStays(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	images := func() []string {
		t.Helper()
		o, err := m.engine.Observe(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, i := range o.Images {
			ids = append(ids, i.ID)
		}
		return ids
	}
	m.engine.SetImage("shop", engine.ImageInfo{ID: "sha256:old"})
	busy := func(call string, args ...any) error {
		if r, ok := args[0].(engine.Resource); ok && call == "Remove" && r.Kind == engine.ImageKind {
			return errors.New("the engine did not answer")
		}
		return nil
	}
	m.engine.Fail(func(call string, args ...any) error {
		if len(args) == 0 {
			return nil
		}
		return busy(call, args...)
	})
	var printed strings.Builder
	term := event.NewTerminal(&printed, &printed, false)
	err := m.pushLogged(h.one, h.two, event.New(term))
	term.Close()
	if err != nil {
		t.Fatalf("the push fails: %v", err)
	}
	if !strings.Contains(printed.String(), "Some old images could not be removed; the agent will retry") {
		t.Errorf("the push does not tell of the image:\n%s", printed.String())
	}
	if _, _, err := m.server.TryReconcile(t.Context(), "shop", false, event.Log{}); err == nil {
		t.Error("the agent does not find out that the image is left")
	}
	if err := m.server.Destroy(t.Context(), "shop", event.Log{}); err == nil {
		t.Error("apps:destroy forgets the app of images that are left")
	}
	m.engine.Fail(func(string, ...any) error { return nil })
	if _, _, err := m.server.TryReconcile(t.Context(), "shop", false, event.Log{}); err != nil {
		t.Error(err)
	}
	if left := images(); len(left) > 0 {
		t.Errorf("these images are left: %v", left)
	}
}

// TestPushLeavesImagesToTheAgent: a live push does not wait for the removal of images.
func TestPushLeavesImagesToTheAgent(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	m.engine.SetImage("shop", engine.ImageInfo{ID: "sha256:old"})
	has := func() bool {
		o, err := m.engine.Observe(t.Context(), "shop")
		return err == nil && slices.ContainsFunc(o.Images, func(i engine.Image) bool { return i.ID == "sha256:old" })
	}
	agent, ok, err := m.server.Env.Store.TryLock(store.AgentLock, "the agent")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer agent.Release()
	if err := m.push(h.one, h.two); err != nil {
		t.Fatal(err)
	}
	if !has() {
		t.Error("the push waited for the removal of an image")
	}
	if _, _, err := m.server.TryReconcile(t.Context(), "shop", false, event.Log{}); err != nil || has() {
		t.Errorf("the agent leaves the image, error %v", err)
	}
}
