package source

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestBoundary: the history of a shallow clone ends where its objects do. What the server
// has already does not count.
func TestBoundary(t *testing.T) {
	r := newRepo(t)
	one := r.Commit("", files{"a": "1"})
	two := r.Commit(one, files{"a": "2"})
	three := r.Commit(two, files{"a": "3"})
	r.Git("update-ref", "refs/heads/main", three)
	dir := filepath.Join(t.TempDir(), "shallow")
	r.Git("clone", "-q", "--bare", "--depth=2", "file://"+r.Dir, dir)
	empty := newRepo(t)
	for _, test := range []struct {
		dir, known string
		want       []string
	}{
		{dir, empty.Dir, []string{two}},
		{dir, r.Dir, nil},
		{r.Dir, empty.Dir, nil},
	} {
		pushed, err := Open(Options{GitDir: test.dir})
		if err != nil {
			t.Fatal(err)
		}
		defer pushed.Close()
		known, err := Open(Options{GitDir: test.known})
		if err != nil {
			t.Fatal(err)
		}
		defer known.Close()
		if got, err := pushed.Boundary(three, known); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s beside %s ends at %v, %v; want %v (the first commit is %s)", test.dir, test.known, got, err, test.want, one)
		}
	}
}
