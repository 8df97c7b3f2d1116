package source

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommit(t *testing.T) {
	r := newRepo(t)
	one := r.Commit("", files{"a": "1"})
	two := r.Commit(one, files{"a": "2"})
	r.Git("tag", "-a", "-m", "v", "v1", two)
	s := r.open()
	c, err := s.Commit(two)
	if err != nil {
		t.Fatal(err)
	}
	want := Commit{Hash: two, Short: two[:7], Tree: r.Git("rev-parse", two+"^{tree}"),
		Author: "C <c@example.com>", Subject: "message"}
	if c.Hash != want.Hash || c.Short != want.Short || c.Tree != want.Tree || c.Author != want.Author ||
		c.Subject != want.Subject || len(c.Parents) != 1 || c.Parents[0] != one || c.Time.Unix() != 1700000000 {
		t.Errorf("commit is %+v", c)
	}
	for rev, want := range map[string]string{
		r.Git("rev-parse", "v1"):     "it is a tag, not a commit; push the commit that the tag names",
		c.Tree:                       "it is a tree, not a commit",
		r.Git("rev-parse", two+":a"): "it is a blob, not a commit",
		strings.Repeat("1", 40):      "the repository does not have it",
		"main":                       `cannot use "main" as a revision`,
		two[:12]:                     "not a full SHA-1 id",
	} {
		if _, err := s.Commit(rev); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", rev, err, want)
		}
	}
}

func TestIsAncestor(t *testing.T) {
	r := newRepo(t)
	one := r.Commit("", files{"a": "1"})
	two := r.Commit(one, files{"a": "2"})
	side := r.Commit(one, files{"a": "3"})
	other := r.Commit("", files{"b": "1"})
	merge := r.Git("commit-tree", "-p", side, "-p", two, "-m", "merge", two+"^{tree}")
	s := r.open()
	for _, c := range []struct {
		old, new string
		want     bool
	}{
		{one, one, true}, {one, two, true}, {one, merge, true}, {two, merge, true}, {side, merge, true},
		{two, one, false}, {two, side, false}, {other, two, false}, {strings.Repeat("1", 40), two, false},
	} {
		if got, err := s.IsAncestor(c.old, c.new); got != c.want || err != nil {
			t.Errorf("IsAncestor(%.7s, %.7s) = %v, %v", c.old, c.new, got, err)
		}
	}
	if _, err := s.IsAncestor(one, strings.Repeat("1", 40)); err == nil {
		t.Error("a missing new commit is no error")
	}
}

// TestIsAncestorShallow: a shallow clone's push has no history behind its boundary.
func TestIsAncestorShallow(t *testing.T) {
	r := newRepo(t)
	one := r.Commit("", files{"a": "1"})
	two := r.Commit(one, files{"a": "2"})
	three := r.Commit(two, files{"a": "3"})
	clone := filepath.Join(t.TempDir(), "clone.git")
	r.Git("clone", "-q", "--bare", "--depth", "2", "file://"+r.Dir, clone)
	s := openAt(t, clone)
	if got, err := s.IsAncestor(two, three); !got || err != nil {
		t.Errorf("parent: %v, %v", got, err)
	}
	if got, err := s.IsAncestor(strings.Repeat("1", 40), three); got || err != nil {
		t.Errorf("behind the boundary: %v, %v", got, err)
	}
}

func TestFile(t *testing.T) {
	r := newRepo(t)
	rev := r.Commit("", files{"Procfile": "web: x\n", "120000 CHECKS": "/Procfile",
		"app.json/x": "1", "big": strings.Repeat("x", 2000), "sub/deep/f": "y"})
	s := r.open()
	for _, name := range []string{"Procfile", "sub/deep/f", "./Procfile"} {
		if b, ok, err := s.File(rev, name, 100); err != nil || !ok || len(b) == 0 {
			t.Errorf("%s: %q, %v, %v", name, b, ok, err)
		}
	}
	for _, name := range []string{"DOKKU_SCALE", "procfile", "sub/other/f", "Procfile/x"} {
		if _, ok, err := s.File(rev, name, 100); ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	for name, want := range map[string]string{
		"CHECKS":   "CHECKS in " + rev[:7] + ": the symbolic link CHECKS -> /Procfile leads out of the repository",
		"app.json": "it is not a file (mode 040000)",
		"big":      "the blob has 2.0 kB, more than 1.0 kB",
	} {
		if _, _, err := s.File(rev, name, 1000); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func TestFiles(t *testing.T) {
	r := newRepo(t)
	rev := r.Commit("", files{"a": "1", "100755 b": "1", "120000 c": "a", "d/e": "1", "d/f/g": "1"})
	s := r.open()
	for dir, want := range map[string]string{".": "a b", "d": "e", "d/f": "g", "none": "", "a": "", "d/none/x": ""} {
		if names, err := s.Files(rev, dir); strings.Join(names, " ") != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", dir, names, err, want)
		}
	}
	if names, err := s.Files(strings.Repeat("1", 40), "."); err == nil {
		t.Errorf("a missing revision has %q", names)
	}
}

func TestChanged(t *testing.T) {
	r := newRepo(t)
	one := r.Commit("", files{"a": "1", "b": "1", "d/x": "1", "d/y": "1", "e/f/g": "1"})
	two := r.Commit(one, files{"a": "2", "100755 b": "1", "d/x": "", "e/f/g": "", "e/f": "1", "n": "1"})
	s := r.open()
	for _, c := range []struct {
		old, new string
		want     int
	}{{"", one, 5}, {one, one, 0}, {one, two, 6}, {two, one, 6}, {strings.Repeat("0", 40), two, 5}} {
		if n, err := s.Changed(context.Background(), c.old, c.new, 1000); n != c.want || err != nil {
			t.Errorf("%.7s..%.7s: %d, %v, want %d", c.old, c.new, n, err, c.want)
		}
	}
	if n, err := s.Changed(context.Background(), "", one, 3); n != 3 || err != nil {
		t.Errorf("limited: %d, %v", n, err)
	}
}

// TestFolder: a commit is narrowed to one of its folders, and its files are then those of
// that folder alone.
func TestFolder(t *testing.T) {
	r := newRepo(t)
	rev := r.Commit("", files{"Procfile": "root", "apps/web/Procfile": "web", "120000 current": "apps/web", "120000 away": "../x", "120000 apps/web/up": "../../Procfile"})
	s := r.open()
	root, err := s.Commit(rev)
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{"": "root", "apps/web": "web", "./apps/web/": "web", "current": "web", "apps/../apps/web": "web"} {
		c, err := s.Folder(t.Context(), root, dir)
		if err != nil {
			t.Fatal(err)
		}
		b, ok, err := s.Read(c, "Procfile", 100)
		if string(b) != want || !ok || err != nil || c.Hash != rev || c.Short != rev[:7] {
			t.Errorf("%q: %q, %v, %v, %+v", dir, b, ok, err, c)
		}
	}
	for dir, want := range map[string]string{
		"api":      "it is not in the repository",
		"Procfile": "it is not a folder",
		"..":       "the path leads out of the repository; correct it",
		"away":     "the symbolic link away -> ../x leads out of the repository; commit the file itself, or link to one in the repository",
	} {
		if _, err := s.Folder(t.Context(), root, dir); err == nil || err.Error() != "cannot build the folder "+dir+" of "+rev[:7]+": "+want {
			t.Errorf("%s: %v, want %s", dir, err, want)
		}
	}
	web, err := s.Folder(t.Context(), root, "apps/web")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Read(web, "up", 100); err == nil || !strings.HasPrefix(err.Error(), "cannot read up in "+rev[:7]+": the symbolic link up -> ../../Procfile leads out of the folder apps/web; commit the file itself, or link to one in the folder apps/web") {
		t.Errorf("a link out of the folder: %v", err)
	}
}
