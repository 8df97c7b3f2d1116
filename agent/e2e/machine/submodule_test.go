package machine

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"dokku/agent/deploy"
	"dokku/agent/event"
)

// pushSubmodule pushes the revision with a submodule, whose server is allowed.
func (m *machine) pushSubmodule(ctx context.Context, h history) error {
	if err := os.WriteFile(filepath.Join(m.root, ".netrc"), []byte("machine 127.0.0.1 login bot password secret\n"), 0o600); err != nil {
		return err
	}
	p := deploy.Push{App: "shop", Refs: []deploy.Ref{{Old: h.one, New: h.nested, Name: "refs/heads/main"}}}
	return m.send(ctx, p, h.nestedPack, event.Log{})
}

// TestSubmoduleKept: what a push fetched serves ps:rebuild and a later push after the
// submodule's server is gone, under the app's new name too, and goes with the app.
func TestSubmoduleKept(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	check(t, m.pushSubmodule(ctx, h))
	m.settle()
	kept := func(name string) string { return m.server.Env.Store.File(name, "fetched", "commits", h.one) }
	if _, err := os.Stat(kept("shop")); err != nil {
		t.Error(err)
	}
	check(t, m.server.PurgeCache(ctx, "shop", event.Log{}))
	if _, err := os.Stat(kept("shop")); err == nil {
		t.Error("repo:purge-cache leaves a submodule")
	}
	check(t, m.server.Rebuild(ctx, "shop", event.Log{}))
	check(t, os.Remove(filepath.Join(m.root, ".netrc"))) // from here on, nothing can be fetched
	check(t, m.server.Rebuild(ctx, "shop", event.Log{}))
	check(t, m.server.Rename(ctx, "shop", "store", false, event.Log{}))
	check(t, m.server.Rebuild(ctx, "store", event.Log{}))
	if _, err := os.Stat(kept("store")); err != nil {
		t.Error(err)
	}
	a, err := m.server.Load("store")
	check(t, err)
	if a.Current.Revision != h.nested || a.Current.Cause != "ps:rebuild" {
		t.Errorf("%+v serves", a.Current)
	}
	check(t, m.server.Destroy(ctx, "store", event.Log{}))
	if left, _ := filepath.Glob(filepath.Join(m.root, "*", "dokku", "fetched")); left != nil {
		t.Errorf("%v are left", left)
	}
}
