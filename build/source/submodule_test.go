package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// shelf plays Remotes: a repository for each URL, a file for each OID. It notes what was
// asked for.
type shelf struct {
	repos map[string]repo
	asked []Submodule
	files map[string]string // contents of LFS, by OID
	large []LFSRequest
}

func (s *shelf) Submodule(_ context.Context, m Submodule) (Repository, error) {
	s.asked = append(s.asked, m)
	r, ok := s.repos[m.URL]
	if !ok {
		return Repository{}, fmt.Errorf("its URL in %s, line %d, is %s: nobody answers", m.File, m.Line, m.URL)
	}
	return Repository{Objects: filepath.Join(r.Dir, "objects"), URL: m.URL}, nil
}

func (s *shelf) LFS(_ context.Context, q LFSRequest) (map[string]string, error) {
	s.large = append(s.large, q)
	files := map[string]string{}
	for _, o := range q.Objects {
		name, ok := s.files[o.OID]
		if !ok {
			return nil, fmt.Errorf("%s: nobody has %s", o.Path, o.OID)
		}
		files[o.OID] = name
	}
	return files, nil
}

// remote adds a repository.
func (s *shelf) remote(t *testing.T, url string) repo {
	if s.repos == nil {
		s.repos = map[string]repo{}
	}
	s.repos[url] = newRepo(t)
	return s.repos[url]
}

// openWith opens a repository whose submodules are on the shelf.
func (r repo) openWith(s *shelf) *Source {
	r.T.Helper()
	src, err := Open(Options{GitDir: r.Dir, Remotes: s})
	if err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(func() { src.Close() })
	return src
}

// gitmodules is the text of a file with these paths and URLs.
func gitmodules(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "[submodule \"%s\"]\n\tpath = %[1]s\n\turl = %s\n", pairs[i], pairs[i+1])
	}
	return b.String()
}

// listed are the files of a tree with their contents.
func listed(t *testing.T, s *Source, c Commit) string {
	t.Helper()
	tree, err := s.Tree(context.Background(), c, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range tree.Files {
		if f.IsDir() {
			fmt.Fprintf(&b, "%s/\n", f.Path)
			continue
		}
		r, err := s.Blob(f.Blob)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s\n", f.Path, strings.ReplaceAll(string(text), "\n", "|"))
	}
	return b.String()
}

// TestSubmodules: the files of submodules are where a recursive clone has them, also in a
// build-dir, and links and control files find them.
func TestSubmodules(t *testing.T) {
	shelf := &shelf{}
	inner := shelf.remote(t, "https://example.com/inner.git").Commit("", files{"deep.txt": "deep", "Procfile": "web: inner"})
	lib := shelf.remote(t, "https://example.com/lib.git")
	libCommit := lib.CommitTree(lib.rawTree(
		treeEntry{"100644", ".gitmodules", lib.Object("blob", []byte(gitmodules("in", "https://example.com/inner.git")))},
		treeEntry{"160000", "in", inner},
		treeEntry{"100644", "lib.c", lib.Object("blob", []byte("lib"))}))
	r := newRepo(t)
	blob := func(s string) string { return r.Object("blob", []byte(s)) }
	rev := r.CommitTree(r.rawTree(
		treeEntry{"100644", ".gitmodules", blob(gitmodules("web/lib", "https://example.com/lib.git", "gone", "https://example.com/gone.git"))},
		treeEntry{"100644", "a", blob("a")},
		treeEntry{"120000", "short", blob("web/lib")},
		treeEntry{"40000", "web", r.rawTree(
			treeEntry{"120000", "Procfile", blob("lib/in/Procfile")},
			treeEntry{"160000", "lib", libCommit},
			treeEntry{"100644", "z", blob("z")})}))

	modules := ".gitmodules " + strings.ReplaceAll(gitmodules("in", "https://example.com/inner.git"), "\n", "|") + "\n"
	s := r.openWith(shelf)
	c, err := s.Commit(rev)
	if err != nil {
		t.Fatal(err)
	}
	want := ".gitmodules " + strings.ReplaceAll(gitmodules("web/lib", "https://example.com/lib.git", "gone", "https://example.com/gone.git"), "\n", "|") +
		"\na a\nshort web/lib\nweb/\nweb/Procfile lib/in/Procfile\nweb/lib/\nweb/lib/" + modules +
		"web/lib/in/\nweb/lib/in/Procfile web: inner|\nweb/lib/in/deep.txt deep|\nweb/lib/lib.c lib\nweb/z z\n"
	want = strings.ReplaceAll(want, "inner|", "inner")
	want = strings.ReplaceAll(want, "deep|", "deep")
	if got := listed(t, s, c); got != want {
		t.Errorf("the tree is\n%s\nwant\n%s", got, want)
	}
	asked := []Submodule{
		{Path: "web/lib", Commit: libCommit, URL: "https://example.com/lib.git", File: ".gitmodules", Line: 3},
		{Path: "web/lib/in", Commit: inner, URL: "https://example.com/inner.git", File: "web/lib/.gitmodules", Line: 3, Base: "https://example.com/lib.git"},
	}
	if fmt.Sprint(shelf.asked) != fmt.Sprint(asked) {
		t.Errorf("asked for %+v, want %+v", shelf.asked, asked)
	}
	if text, ok, err := s.File(rev, "web/Procfile", 100); err != nil || !ok || string(text) != "web: inner" {
		t.Errorf("web/Procfile is %q, %t, %v", text, ok, err)
	}
	if names, err := s.Files(rev, "short"); err != nil || fmt.Sprint(names) != "[.gitmodules lib.c]" {
		t.Errorf("short has %v, %v", names, err)
	}

	for dir, want := range map[string]string{
		"web/lib":    modules + "in/\nin/Procfile web: inner\nin/deep.txt deep\nlib.c lib\n",
		"web/lib/in": "Procfile web: inner\ndeep.txt deep\n",
		"short/in":   "Procfile web: inner\ndeep.txt deep\n",
		"web":        "Procfile lib/in/Procfile\nlib/\nlib/" + modules + "lib/in/\nlib/in/Procfile web: inner\nlib/in/deep.txt deep\nlib/lib.c lib\nz z\n",
	} {
		s := r.openWith(shelf)
		if c, err = s.Commit(rev); err != nil {
			t.Fatal(err)
		}
		if _, err := s.KnownFolder(c, "web/lib/in"); err == nil {
			t.Error("a folder in a submodule is known before it is fetched")
		}
		in, err := s.Folder(context.Background(), c, dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := listed(t, s, in); got != want {
			t.Errorf("%s: the tree is\n%s\nwant\n%s", dir, got, want)
		}
		if known, err := s.KnownFolder(c, dir); err != nil || known.Tree != in.Tree {
			t.Errorf("%s: known is %+v, %v", dir, known, err)
		}
	}
}

// TestSubmodulesRefused: each text names the path, and what to do.
func TestSubmodulesRefused(t *testing.T) {
	const url = "https://example.com/lib.git"
	for _, c := range []struct{ name, modules, want string }{
		{"no .gitmodules", "", "vendor/lib: it is a submodule, and .gitmodules has no URL for it; add it with git submodule add"},
		{"no URL", "[submodule \"x\"]\n\tpath = vendor/lib\n", "vendor/lib: it is a submodule, and .gitmodules has no URL for it"},
		{"another path", gitmodules("lib", url), "vendor/lib: it is a submodule, and .gitmodules has no URL for it"},
		{"path through a link", gitmodules("link/lib", url), "vendor/lib: it is a submodule, and .gitmodules has no URL for it"},
		{"path out", gitmodules("vendor/lib", url, "../x", url), "vendor/lib: cannot use .gitmodules: line 4: the submodule ../x: its name has .. in it"},
		{"path out alone", "[submodule \"x\"]\n\tpath = ../../etc\n\turl = " + url + "\n", "vendor/lib: cannot use .gitmodules: line 2: the submodule x: its path is ../../etc, which is no path in the repository; correct it"},
		{"absolute path", "# c\n[submodule \"x\"]\n\n\turl = " + url + "\n\tPath = /etc\n", "line 5: the submodule x: its path is /etc, which is no path in the repository"},
		{"path inside out", "[submodule \"x\"]\n\tpath = a/../vendor/lib\n", "line 2: the submodule x: its path is a/../vendor/lib"},
		{"name with ..", "[submodule \"a/../../hooks\"]\n\tpath = vendor/lib\n\turl = " + url + "\n", "line 1: the submodule a/../../hooks: its name has .. in it; rename it"},
		{"two URLs", "[submodule \"x\"]\n\tpath = vendor/lib\n\turl = " + url + "\n\turl = https://example.com/2\n",
			"line 3: the submodule x: it has the url " + url + " and https://example.com/2; remove one"},
		{"two of a path", gitmodules("vendor/lib", url) + "[submodule \"y\"]\n\tpath = vendor/lib\n\turl = b\n", "its path vendor/lib is that of the submodule vendor/lib too; remove one"},
		{"no config", "[submodule \"x\n", "vendor/lib: cannot use .gitmodules: line 1"},
		{"a config that ends", gitmodules("vendor/lib", url) + "\n]]]\n", "vendor/lib: cannot use .gitmodules: line 5"},
		{"nobody answers", gitmodules("vendor/lib", "https://example.com/none.git"),
			"vendor/lib: its URL in .gitmodules, line 3, is https://example.com/none.git: nobody answers"},
	} {
		shelf := &shelf{}
		lib := shelf.remote(t, url).Commit("", files{"x": "x"})
		r := newRepo(t)
		entries := []treeEntry{{"120000", "link", r.Object("blob", []byte("vendor"))}, {"40000", "vendor", r.rawTree(treeEntry{"160000", "lib", lib})}}
		if c.modules != "" {
			entries = append([]treeEntry{{"100644", ".gitmodules", r.Object("blob", []byte(c.modules))}}, entries...)
		}
		s := r.openWith(shelf)
		commit, err := s.Commit(r.CommitTree(r.rawTree(entries...)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Validate(context.Background(), commit, DefaultLimits)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot deploy "+commit.Short+": ") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestSubmoduleValidated: the tree of a submodule is held to the rules and the budgets of
// the pushed one, and submodules to budgets of their own.
func TestSubmoduleValidated(t *testing.T) {
	const url = "https://example.com/lib.git"
	small := Limits{Files: 20, Depth: 5, Name: 50, Path: 60, Blob: 1000, Total: 2000}
	for _, c := range []struct {
		name string
		make func(r repo) (commit string)
		want string
	}{
		{".git", func(r repo) string {
			return r.CommitTree(r.rawTree(treeEntry{"40000", ".git", r.rawTree(treeEntry{"100644", "config", r.Object("blob", []byte("x"))})}))
		}, "vendor/lib/.git: \".git\" is git's own folder to some file system"},
		{"device", func(r repo) string { return r.CommitTree(r.rawTree(treeEntry{"20644", "null", r.Object("blob", nil)})) },
			"vendor/lib/null: its mode 020644 is not a file's mode"},
		{"name", func(r repo) string { return r.CommitTree(r.rawTree(treeEntry{"100644", "..", r.Object("blob", nil)})) }, `vendor/lib/..: ".." is not a name`},
		{"big file", func(r repo) string { return r.Commit("", files{"big": strings.Repeat("x", 1001)}) }, "vendor/lib/big: it has 1.0 kB, more than 1.0 kB"},
		{"total", func(r repo) string {
			return r.Commit("", files{"a": strings.Repeat("a", 900), "b": strings.Repeat("b", 900), "c": strings.Repeat("c", 900)})
		}, "vendor/lib/c: with it the files have more than 2.0 kB"},
		{"many files", func(r repo) string {
			f := files{}
			for i := range 20 {
				f[fmt.Sprint(i)] = "x"
			}
			return r.Commit("", f)
		}, "more than 20 files and folders"},
		{"depth", func(r repo) string { return r.Commit("", files{"a/b/c/d/e": "x"}) }, "vendor/lib/a/b/c/d: it lies in more than 5 folders"},
		{"not a commit", func(r repo) string { return r.rawTree() }, "vendor/lib: cannot read the commit "},
		{"missing", func(repo) string { return strings.Repeat("1", 40) }, "vendor/lib: cannot read the commit 1111111"},
		{"link as .gitmodules", func(r repo) string {
			return r.CommitTree(r.rawTree(treeEntry{"120000", ".gitmodules", r.Object("blob", []byte("x"))}, treeEntry{"160000", "in", strings.Repeat("1", 40)}))
		}, "vendor/lib/in: vendor/lib/.gitmodules is not a file (mode 120000); commit a plain file"},
	} {
		shelf := &shelf{}
		lib := shelf.remote(t, url)
		commit := c.make(lib)
		r := newRepo(t)
		s := r.openWith(shelf)
		pushed, err := s.Commit(r.CommitTree(r.rawTree(treeEntry{"100644", ".gitmodules", r.Object("blob", []byte(gitmodules("vendor/lib", url)))},
			treeEntry{"40000", "vendor", r.rawTree(treeEntry{"160000", "lib", commit})})))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.Validate(context.Background(), pushed, small); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestSubmoduleChain: a repository that has its own former commit as a submodule, and one
// with many submodules.
func TestSubmoduleChain(t *testing.T) {
	const url = "https://example.com/self.git"
	shelf := &shelf{}
	self := shelf.remote(t, url)
	commit := self.Commit("", files{"x": "x"})
	for range 9 {
		commit = self.CommitTree(self.rawTree(treeEntry{"100644", ".gitmodules", self.Object("blob", []byte(gitmodules("in", url)))},
			treeEntry{"160000", "in", commit}))
	}
	s := self.openWith(shelf)
	c, err := s.Commit(commit)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Validate(context.Background(), c, DefaultLimits)
	if want := "in/in/in/in/in/in/in/in/in: it lies in more than 8 submodules; commit its files instead"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	var many []treeEntry
	var pairs []string
	for i := range 101 {
		many = append(many, treeEntry{"160000", fmt.Sprintf("m%03d", i), self.Git("rev-parse", "main")})
		pairs = append(pairs, fmt.Sprintf("m%03d", i), url)
	}
	entries := append([]treeEntry{{"100644", ".gitmodules", self.Object("blob", []byte(gitmodules(pairs...)))}}, many...)
	s = self.openWith(shelf)
	if c, err = s.Commit(self.CommitTree(self.rawTree(entries...))); err != nil {
		t.Fatal(err)
	}
	_, err = s.Validate(context.Background(), c, DefaultLimits)
	if want := "m100: with it, the revision has more than 100 submodules"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// TestSubmoduleIgnored: what .dockerignore leaves out is not fetched; what an exception
// may want is.
func TestSubmoduleIgnored(t *testing.T) {
	const url = "https://example.com/lib.git"
	for ignore, fetched := range map[string]bool{
		"vendor\n":                         false,
		"vendor/lib\n":                     false,
		"vendor/**\n!vendor/other/**\n":    false,
		"vendor\n!*.md\n":                  false,
		"vendor\n!vendor/*\n":              true,
		"vendor\n!vendor/lib/x\n":          true,
		"vendor\n!vendor/lib/**/x.c\n":     true,
		"vendor\n!**/*.md\n":               true,
		"vendor\n!vendor/libs/x\n!x/lib\n": false,
		"other\n":                          true,
	} {
		shelf := &shelf{}
		lib := shelf.remote(t, url).Commit("", files{"x": "x"})
		r := newRepo(t)
		s := r.openWith(shelf)
		c, err := s.Commit(r.CommitTree(r.rawTree(
			treeEntry{"100644", ".dockerignore", r.Object("blob", []byte(ignore))},
			treeEntry{"100644", ".gitmodules", r.Object("blob", []byte(gitmodules("vendor/lib", url)))},
			treeEntry{"40000", "vendor", r.rawTree(treeEntry{"160000", "lib", lib})})))
		if err != nil {
			t.Fatal(err)
		}
		tree, err := s.Tree(context.Background(), c, DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if tree.Has("vendor/lib/x") != fetched || (len(shelf.asked) > 0) != fetched {
			t.Errorf("%q: the tree is %+v, asked for %v", ignore, tree.Files, shelf.asked)
		}
	}
}
