package memory_test

import (
	"context"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
)

// TestMemoryClone: a copy has the same content as the original, and a change of one does not
// affect the other.
func TestMemoryClone(t *testing.T) {
	ctx := context.Background()
	m := memory.New()
	image := m.SetImage("shop", engine.ImageInfo{}, "dokku/shop:1").ID
	if _, err := m.Network(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	start := func(m *memory.Engine, name string) engine.Instance {
		t.Helper()
		i, err := m.Start(ctx, engine.Spec{App: "shop", Kind: engine.KindDeploy, Type: "web", Index: 1, Release: 1, Attempt: "a",
			Name: name, Image: image})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	first := start(m, "shop.web.1")
	c := m.Clone()
	start(c, "shop.web.2")
	if err := c.Stop(ctx, first.ID, 0); err != nil {
		t.Fatal(err)
	}
	if err := c.Tag(ctx, image, "dokku/shop:2"); err != nil {
		t.Fatal(err)
	}
	was, _ := m.Observe(ctx, "shop")
	is, _ := c.Observe(ctx, "shop")
	if len(was.Instances) != 1 || !was.Instances[0].Running() || len(was.Images) != 1 || len(was.Images[0].Tags) != 1 || len(was.Networks) != 1 {
		t.Errorf("the original has %+v", was)
	}
	if len(is.Instances) != 2 || is.Instances[0].ID != first.ID || is.Instances[0].Running() || len(is.Images[0].Tags) != 2 || len(is.Networks) != 1 {
		t.Errorf("the copy has %+v", is)
	}
}
