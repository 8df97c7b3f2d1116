package source

import (
	"context"
	"strings"
	"testing"
)

// TestIgnored: what .dockerignore leaves out of the build does not reject, and is not in
// the tree. Anything else is as without .dockerignore.
func TestIgnored(t *testing.T) {
	r := newRepo(t)
	blob := func(s string) string { return r.Object("blob", []byte(s)) }
	pointer := blob("version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0", 64) + "\nsize 1\n")
	dir := func(e ...treeEntry) string { return r.rawTree(e...) }
	x := blob("x")
	for _, c := range []struct {
		name, ignore, special string
		docs                  []treeEntry // of the folder docs
		want                  string      // error; "": the tree is without docs
	}{
		{"LFS", "docs\n", "", []treeEntry{{"100644", "a.psd", pointer}}, ""},
		{"submodule", "docs/**\n", "", []treeEntry{{"160000", "theme", x}}, ""},
		{"odd name", "# c\n\n/docs/\n", "", []treeEntry{{"100644", `a\b`, x}}, ""},
		{"odd folder", "docs", "", []treeEntry{{"40000", "a\nb", dir(treeEntry{"100644", "x", x})}}, ""},
		{"link", "docs", "", []treeEntry{{"120000", "l", blob("a\x00b")}}, ""},
		{"mode", "docs", "", []treeEntry{{"20644", "null", x}}, ""},
		{"pattern", "**/*.psd\n", "", []treeEntry{{"100644", "a.psd", pointer}}, ""},
		{"BOM and CRLF", "\ufeffdocs\r\n", "", []treeEntry{{"100644", "a.psd", pointer}}, ""},
		{"exception elsewhere", "docs\n!docs/keep\n", "", []treeEntry{{"100644", "a.psd", pointer}}, ""},
		{"all but", "*\n!Dockerfile\n", "", []treeEntry{{"160000", "theme", x}}, ""},
		{"of the Dockerfile", "", "docs\n", []treeEntry{{"160000", "theme", x}}, ""},
		{"exception", "docs\n!docs/a.psd\n", "", []treeEntry{{"100644", "a.psd", pointer}}, "docs/a.psd: it is a Git LFS pointer"},
		{"exception of a folder", "docs\n!docs/theme\n", "", []treeEntry{{"160000", "theme", x}}, "docs/theme: it is a submodule"},
		{"the Dockerfile's wins", "docs\n", "other\n", []treeEntry{{"160000", "theme", x}}, "docs/theme: it is a submodule"},
		{"other folder", "doc\ndocs2\n", "", []treeEntry{{"160000", "theme", x}}, "docs/theme: it is a submodule"},
		{"none", "", "", []treeEntry{{"100644", `a\b`, x}}, `docs/a\b: the name "a\\b" has a backslash`},
		{"broken pattern", "docs/[\n", "", []treeEntry{{"160000", "theme", x}}, "docs/theme: it is a submodule"},
		{"twice", "docs\n", "", []treeEntry{{"100644", "a", x}, {"100755", "a", x}}, "docs/a: the folder has this name twice"},
		{"damaged", "docs\n", "", []treeEntry{{"100644", "f", strings.Repeat("1", 40)}}, "docs/f: the repository does not have it"},
	} {
		entries := []treeEntry{{"100644", "Dockerfile", x}, {"40000", "docs", dir(c.docs...)}}
		if c.ignore != "" {
			entries = append([]treeEntry{{"100644", ".dockerignore", blob(c.ignore)}}, entries...)
		}
		if c.special != "" {
			entries = append(entries, treeEntry{"100644", "Dockerfile.dockerignore", blob(c.special)})
		}
		s := r.open()
		commit, err := s.Commit(r.CommitTree(dir(entries...)))
		if err != nil {
			t.Fatal(err)
		}
		tree, err := s.Tree(context.Background(), commit, DefaultLimits)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
			continue
		}
		if err != nil || tree.Files[len(tree.Files)-1].Path != "docs" && !strings.HasSuffix(tree.Files[len(tree.Files)-1].Path, "ignore") {
			t.Errorf("%s: %v, %+v", c.name, err, tree)
		}
	}
}

// TestIgnoredDockerfile: the Dockerfile that is built decides whose .dockerignore counts.
func TestIgnoredDockerfile(t *testing.T) {
	r := newRepo(t)
	tree := r.rawTree(treeEntry{"100644", "Dockerfile.dockerignore", r.Object("blob", []byte("docs\n"))},
		treeEntry{"40000", "docs", r.rawTree(treeEntry{"160000", "theme", strings.Repeat("1", 40)})})
	for dockerfile, refused := range map[string]bool{"": false, "Dockerfile": false, "deploy/x": true} {
		s, err := Open(Options{GitDir: r.Dir, Dockerfile: dockerfile})
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Commit(r.CommitTree(tree))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Validate(context.Background(), c, DefaultLimits); (err != nil) != refused {
			t.Errorf("%q: %v", dockerfile, err)
		}
		s.Close()
	}
}

// TestFileLFS: a control file that .dockerignore leaves out is read all the same, so a
// pointer is no file.
func TestFileLFS(t *testing.T) {
	r := newRepo(t)
	rev := r.Commit("", files{"Dockerfile": "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0", 64) + "\nsize 1\n"})
	if _, _, err := r.open().File(rev, "Dockerfile", 1000); err == nil || !strings.Contains(err.Error(), "cannot read Dockerfile in "+rev[:7]+": it is a Git LFS pointer") {
		t.Errorf("%v", err)
	}
}
