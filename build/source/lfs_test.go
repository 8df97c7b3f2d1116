package source

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var (
	oidA = strings.Repeat("a", 64)
	oidB = strings.Repeat("b", 64)
)

func pointer(oid string, size int) string {
	return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oid, size)
}

// stock gives the shelf a content.
func (s *shelf) stock(t *testing.T, oid, text string) {
	t.Helper()
	if s.files == nil {
		s.files = map[string]string{}
	}
	s.files[oid] = filepath.Join(t.TempDir(), oid)
	if err := os.WriteFile(s.files[oid], []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestLFS: the tree has the content in place of the pointer, in submodules and for control
// files too, and each repository is asked for its own.
func TestLFS(t *testing.T) {
	const url = "https://example.com/lib.git"
	shelf := &shelf{}
	shelf.stock(t, oidA, "content A")
	shelf.stock(t, oidB, "web: large\n")
	lib := shelf.remote(t, url).Commit("", files{".gitattributes": "*.bin filter=lfs\n", "x.bin": pointer(oidA, 9)})
	r := newRepo(t)
	blob := func(s string) string { return r.Object("blob", []byte(s)) }
	rev := r.CommitTree(r.rawTree(
		treeEntry{"100644", ".dockerignore", blob("ignored\n")},
		treeEntry{"100644", ".gitattributes", blob("# c\nProcfile filter=lfs\nassets/** filter=lfs diff=lfs merge=lfs -text\nignored/* filter=lfs\n")},
		treeEntry{"100644", ".gitmodules", blob(gitmodules("lib", url))},
		treeEntry{"100644", ".lfsconfig", blob("[core]\n\turl = x\n[lfs]\n\turl = https://lfs.example.com/a\n")},
		treeEntry{"100644", "Procfile", blob(pointer(oidB, 11))},
		treeEntry{"40000", "assets", r.rawTree(treeEntry{"100755", "a", blob(pointer(oidA, 9))}, treeEntry{"100644", "b", blob(pointer(oidA, 9))})},
		treeEntry{"40000", "ignored", r.rawTree(treeEntry{"100644", "c", blob(pointer(strings.Repeat("c", 64), 5))})},
		treeEntry{"160000", "lib", lib}))
	s := r.openWith(shelf)
	c, err := s.Commit(rev)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.Tree(context.Background(), c, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	want := []LFSRequest{
		{URL: "https://lfs.example.com/a", File: ".lfsconfig", Line: 4, Objects: []LFSObject{{"Procfile", oidB, 11}, {"assets/a", oidA, 9}}},
		{File: "lib/.lfsconfig", Base: url, Objects: []LFSObject{{"lib/x.bin", oidA, 9}}},
	}
	if !reflect.DeepEqual(shelf.large, want) {
		t.Errorf("asked for %+v, want %+v", shelf.large, want)
	}
	if text, ok, err := s.File(rev, "Procfile", 100); err != nil || !ok || string(text) != "web: large\n" {
		t.Errorf("Procfile is %q, %t, %v", text, ok, err)
	}
	if _, _, err := s.File(rev, "Procfile", 5); err == nil || !strings.Contains(err.Error(), "it has more than 5 B") {
		t.Errorf("a limit of 5: %v", err)
	}
	if _, _, err := s.File(rev, "ignored/c", 1000); err == nil || !strings.Contains(err.Error(), "it is a Git LFS pointer, whose content was not fetched") {
		t.Errorf("a file that is left out: %v", err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := s.Archive(context.Background(), tree, Owner{}, w); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); strings.Count(got, "content A") != 3 || strings.Contains(got, "oid sha256") {
		t.Errorf("the archive has %d times the content, and %d pointers", strings.Count(got, "content A"), strings.Count(got, "oid sha256"))
	}
	if tree.Has("ignored/c") {
		t.Error("what .dockerignore leaves out is in the tree")
	}
}

// TestLFSRefused: what cannot be content names the file and what to do.
func TestLFSRefused(t *testing.T) {
	const all = "*.bin filter=lfs\n"
	for _, c := range []struct {
		name, attributes, text string
		limits                 Limits
		want                   string
	}{
		{"not tracked", "", pointer(oidA, 9), DefaultLimits, "d/x.bin: it is a Git LFS pointer, but .gitattributes does not say filter=lfs for it; add that with git lfs track"},
		{"tracked elsewhere", "/x.bin filter=lfs\n", pointer(oidA, 9), DefaultLimits, "d/x.bin: it is a Git LFS pointer, but .gitattributes does not"},
		{"no oid", all, strings.Replace(pointer(oidA, 9), "sha256", "md5", 1), DefaultLimits, "d/x.bin: it is a Git LFS pointer without a valid oid and size"},
		{"short oid", all, pointer("abc", 9), DefaultLimits, "d/x.bin: it is a Git LFS pointer without a valid oid and size"},
		{"path as oid", all, pointer("../../../../../../../../../../../../../../../../../../../etc/passw", 9), DefaultLimits, "without a valid oid and size"},
		{"negative size", all, pointer(oidA, -9), DefaultLimits, "d/x.bin: it is a Git LFS pointer without a valid oid and size"},
		{"huge size", all, pointer(oidA, 9) + "size 99999999999999999999\n", DefaultLimits, "nobody has"},
		{"large", all, pointer(oidA, 3<<30), DefaultLimits, "d/x.bin: it has 3.2 GB, more than 2.1 GB"},
		{"total", all, pointer(oidA, 900), Limits{Files: 20, Depth: 5, Name: 50, Path: 60, Blob: 1000, Total: 800}, "with it the files have more than 800 B"},
		{"missing", all, pointer(oidA, 9), DefaultLimits, "d/x.bin: nobody has " + oidA},
	} {
		r := newRepo(t)
		f := files{"d/x.bin": c.text}
		if c.attributes != "" {
			f[".gitattributes"] = c.attributes
		}
		s := r.openWith(&shelf{})
		commit, err := s.Commit(r.Commit("", f))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.Validate(context.Background(), commit, c.limits); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot deploy ") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestTracked compares with git check-attr.
func TestTracked(t *testing.T) {
	for _, f := range []files{
		{".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"},
		{".gitattributes": "a/*.bin filter=lfs\n"},
		{".gitattributes": "/a/** filter=lfs\n"},
		{".gitattributes": "**/b/x.bin filter=lfs\n"},
		{".gitattributes": "*.bin filter=lfs\nx.bin -filter\n"},
		{".gitattributes": "x.bin -filter\n*.bin filter=lfs\n"},
		{".gitattributes": "*.bin filter=lfs\nx.bin !filter\n"},
		{".gitattributes": "*.bin filter=lfs\n", "a/.gitattributes": "*.bin filter=other\n"},
		{".gitattributes": "*.bin filter=lfs\n", "a/b/.gitattributes": "*.bin text\n"},
		{"a/.gitattributes": "b/x.bin filter=lfs\n"},
		{"a/b/.gitattributes": "/x.bin filter=lfs\n"},
		{".gitattributes": "[attr]large filter=lfs -text\n*.bin large\n"},
		{".gitattributes": "\"a/b/x.bin\" filter=lfs\n"},
		{".gitattributes": "x.bin text\n*.BIN filter=lfs\n"},
		{".gitattributes": "a/ filter=lfs\n"},
		{".gitattributes": "what is = this\nx.bin filter=lfs\n"},
		{".gitattributes": "a/** filter=lfs\na/**/x.[!c]in -filter\n"},
		{".gitattributes": "a/*/x.bin filter=lfs\n"},
		{".gitattributes": "a/*/*/x.bin filter=lfs\n"},
		{".gitattributes": "** filter=lfs\n"},
		{".gitattributes": "a/**/**/**/x.bin filter=lfs\n"},
		{".gitattributes": "a/b/x.bin/** filter=lfs\n"},
		{".gitattributes": "a/b filter=lfs\nb filter=lfs\n"},
		{".gitattributes": "x.bi[n filter=lfs\n"},
		{".gitattributes": "!x.bin filter=lfs\n"},
		{".gitattributes": "x.bin filter=lfs -filter\n"},
		{".gitattributes": "x.bin filter\n"},
		{".gitattributes": "x.bin\tfilter=lfs\r\n"},
		{".gitattributes": "[attr]\n[attr]large\nx.bin large\n"},
		{".gitattributes": "\\x.bin filter=lfs\n"},
		{"other": "x"},
	} {
		r := newRepo(t)
		f["a/b/x.bin"] = "x"
		rev := r.Commit("", f)
		s := r.open()
		c, err := s.Commit(rev)
		if err != nil {
			t.Fatal(err)
		}
		at, err := s.place(c)
		if err != nil {
			t.Fatal(err)
		}
		work := t.TempDir()
		r.Git("--work-tree="+work, "read-tree", rev)
		said := r.Git("--work-tree="+work, "check-attr", "--cached", "filter", "a/b/x.bin")
		want := strings.HasSuffix(said, "filter: lfs")
		got, err := s.tracked(at.at("a").at("b").at("x.bin"))
		if err != nil || got != want {
			t.Errorf("%v: %t, %v, but git says %q", f, got, err, said)
		}
	}
}

// TestTrackedHostile: a pattern of a pusher takes no time.
func TestTrackedHostile(t *testing.T) {
	names := strings.Split(strings.Repeat("a/", 63)+"b", "/")
	pattern := strings.Split(strings.Repeat("**/a/", 30)+"c", "/")
	start := time.Now()
	if matchesPath(pattern, names) || time.Since(start) > 5*time.Second {
		t.Errorf("it took %s", time.Since(start))
	}
}
