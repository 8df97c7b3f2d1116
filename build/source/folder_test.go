package source

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestAddFolder: an added folder is in the tree as if it had been committed, in its order.
func TestAddFolder(t *testing.T) {
	r := newRepo(t)
	rev := r.Commit("", files{".a": "1", "b/c": "2"})
	dir := t.TempDir()
	for name, text := range map[string]string{"HEAD": "ref: x\n", "objects/p": "packed", "HEAD2": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := r.open()
	defer s.Close()
	c, err := s.Commit(rev)
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.Validate(t.Context(), c, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddFolder(t.Context(), c, ".git", dir); err != nil {
		t.Fatal(err)
	}
	tree, err := s.Tree(t.Context(), c, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range tree.Files {
		paths = append(paths, e.Path)
	}
	if want := []string{".a", ".git", ".git/HEAD", ".git/HEAD2", ".git/objects", ".git/objects/p", "b", "b/c"}; !slices.Equal(paths, want) {
		t.Errorf("the tree has %v, want %v", paths, want)
	}
	if got := tree.Stats; got.Files != before.Files+3 || got.Bytes != before.Bytes+13 {
		t.Errorf("the tree counts %+v after %+v", got, before)
	}
	rc, err := s.Blob(tree.Files[tree.Find(".git/objects/p")].Blob)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if b, err := io.ReadAll(rc); err != nil || string(b) != "packed" {
		t.Errorf("the file has %q, %v", b, err)
	}
}
