package source

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// FuzzTree: of a tree of anybody's making, what is accepted has names that every file system takes as
// they are, each once, in order and within the limits, and so has the archive that a build gets; and the
// reader of trees loses and adds no byte.
func FuzzTree(f *testing.F) {
	for _, s := range []string{"100644 a\n40000 b\n100755 c", "100644 ..\n100644 a", "120000 l\n100644 l", "100644 .git", "100644 GIT~1", "40000 a\n100644 a.b\n100644 a", "160000 s",
		"100644 a/b", "100644 \x1b[2J", "100644 \u202ea", "100600 a\n0 b\n777777 c", "40000 a\n40000 a", "100644 .gitattributes\n100644 .dockerignore\n100644 .gitmodules", "120000 Dockerfile"} {
		f.Add(s, "text", []byte(s))
	}
	f.Add("100644 a", "../../etc/passwd", []byte("100644 a\x00aaaaaaaaaaaaaaaaaaaa"))
	f.Add("120000 a\n120000 b", "/etc/passwd", []byte("40000 \x00aaaaaaaaaaaaaaaaaaaa"))
	l := Limits{Files: 30, Depth: 4, Name: 40, Path: 100, Blob: 1000, Total: 5000}
	shared := newRepo(f)
	f.Fuzz(func(t *testing.T, lines, blob string, raw []byte) {
		r := shared
		r.T = t
		var b bytes.Buffer
		whole := true
		for e, err := range gitEntries(raw) {
			if whole = err == nil; whole {
				fmt.Fprintf(&b, "%o %s\x00%s", e.mode, e.name, e.hash[:])
			}
		}
		if whole && b.Len() > len(raw) {
			t.Errorf("%q is read as %q", raw, b.String())
		}
		content := r.Object("blob", []byte(blob))
		inner := r.rawTree(treeEntry{"100644", "x", content})
		var entries []treeEntry
		for _, line := range strings.Split(lines, "\n") {
			mode, name, _ := strings.Cut(line, " ")
			if strings.ContainsRune(name, 0) || len(entries) > 40 {
				return
			}
			id := content
			if mode == "40000" {
				id = inner
			}
			entries = append(entries, treeEntry{mode, name, id})
			if len(entries)%5 == 0 {
				inner = r.rawTree(entries...)
			}
		}
		s, err := Open(Options{GitDir: r.Dir})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		tree, err := s.Tree(t.Context(), Commit{Tree: r.rawTree(entries...), Short: "3f2c1d9"}, l)
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || 0x80 <= r && r <= 0x9f || r == 0x202e }) {
				t.Errorf("the error has control characters: %q", err)
			}
			return
		}
		if len(tree.Files) > l.Files || tree.Stats.Bytes > l.Total {
			t.Errorf("%d entries, %+v", len(tree.Files), tree.Stats)
		}
		known := map[string]bool{}
		for i, e := range tree.Files {
			for _, name := range strings.Split(e.Path, "/") {
				if err := checkName(name, l.Name); err != nil {
					t.Errorf("%q is accepted: %v", e.Path, err)
				}
			}
			if known[e.Path] || i > 0 && comparePath(tree.Files[i-1].Path, e.Path) >= 0 || !tree.Has(e.Path) || len(e.Path) > l.Path || strings.Count(e.Path, "/") > l.Depth {
				t.Errorf("%q is out of order, there twice or too deep", e.Path)
			}
			known[e.Path] = true
		}
		checkTar(t, s, tree)
	})
}

// checkTar compares a tree with the archive of it.
func checkTar(t *testing.T, s *Source, tree *Tree) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := errors.Join(s.Archive(t.Context(), tree, Owner{}, w), w.Close()); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(&b)
	for _, e := range tree.Files {
		h, err := r.Next()
		if err != nil || strings.TrimSuffix(h.Name, "/") != e.Path || h.Linkname != e.Link || !e.IsDir() && !e.IsLink() && h.Size != e.Size {
			t.Fatalf("%q is in the archive as %+v, %v", e.Path, h, err)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("the archive has more than the tree: %v", err)
	}
}
