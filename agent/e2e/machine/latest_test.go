package machine

import (
	"slices"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/event"
)

// TestLatestImage: dokku/APP:latest is the image of the current release: after a push, a
// rollback and a rename, not after a rejected push; and it goes with the app.
func TestLatestImage(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	latest := func(name string) {
		t.Helper()
		a, err := m.server.Load(name)
		check(t, err)
		o, err := m.engine.Observe(ctx, "")
		check(t, err)
		var has []string
		for _, i := range o.Images {
			for _, tag := range i.Tags {
				if tag == engine.Latest("shop") || tag == engine.Latest("store") {
					has = append(has, tag, i.ID)
				}
			}
		}
		if want := []string{engine.Latest(name), a.Current.Image}; !slices.Equal(has, want) {
			t.Errorf("the names are %v, want %v", has, want)
		}
	}
	latest("shop")
	check(t, m.push(h.one, h.two))
	latest("shop")
	before, _ := m.server.Load("shop")
	check(t, m.pushBroken(ctx, h.two, h.one, "*"))
	latest("shop")
	check(t, m.server.Rollback(ctx, "shop", 0, false, event.Log{}))
	latest("shop")
	if after, _ := m.server.Load("shop"); after.Current.Image == before.Current.Image {
		t.Error("the rollback runs the same image")
	}
	check(t, m.server.Rename(ctx, "shop", "store", false, event.Log{}))
	m.settle()
	latest("store")
	check(t, m.server.Destroy(ctx, "store", event.Log{}))
	if o, err := m.engine.Observe(ctx, ""); err != nil || len(o.Images) > 0 {
		t.Errorf("left are %+v (%v)", o.Images, err)
	}
}
