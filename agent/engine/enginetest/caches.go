package enginetest

import (
	"errors"
	"strings"
	"testing"

	"dokku/agent/engine"
)

// caches tries that an app's caches go, and no other app's, and that of what its builds have
// left goes what no container has.
func caches(t *testing.T, r *run) {
	a, b := r.bare(t), r.app(t)
	first, second, other := a.name+".cache-1", a.name+".cache-2", b.name+".cache"
	for _, name := range []string{second, first} {
		a.Cache(t, a.name, name)
	}
	b.Cache(t, b.name, other)
	names, err := a.Host.RemoveCaches(a.ctx, a.name)
	a.ok(err)
	equal(t, "the removed caches", strings.Join(names, " "), first+" "+second)
	names, err = a.Host.RemoveCaches(a.ctx, a.name)
	a.ok(err)
	equal(t, "the caches that are left", len(names), 0)
	left, used, foreign := b.name+".scratch-1", b.name+".scratch-2", a.name+".scratch"
	for _, name := range []string{left, used} {
		b.Scratch(t, b.name, name)
	}
	a.Scratch(t, a.name, foreign)
	s := b.spec(1, Program{})
	s.Mounts = []engine.Mount{{Source: other, Target: "/cache"}, {Source: used, Target: "/scratch"}}
	i, err := b.Host.Start(b.ctx, s)
	b.ok(err)
	if _, err := b.Host.RemoveCaches(b.ctx, b.name); !errors.Is(err, engine.ErrInUse) {
		t.Errorf("a cache in use is removed: %v", err)
	}
	b.ok(b.Host.RemoveScratch(b.ctx, b.name))
	b.ok(b.Host.Remove(b.ctx, engine.Resource{Kind: engine.Container, ID: i.ID}))
	names, err = b.Host.RemoveCaches(b.ctx, b.name)
	b.ok(err)
	equal(t, "the other app's volumes without what a build has left", strings.Join(names, " "), other+" "+used)
	names, err = a.Host.RemoveCaches(a.ctx, a.name)
	a.ok(err)
	equal(t, "what another app's builds have left", strings.Join(names, " "), foreign)
	const enough = 1 << 50
	if size, err := b.Host.BuildCache(b.ctx); err != nil || size < 0 || size > enough {
		t.Errorf("the build cache has %d bytes, %v", size, err)
	}
	image, err := b.Host.Image(b.ctx, b.image)
	b.ok(err)
	once, err := b.Host.DiskUse(b.ctx, b.name, []string{image.ID})
	b.ok(err)
	twice, err := b.Host.DiskUse(b.ctx, b.name, []string{image.ID, image.ID, "sha256:" + strings.Repeat("0", 64)})
	b.ok(err)
	if once != twice || (once.Images > 0) != (image.Size > 0) || once.Images > image.Size || once.Cache != 0 {
		t.Errorf("an app keeps %+v, and with an image twice %+v, of %d bytes", once, twice, image.Size)
	}
	// Others may build at this time: what shrinks is tried on an engine of its own.
	if freed, err := b.Host.PruneBuildCache(b.ctx, enough); err != nil || freed != 0 {
		t.Errorf("a build cache within its bound loses %d bytes, %v", freed, err)
	}
	if _, err := b.Host.PruneBuildCache(b.ctx, 0); err == nil {
		t.Error("the whole build cache may go")
	}
}
