package source

import (
	"context"
	"strings"
	"testing"
)

// TestLongPatterns: a pattern of 60 KiB with stars is compared with a long path for a minute, by one
// call that nothing ends. A long line of .gitattributes was read again for each pointer of Git LFS.
func TestLongPatterns(t *testing.T) {
	r := newRepo(t)
	blob := func(text string) string { return r.Object("blob", []byte(text)) }
	long := strings.Repeat("**/a", 300)
	for _, c := range []struct {
		entries []treeEntry
		want    string
	}{
		{[]treeEntry{{"100644", ".dockerignore", blob("# " + long + "\ndocs\n" + long + "\n")}}, ".dockerignore:3: the pattern has 1200 bytes, more than 1024; write a shorter one"},
		{[]treeEntry{{"100644", "Dockerfile.dockerignore", blob(long)}}, "Dockerfile.dockerignore:1: the pattern has 1200 bytes"},
		{[]treeEntry{{"100644", ".dockerignore", blob(long[:MaxPattern] + "\n")}}, ""},
		{[]treeEntry{{"100644", ".gitattributes", blob("*.png text\n*.bin filter=lfs" + strings.Repeat(" x", 600) + "\n")}, {"100644", "a.bin", blob(pointer(oidA, 9))}},
			".gitattributes:2: the pattern has 1216 bytes"},
	} {
		s := r.openWith(&shelf{})
		commit, err := s.Commit(r.CommitTree(r.rawTree(c.entries...)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Validate(context.Background(), commit, DefaultLimits); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TestWeight: patterns of many stars cost more, the longer the path is, so that few of them cannot
// keep a server busy for hours. Patterns that people write count once.
func TestWeight(t *testing.T) {
	for _, c := range []struct {
		patterns []string
		path     int
		want     int
	}{
		{nil, 3000, 0},
		{[]string{"node_modules", "**/*.log", "!docs/**/*.md"}, 3000, 3},
		{[]string{"**/a/**/b/**/c/*.log"}, 160, 1 + 10},
		{[]string{strings.Repeat("*a", 500)}, 3200, 1 + 497*200},
	} {
		if got := Weigh(c.patterns...).With(c.path); got != c.want {
			t.Errorf("%.30q and a path of %d bytes cost %d, want %d", c.patterns, c.path, got, c.want)
		}
	}
	r := newRepo(t)
	tree := r.rawTree(treeEntry{"100644", ".dockerignore", r.Object("blob", []byte(strings.Repeat("*a", 500)+"\n"))})
	list := make([]Entry, 1200)
	for i := range list {
		list[i].Path = strings.Repeat("a", 3000)
	}
	s := r.open()
	if err := s.checkIgnore(t.Context(), tree, list); err == nil || err.Error() != ".dockerignore has too many patterns (1) for 1200 files; remove some" {
		t.Error(err)
	}
	if err := s.checkIgnore(t.Context(), tree, list[:100]); err != nil {
		t.Error(err)
	}
}
