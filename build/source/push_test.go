package source

import (
	"path/filepath"
	"strings"
	"testing"

	"dokku/build/buildtest"
)

// pusher is a repository to push from; the hook validates only.
func pusher(t *testing.T) (from, to repo) {
	from, to = newRepo(t), newRepo(t)
	to.Hook()
	return from, to
}

// TestPushQuarantine: git unpacks a small push into loose objects and keeps a large one as a
// pack. Both are read in the quarantine, where they stay until the hook has ended.
func TestPushQuarantine(t *testing.T) {
	for _, n := range []int{1, 5000} {
		from, to := pusher(t)
		rev := from.Commit("", buildtest.ManyFiles(n, 200))
		p := from.push(to)
		if p.Commit.Hash != rev || p.Stats.Files != n+1 || !strings.Contains(p.Dirs[0], "incoming-") {
			t.Errorf("%d files: %+v in %q", n, p.Stats, p.Dirs)
		}
	}
}

// TestPushOntoPack: the second push brings a few loose objects; the rest is in the
// repository's pack, partly as deltas.
func TestPushOntoPack(t *testing.T) {
	from, to := pusher(t)
	f := files{"Dockerfile": "FROM scratch\n", "log": strings.Repeat("line of a log\n", 1000)}
	one := from.Commit("", f)
	from.push(to)
	f["log"] += "one more\n"
	two := from.Commit(one, f)
	from.push(to)
	to.Git("gc", "-q")
	three := from.Commit(two, files{"new": "file"})
	p := from.push(to)
	if p.Commit.Hash != three || p.Stats.Files != 3 || len(p.Dirs) != 2 {
		t.Errorf("%+v", p)
	}
	s := to.open()
	for rev, want := range map[string]int{one: 14000, two: 14009, three: 14009} {
		if b, ok, err := s.File(rev, "log", 1<<20); err != nil || !ok || len(b) != want {
			t.Errorf("%.7s: %d bytes, %v, %v", rev, len(b), ok, err)
		}
	}
}

// TestPushAlternates: objects of the pushed commit are in a repository that the receiver
// borrows from. git quotes a path with a colon or a quote.
func TestPushAlternates(t *testing.T) {
	from := newRepo(t)
	one := from.Commit("", buildtest.ManyFiles(150, 100))
	lender := filepath.Join(t.TempDir(), `le:n"d é.git`)
	from.Git("clone", "-q", "--bare", "file://"+from.Dir, lender)
	to := repo{buildtest.At(t, filepath.Join(t.TempDir(), `re:po"s é.git`))}
	from.Git("clone", "-q", "--bare", "--shared", lender, to.Dir)
	to.Hook()
	from.Commit(one, files{"new": "file"})
	p := from.push(to)
	if p.Stats.Files != 152 || len(p.Dirs) != 3 {
		t.Errorf("%+v in %q", p.Stats, p.Dirs)
	}
}

func TestPushRejected(t *testing.T) {
	from, to := pusher(t)
	x := from.Object("blob", []byte("x"))
	from.Git("update-ref", "refs/heads/main", from.CommitTree(from.rawTree(treeEntry{"100644", ".git ", x})))
	p := from.push(to)
	if !strings.Contains(p.Failed, `".git " is git's own folder to some file system`) {
		t.Errorf("failed with %q", p.Failed)
	}
	if out, err := to.Try(to.Dir, nil, nil, "rev-parse", "-q", "--verify", "main"); err == nil {
		t.Errorf("main moved to %s", out)
	}
}

// git gc moves what a rebuild is reading.
func TestReadDuringGC(t *testing.T) {
	r := newRepo(t)
	rev := r.Commit("", files{"a": "1", "b": "2"})
	s := r.open()
	if _, err := s.Commit(rev); err != nil {
		t.Fatal(err)
	}
	r.Git("gc", "-q", "--prune=now")
	if b, ok, err := s.File(rev, "b", 10); err != nil || !ok || string(b) != "2" {
		t.Errorf("after gc: %q, %v, %v", b, ok, err)
	}
}
