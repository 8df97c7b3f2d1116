package buildkit

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"

	"dokku/build"
	"dokku/build/buildtest"
)

// TestPruneCache: the cache shrinks to its bound, what was used last stays, and so does an
// image.
func TestPruneCache(t *testing.T) {
	t.Parallel()
	const mega = 1 << 20
	ctx := context.Background()
	_, cli := buildtest.OwnEngine(t)
	a := &app{t: t, cli: cli, repo: newRepo(t), name: "hello", manifest: filepath.Join(t.TempDir(), "manifest")}
	var lines []string
	solve := func(rev string) string {
		t.Helper()
		lines = nil
		r := a.request(rev)
		r.Progress = func(l build.Line) { lines = append(lines, strings.Join(strings.Fields(l.Text), " ")) }
		res, err := a.solve(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		return res.ImageID
	}
	size := func() int64 {
		t.Helper()
		n, err := CacheSize(ctx, cli)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	prune := func(keep int64) int64 {
		t.Helper()
		freed, err := PruneCache(ctx, cli, keep)
		if err != nil {
			t.Fatal(err)
		}
		return freed
	}
	if n := size(); n != 0 {
		t.Errorf("the cache of a new engine has %d bytes", n)
	}
	var revs []string
	for range 4 {
		big := make([]byte, mega)
		rand.Read(big)
		// The image has the file in a layer of its own, and the first stage is in the cache only.
		rev := a.repo.Commit("", files{"big": string(big), "Dockerfile": "FROM scratch AS first\nCOPY big /one/\nFROM scratch\nCOPY --from=first /one /two\n"})
		revs = append(revs, rev)
		if id := solve(rev); len(revs) < 4 {
			if _, err := cli.ImageRemove(ctx, id, image.RemoveOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	kept := solve(revs[3])
	full := size()
	if full < 7*mega {
		t.Fatalf("the cache of four builds has %d bytes", full)
	}
	if freed := prune(full + 1); freed != 0 || size() != full {
		t.Errorf("a cache within its bound lost %d bytes of %d", freed, full)
	}
	if freed := prune(3 * mega); freed < 4*mega || size() > 3*mega || size()+freed != full {
		t.Errorf("of %d bytes %d were freed, and %d are left", full, freed, size())
	}
	if solve(revs[3]); !slices.ContainsFunc(lines, func(l string) bool { return l == "[first 1/1] COPY big /one/ cached" }) {
		t.Errorf("the last build was not kept:\n%s", strings.Join(lines, "\n"))
	}
	if prune(1); size() > 1 {
		t.Errorf("%d bytes are left of the smallest cache", size())
	}
	if _, err := cli.ImageInspect(ctx, kept); err != nil {
		t.Errorf("an image is gone: %v", err)
	}
	if _, err := cli.ImageRemove(ctx, kept, image.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	prune(1) // what the image had
	if solve(revs[3]); slices.ContainsFunc(lines, func(l string) bool { return strings.HasSuffix(l, "cached") }) {
		t.Errorf("the empty cache has something:\n%s", strings.Join(lines, "\n"))
	}
	for _, keep := range []int64{0, -1} {
		if _, err := PruneCache(ctx, cli, keep); err == nil {
			t.Errorf("a bound of %d is accepted", keep)
		}
	}
}
