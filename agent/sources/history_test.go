package sources

import (
	"archive/tar"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/app"
)

// history is what an import has of a repository: a tar of its folder, as the old server packs it.
func (o *origin) history(dir string) History {
	o.t.Helper()
	h := History{Tar: filepath.Join(o.t.TempDir(), "old.tar"), Branch: "main", Commit: o.git("--git-dir="+dir, "rev-parse", "main"), From: "root@old:/home/dokku/hello", Deploy: true}
	if out, err := exec.Command("tar", "-C", dir, "--ignore-failed-read", "-cf", h.Tar, "refs", "packed-refs", "shallow", "objects").CombinedOutput(); err != nil {
		o.t.Fatalf("tar: %v\n%s", err, out)
	}
	return h
}

func (b *bench) bring(h History) error {
	b.t.Helper()
	return b.importer().Bring(b.t.Context(), "hello", h, b.log)
}

// TestBring: a history comes with all its commits; the same one twice is pushed once; a later
// one moves the branch; one that is later here stays.
func TestBring(t *testing.T) {
	b := newBench(t)
	o := newOrigin(b)
	git := filepath.Join(o.dir, ".git")
	o.commit("main", "two")
	first := o.history(git)
	must(t, b.bring(first))
	b.at("main", first.Commit)
	if n := b.repo("rev-list", "--count", "main"); n != "2" {
		t.Errorf("%s commits came", n)
	}
	if o := b.pushed[0].Origin; o.SkipDeploy || o.Command != "import" || o.Adopt != "main" || o.Source != (app.Source{Kind: app.SourceImport, From: first.From}) {
		t.Errorf("the push is %+v", o)
	}
	relation, err := b.importer().Compare("hello", first)
	if err != nil || relation != Same {
		t.Errorf("%v, %v", relation, err)
	}
	first.Deploy = false // to deploy it needs an engine
	must(t, b.bring(first))
	if len(b.pushed) != 1 {
		t.Errorf("%d pushes", len(b.pushed))
	}
	o.git("--git-dir="+git, "gc", "-q") // packs
	o.commit("main", "three")
	later := o.history(git)
	if relation, err := b.importer().Compare("hello", later); err != nil || relation != Behind {
		t.Errorf("%v, %v", relation, err)
	}
	later.Deploy = false
	must(t, b.bring(later))
	b.at("main", later.Commit)
	if !b.pushed[1].Origin.SkipDeploy {
		t.Error("--skip-deploy deploys")
	}
	if relation, err := b.importer().Compare("hello", first); err != nil || relation != Ahead {
		t.Errorf("%v, %v", relation, err)
	}
	must(t, b.bring(first))
	b.at("main", later.Commit)
	b.tidy()
}

// TestBringShallow: a history that a shallow push began comes as it is.
func TestBringShallow(t *testing.T) {
	b := newBench(t)
	o := newOrigin(b)
	o.commit("main", "two")
	o.commit("main", "three")
	shallow := filepath.Join(t.TempDir(), "shallow.git")
	o.git("clone", "-q", "--bare", "--depth", "2", "file://"+o.dir, shallow)
	h := o.history(shallow)
	must(t, b.bring(h))
	b.at("main", h.Commit)
	if n := b.repo("rev-list", "--count", "main"); n != "2" {
		t.Errorf("%s commits came", n)
	}
	b.repo("fsck", "--connectivity-only")
}

// TestBringOther: another history is refused and named, and changes nothing.
func TestBringOther(t *testing.T) {
	b := newBench(t)
	o := newOrigin(b)
	must(t, b.bring(o.history(filepath.Join(o.dir, ".git"))))
	other := &origin{b, filepath.Join(t.TempDir(), "other.git")}
	b.git("init", "-q", "-b", "main", other.dir)
	other.commit("main", "other")
	h := other.history(filepath.Join(other.dir, ".git"))
	var refused *OtherHistoryError
	if _, err := b.importer().Compare("hello", h); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	if err := b.bring(h); !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), "App hello exists here with another history: its branch main is at ") {
		t.Errorf("%v", err)
	}
	b.at("main", o.run("rev-parse", "main"))
	b.tidy()
}

// TestBringHostile: no name of a tar leads out of the repository, and nothing but objects and
// the boundary is taken.
func TestBringHostile(t *testing.T) {
	b := newBench(t)
	o := newOrigin(b)
	h := o.history(filepath.Join(o.dir, ".git"))
	file := filepath.Join(t.TempDir(), "hostile.tar")
	f, err := os.Create(file)
	must(t, err)
	w := tar.NewWriter(f)
	for _, name := range []string{"../../../escaped", "/tmp/escaped", "config", "hooks/post-update", "objects/info/alternates", "objects/pack/../../../../../escaped",
		"objects/aa/../../config"} {
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: 1, Typeflag: tar.TypeReg}))
		w.Write([]byte("x"))
	}
	must(t, w.WriteHeader(&tar.Header{Name: "objects/aa", Linkname: "/tmp", Typeflag: tar.TypeSymlink}))
	must(t, errors.Join(w.Close(), f.Close()))
	h.Tar = file
	if err := b.bring(h); err == nil || !strings.Contains(err.Error(), "has no commit") {
		t.Errorf("%v", err)
	}
	b.untouched()
	if _, err := os.Stat(filepath.Join(b.server.Env.Store.Own(), "escaped")); err == nil {
		t.Error("a file escaped")
	}
	must(t, os.WriteFile(file, []byte("no tar at all, but long enough to be read as a header"), 0o600))
	if err := b.bring(h); err == nil || !strings.Contains(err.Error(), "no whole tar") {
		t.Errorf("%v", err)
	}
	b.untouched()
}
