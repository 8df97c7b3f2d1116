package source

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// small limits, so that every budget can be exceeded cheaply.
var small = Limits{Files: 20, Depth: 3, Name: 30, Path: 40, Blob: 100, Total: 250}

func validate(t *testing.T, r repo, tree string, l Limits) (Stats, error) {
	t.Helper()
	s := r.open()
	c, err := s.Commit(r.CommitTree(tree))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(context.Background(), c, l)
}

func TestValidateNames(t *testing.T) {
	r := newRepo(t)
	blob := r.Object("blob", []byte("x"))
	bad := []string{
		"", ".", "..", "a/b", "/etc/passwd", `a\b`, "a\nb", "a\x1b[31mb", "a\x7f", "caf\u0085e", "\xff\xfe",
		".git", ".GIT", ".Git", ".git ", ".git.", ".git . .", ".git::$INDEX_ALLOCATION", "git~1", "GIT~1",
		"git~1 ", ".g\u200cit", "\ufeff.git", ".gi\u206ft", ".g\u200dI\u202et..", strings.Repeat("n", 31),
	}
	for _, name := range bad {
		for _, dir := range []bool{false, true} {
			e := treeEntry{"100644", name, blob}
			if dir {
				e = treeEntry{"40000", name, r.rawTree(treeEntry{"100644", "x", blob})}
			}
			_, err := validate(t, r, r.rawTree(e), small)
			if err == nil {
				t.Errorf("%q (folder %v) is accepted", name, dir)
				continue
			}
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
				t.Errorf("%q: the message has control characters: %q", name, err)
			}
		}
	}
	for _, name := range []string{".gitignore", ".github", "git", "git~10", ".gitx", "é", "日本", "a b", "~", "...", "a:b"} {
		if st, err := validate(t, r, r.rawTree(treeEntry{"100644", name, blob}), small); err != nil || st.Files != 1 {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestValidateTrees(t *testing.T) {
	r := newRepo(t)
	blob := func(s string) string { return r.Object("blob", []byte(s)) }
	x, big := blob("x"), blob(strings.Repeat("b", 101))
	dir := r.rawTree(treeEntry{"100644", "x", x})
	deep := dir
	for range 4 {
		deep = r.rawTree(treeEntry{"40000", "d", deep})
	}
	var many, total []treeEntry
	for i := range 21 {
		many = append(many, treeEntry{"100644", fmt.Sprintf("f%02d", i), x})
	}
	for i := range 3 {
		total = append(total, treeEntry{"100644", fmt.Sprintf("f%02d", i), blob(strings.Repeat(fmt.Sprint(i), 99))})
	}
	pointer := blob("version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0", 20) + "\nsize 1\n")
	for _, c := range []struct {
		name, tree, want string
	}{
		{"duplicate", r.rawTree(treeEntry{"100644", "a", x}, treeEntry{"100755", "a", x}), "a: the folder has this name twice"},
		{"file and folder", r.rawTree(treeEntry{"100644", "a", x}, treeEntry{"100644", "a.b", x}, treeEntry{"40000", "a", dir}),
			"a: the folder has this name twice"},
		{"submodule", r.rawTree(treeEntry{"40000", "d", r.rawTree(treeEntry{"160000", "vendor", x})}),
			"d/vendor: it is a submodule, which was not fetched"},
		{"device", r.rawTree(treeEntry{"20644", "null", x}), "null: its mode 020644 is not a file's mode"},
		{"fifo", r.rawTree(treeEntry{"10644", "p", x}), "p: its mode 010644"},
		{"mode 0", r.rawTree(treeEntry{"0", "p", x}), "p: its mode 000000"},
		{"LFS", r.rawTree(treeEntry{"100644", "model.bin", pointer}), "model.bin: it is a Git LFS pointer"},
		{"depth", deep, "d/d/d/d: it lies in more than 3 folders"},
		{"files", r.rawTree(many...), "more than 20 files and folders"},
		{"blob", r.rawTree(treeEntry{"100644", "big", big}), "big: it has 101 B, more than 100 B"},
		{"total", r.rawTree(total...), "f02: with it the files have more than 250 B"},
		{"path", r.rawTree(treeEntry{"40000", strings.Repeat("d", 30), r.rawTree(treeEntry{"100644", strings.Repeat("n", 15), x})}),
			"its path has 46 bytes, more than 40"},
		{"empty link", r.rawTree(treeEntry{"120000", "l", blob("")}), "l: its link target has 0 bytes"},
		{"binary link", r.rawTree(treeEntry{"120000", "l", blob("a\x00b")}), "is not text in UTF-8"},
		{"missing blob", r.rawTree(treeEntry{"100644", "f", strings.Repeat("1", 40)}), "f: the repository does not have it"},
		{"tree as blob", r.rawTree(treeEntry{"120000", "f", dir}), "f: the repository does not have it"},
		{"blob as tree", r.rawTree(treeEntry{"40000", "f", x}), "f: the repository does not have it"},
		{"damaged", r.Object("tree", []byte("100644 a\x00short")), "the root folder: a tree is damaged"},
		{"no mode", r.Object("tree", []byte(" a\x0012345678901234567890")), "a tree is damaged"},
		{"long mode", r.Object("tree", []byte("1006440000 a\x0012345678901234567890")), "a tree is damaged"},
	} {
		l := small
		if c.name == "LFS" {
			l.Blob = 1000
		}
		_, err := validate(t, r, c.tree, l)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot deploy ") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	// Old gits wrote modes that fsck still accepts.
	if st, err := validate(t, r, r.rawTree(treeEntry{"100664", "a", x}, treeEntry{"040000", "b", dir}), small); err != nil || st != (Stats{2, 2}) {
		t.Errorf("old modes: %+v, %v", st, err)
	}
	if st, err := validate(t, r, r.rawTree(), small); err != nil || st != (Stats{}) {
		t.Errorf("empty tree: %+v, %v", st, err)
	}
}

// TestValidateBomb: eleven trees can name 10^10 files, or as many empty folders.
func TestValidateBomb(t *testing.T) {
	r := newRepo(t)
	for name, tree := range map[string]string{
		"files":   r.rawTree(treeEntry{"100644", "f", r.Object("blob", []byte("x"))}),
		"folders": r.rawTree(),
	} {
		for range 10 {
			var entries []treeEntry
			for i := range 10 {
				entries = append(entries, treeEntry{"40000", fmt.Sprintf("d%d", i), tree})
			}
			tree = r.rawTree(entries...)
		}
		start := time.Now()
		_, err := validate(t, r, tree, DefaultLimits)
		if err == nil || !strings.Contains(err.Error(), "more than 200000 files and folders") {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
	}
}

func TestValidateCanceled(t *testing.T) {
	r := newRepo(t)
	s := r.open()
	c, err := s.Commit(r.Commit("", files{"a/b": "1"}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Validate(ctx, c, DefaultLimits); err == nil {
		t.Error("validated after the end of its context")
	}
}

// TestTreeOrder: BuildKit rejects a walk whose paths are out of order, and git's order
// differs.
func TestTreeOrder(t *testing.T) {
	r := newRepo(t)
	s := r.open()
	c, err := s.Commit(r.Commit("", files{"a.b": "1", "a/x": "1", "a-b/x": "1", "a0": "1", "B": "1", "é": "1", "a/x.y/z": "1", "a/x-y": "1"}))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.Tree(context.Background(), c, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for i, f := range tree.Files {
		paths = append(paths, f.Path)
		if tree.Find(f.Path) != i {
			t.Errorf("find(%q) = %d, want %d", f.Path, tree.Find(f.Path), i)
		}
	}
	want := strings.Fields("B a a/x a/x-y a/x.y a/x.y/z a-b a-b/x a.b a0 é")
	if !slices.Equal(paths, want) {
		t.Errorf("order is %q, want %q", paths, want)
	}
	if n := tree.Find("zz"); n != len(tree.Files)-1 {
		t.Errorf("find of what is not there: %d", n)
	}
}
