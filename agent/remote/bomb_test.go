package remote

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dokku/build/buildtest"
	"dokku/build/source"
)

// bomb makes a repository of the git server, of some hundred bytes, with a difference that
// makes a file of so many MB.
func (b *bench) bomb(name string, megabytes int) (commit string) {
	b.t.Helper()
	r := b.repo(name)
	p := &buildtest.Pack{}
	base := p.Add(buildtest.PackBlob, make([]byte, 1<<16))
	p.AddDelta(base, buildtest.Repeat(1<<16, megabytes<<4))
	commit = p.AddCommit(p.AddTree("100644 base", base, "100644 big", buildtest.ObjectID(buildtest.PackBlob, make([]byte, megabytes<<20))))
	data := p.Bytes()
	file := filepath.Join(r.Dir, "objects", "pack", fmt.Sprintf("pack-%x.pack", data[len(data)-20:]))
	must(b.t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(b.t, os.WriteFile(file, data, 0o600))
	r.Git("index-pack", file)
	r.Git("update-ref", "refs/heads/main", commit)
	return commit
}

// TestDeltaBombOfSubmodule: a submodule's pack of 397 bytes with a difference that makes gigabytes took
// them from the server as it was fetched, and was kept. Memory and time of each git are limited, and
// what was fetched has the limits of a push.
func TestDeltaBombOfSubmodule(t *testing.T) {
	b := newBench(t, false, "")
	b.allow("x")
	commit := b.bomb("bomb.git", 100)
	b.Packs.Delta = 32 << 20
	b.fails(b.url+"/bomb.git", commit, b.url+"/bomb.git: cannot take it: the pushed object ")
	b.Memory = 80 << 20
	b.fails(b.url+"/bomb.git", commit, b.url+"/bomb.git: git needs more memory for it than it may have (84 MB); "+
		"run git -c core.bigFileThreshold=1m repack -adF in that repository, or to allow more: dokku git:set --global git-max-memory BYTES")
	if b.commits() != nil {
		t.Errorf("the cache has %v", b.commits())
	}
	b.Memory, b.Packs = 0, source.DefaultPackLimits
	_, err := b.submodule(b.url+"/bomb.git", commit)
	must(t, err)
	if err := exhausted("remote: fatal: Out of memory\n", 1); err != nil {
		t.Errorf("the other server's limit is taken for ours: %v", err)
	}
	if err := exhausted("error: index-pack died of signal 24\n", 1); err == nil || !strings.HasPrefix(err.Error(), "git computed for it longer than it may (30m0s); ") {
		t.Error(err)
	}
}

// TestLimitOfRevision: each of a revision's submodules had its own gigabyte and quarter of an hour, a hundred
// times under the app's lock. All of them, and what Git LFS has, share one size and one end.
func TestLimitOfRevision(t *testing.T) {
	b := newBench(t, false, "")
	b.allow("x")
	one := b.repo("one.git").Commit("", buildtest.Files{"x": "one"})
	two := b.repo("two.git").Commit("", buildtest.Files{"x": "two"})
	_, err := b.submodule(b.url+"/one.git", one)
	must(t, err)
	b.Limit.Max = b.Limit.used + 100
	b.fails(b.url+"/two.git", two, b.url+"/two.git: with what was fetched for this revision already, it has more than ")
	large := source.LFSObject{Path: "a", OID: strings.Repeat("a", 64), Size: 101}
	if _, err := b.LFS(t.Context(), source.LFSRequest{Objects: []source.LFSObject{large}}); err == nil || !strings.Contains(err.Error(), "with what was fetched for this revision already") {
		t.Error(err)
	}
	b.Limit.Max = DefaultMaxSize
	end := b.end
	_, err = b.submodule(b.url+"/two.git", two)
	must(t, err)
	if end.IsZero() || b.end != end {
		t.Errorf("the end is %s, then %s", end, b.end)
	}
	three := b.repo("three.git").Commit("", buildtest.Files{"x": "three"})
	b.end = time.Now()
	b.fails(b.url+"/three.git", three, b.url+"/three.git: fetching what the revision names took longer than 15m0s; push again, for what was fetched is kept")
}
