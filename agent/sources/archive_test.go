package sources

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"dokku/agent/event"
)

// An item is an entry of an archive.
type item struct {
	name string
	text string
	mode fs.FileMode
	kind byte // of tar; 0: a file
	link string
}

func tarOf(t *testing.T, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, i := range items {
		h := &tar.Header{Name: i.name, Mode: int64(i.mode), Size: int64(len(i.text)), Typeflag: i.kind, Linkname: i.link}
		if i.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		must(t, w.WriteHeader(h))
		_, err := io.WriteString(w, i.text)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func gz(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func zipOf(t *testing.T, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, i := range items {
		h := &zip.FileHeader{Name: i.name, Method: zip.Deflate}
		h.SetMode(i.mode)
		f, err := w.CreateHeader(h)
		must(t, err)
		_, err = io.WriteString(f, i.text)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// TestArchiveKinds makes the same commit of each kind of archive.
func TestArchiveKinds(t *testing.T) {
	items := []item{
		{name: "./", mode: 0o755, kind: tar.TypeDir},
		{name: "./app-1.2/", mode: 0o755, kind: tar.TypeDir},
		{name: "./app-1.2/Dockerfile", text: "FROM scratch\n", mode: 0o644},
		{name: "./app-1.2/bin/run", text: "#!/bin/sh\n", mode: 0o755},
		{name: "./app-1.2/empty/", mode: 0o755, kind: tar.TypeDir},
		{name: "./app-1.2/current", mode: 0o777, kind: tar.TypeSymlink, link: "bin/run"},
		{name: "./app-1.2/ünï ©", text: "", mode: 0o600},
	}
	zipped := []item{
		{name: "app-1.2/", mode: fs.ModeDir | 0o755},
		{name: "app-1.2/Dockerfile", text: "FROM scratch\n", mode: 0o644},
		{name: "app-1.2/bin/run", text: "#!/bin/sh\n", mode: 0o755},
		{name: "app-1.2/current", text: "bin/run", mode: fs.ModeSymlink | 0o777},
		{name: "app-1.2/ünï ©", mode: 0o600},
	}
	const want = "100644 Dockerfile\n100755 bin/run\n120000 current\n100644 \"\\303\\274n\\303\\257 \\302\\251\""
	tree := ""
	for kind, data := range map[string][]byte{"tar": tarOf(t, items...), "tar.gz": gz(t, tarOf(t, items...)), "zip": zipOf(t, zipped...)} {
		b := newBench(t)
		must(t, b.importer().FromArchive(t.Context(), "hello", Archive{Type: kind, Stdin: bytes.NewReader(data), Author: Author{"Camila", "c@example.com"}}, b.log))
		if got := b.files(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", kind, got, want)
		}
		if id := b.repo("rev-parse", "master^{tree}"); tree != "" && id != tree {
			t.Errorf("%s makes another tree", kind)
		} else {
			tree = id
		}
		b.repo("fsck", "--strict")
		if got := b.repo("log", "-1", "--format=%an <%ae> %cn: %s", "master"); got != "Camila <c@example.com> Camila: git:from-archive standard input" {
			t.Errorf("%s: %q", kind, got)
		}
		o := b.pushed[0].Origin
		if o.Command != "git:from-archive" || o.Source.Kind != kind || o.Adopt != "master" || o.SkipDeploy {
			t.Errorf("%s: %+v", kind, o)
		}
		b.term.Close()
		if !strings.Contains(b.printed.String(), "       Stripping top-level archive folder components (app-1.2)\n") {
			t.Errorf("%s prints\n%s", kind, b.printed)
		}
	}
}

// TestArchiveAgain: the next archive replaces all files; the same one changes nothing.
func TestArchiveAgain(t *testing.T) {
	b := newBench(t)
	from := func(items ...item) error {
		return b.importer().FromArchive(t.Context(), "hello", Archive{Type: "tar", Stdin: bytes.NewReader(tarOf(t, items...))}, b.log)
	}
	one := []item{{name: "a", text: "1", mode: 0o644}, {name: "b", text: "1", mode: 0o644}}
	must(t, from(one...))
	first := b.repo("rev-parse", "master")
	if err := from(one...); err == nil || err.Error() != "No changes detected, skipping git commit\nCall 'ps:rebuild' on app to rebuild the app from existing source" {
		t.Errorf("the same archive: %v", err)
	}
	must(t, from(item{name: "b", text: "2", mode: 0o644}, item{name: "c", text: "2", mode: 0o644}, item{name: "b", text: "3", mode: 0o644}))
	if got := b.files(); got != "100644 b\n100644 c" || b.repo("show", "master:b") != "3" {
		t.Errorf("the second archive has %q, b is %q", got, b.repo("show", "master:b"))
	}
	if parent := b.repo("rev-parse", "master^"); parent != first {
		t.Errorf("the parent is %s, want %s", parent, first)
	}
	if len(b.pushed) != 2 || b.pushed[1].Refs[0].Old != first {
		t.Errorf("pushes: %+v", b.pushed)
	}
	for _, a := range []Author{{"a <b", ""}, {"", "a>"}, {"a\nb", ""}} {
		if err := b.importer().FromArchive(t.Context(), "hello", Archive{Type: "tar", Stdin: bytes.NewReader(tarOf(t, one...)), Author: a}, b.log); err == nil ||
			!strings.Contains(err.Error(), "as a commit's author") {
			t.Errorf("author %q: %v", a, err)
		}
	}
}

// TestHostileArchives: each is refused by the name of its entry, and nothing is left.
func TestHostileArchives(t *testing.T) {
	good := item{name: "app/Dockerfile", text: "FROM scratch\n", mode: 0o644}
	link := func(name, to string) item { return item{name: name, kind: tar.TypeSymlink, link: to, mode: 0o777} }
	zipLink := func(name, to string) item { return item{name: name, text: to, mode: fs.ModeSymlink | 0o777} }
	const out = "Archive contains entries with parent directory traversal"
	for n, test := range []struct {
		kind string
		data []byte
		want string
	}{
		{"tar", tarOf(t, good, item{name: "../etc/passwd", text: "x"}), `cannot take "../etc/passwd": ` + out},
		{"tar", tarOf(t, good, item{name: "app/../../x", text: "x"}), `cannot take "app/../../x": ` + out},
		{"tar", tarOf(t, good, item{name: "app/..", kind: tar.TypeDir}), `cannot take "app/..": ` + out},
		{"tar", tarOf(t, good, item{name: "/etc/passwd", text: "x"}), `cannot take "/etc/passwd": absolute paths are not allowed`},
		{"tar", tarOf(t, good, link("app/passwd", "/etc/passwd")), `cannot take "app/passwd": it is a link to "/etc/passwd": links with absolute targets`},
		{"tar", tarOf(t, good, link("app/up", "../../etc")), `cannot take "app/up": it is a link to "../../etc": symlinks pointing outside`},
		{"tar", tarOf(t, good, link("app/up", "../x"), item{name: "x", text: "x"}, link("up", "..")), `cannot take "up": it is a link to "..": symlinks pointing outside`},
		{"tar", tarOf(t, good, link("app/dir", "."), item{name: "app/dir/x", text: "x"}), `cannot take "app/dir/x": "dir" is a file and a folder`},
		{"tar", tarOf(t, good, item{name: "app/hard", kind: tar.TypeLink, link: "../etc/shadow"}), `cannot take "../etc/shadow": ` + out},
		{"tar", tarOf(t, good, item{name: "app/hard", kind: tar.TypeLink, link: "app/none"}), `it is a hard link to "app/none", which is no file before it`},
		{"tar", tarOf(t, good, item{name: "app/null", kind: tar.TypeChar}), `cannot take "app/null": it is a device or a pipe`},
		{"tar", tarOf(t, good, item{name: "app/sda", kind: tar.TypeBlock}), `cannot take "app/sda": it is a device or a pipe`},
		{"tar", tarOf(t, good, item{name: "app/pipe", kind: tar.TypeFifo}), `cannot take "app/pipe": it is a device or a pipe`},
		{"tar", tarOf(t, good, item{name: "app/.git/config", text: "x"}), `cannot take "app/.git/config": ".git" is git's own folder`},
		{"tar", tarOf(t, good, item{name: "app/.GIT/hooks/x", text: "x"}), `".GIT" is git's own folder`},
		{"tar", tarOf(t, good, item{name: "app/git~1", text: "x"}), `"git~1" is git's own folder`},
		{"tar", tarOf(t, good, item{name: `app/a\b`, text: "x"}), `has a backslash`},
		{"tar", tarOf(t, good, item{name: "app/a\x1b[31m", text: "x"}), `has a control character`},
		{"tar", tarOf(t, good, item{name: "app/" + strings.Repeat("n", 256), text: "x"}), `its name has 256 bytes, more than 255`},
		{"tar", tarOf(t, good, item{name: "app/Dockerfile/x", text: "x"}), `"Dockerfile" is a file and a folder`},
		{"tar", tarOf(t, good)[:520], "unexpected EOF"},
		{"tar", tarOf(t), "it has no files"},
		{"tar", nil, "it has no files"},
		{"tar", tarOf(t, item{name: "a/b/", kind: tar.TypeDir}), "it has no files"},
		{"tar", []byte(strings.Repeat("not a tar ", 100)), "it is not a tar archive"},
		{"tar", gz(t, tarOf(t, good)), "if it is of another type, add --archive-type with tar, tar.gz or zip"},
		{"tar.gz", tarOf(t, good), "it is not a tar.gz archive"},
		{"tar.gz", gz(t, tarOf(t, good))[:60], "unexpected EOF"},
		{"tar.gz", flip(gz(t, tarOf(t, good))), "gzip: invalid checksum"},
		{"zip", zipOf(t, good, item{name: "../x", text: "x", mode: 0o644}), `cannot take "../x": ` + out},
		{"zip", zipOf(t, good, item{name: "/x", text: "x", mode: 0o644}), `cannot take "/x": absolute paths are not allowed`},
		{"zip", zipOf(t, good, item{name: `..\x`, text: "x", mode: 0o644}), `has a backslash`},
		{"zip", zipOf(t, good, zipLink("app/passwd", "/etc/passwd")), `cannot take "app/passwd": it is a link to "/etc/passwd": links with absolute targets`},
		{"zip", zipOf(t, good, zipLink("app/up", "../../etc")), `cannot take "app/up": it is a link to "../../etc": symlinks pointing outside`},
		{"zip", zipOf(t, good, zipLink("app/long", strings.Repeat("a", 5000))), "without a usable target (4097 bytes)"},
		{"zip", zipOf(t, good, item{name: "app/null", mode: fs.ModeDevice | 0o644}), `cannot take "app/null": it is a device or a pipe`},
		{"zip", zipOf(t, good, item{name: "app/.git/HEAD", text: "x", mode: 0o644}), `".git" is git's own folder`},
		{"zip", tarOf(t, good), "it is not a zip archive"},
		{"zip", zipOf(t), "it has no files"},
		{"rar", tarOf(t, good), "Invalid archive type specified, valid archive types include: tar, tar.gz, zip"},
	} {
		b := newBench(t)
		err := b.importer().FromArchive(t.Context(), "hello", Archive{Type: test.kind, Stdin: bytes.NewReader(test.data)}, b.log)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%d: %v, want %q", n, err, test.want)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\x00") {
			t.Errorf("%d: the error has control characters: %q", n, err)
		}
		b.untouched()
	}
}

// flip damages the checksum at the end of a gzip stream.
func flip(data []byte) []byte {
	data = bytes.Clone(data)
	data[len(data)-6] ^= 0xff
	return data
}

// endless is a file without end.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.read += int64(len(p))
	return len(p), nil
}

// TestArchiveLimits: an archive that is too large is refused before it is read, or as
// soon as it shows.
func TestArchiveLimits(t *testing.T) {
	many := make([]item, 6)
	for n := range many {
		many[n] = item{name: fmt.Sprint(n), text: "x", mode: 0o644}
	}
	zeros := strings.Repeat("\x00", 200_000)
	for n, test := range []struct {
		kind string
		data []byte
		want string
	}{
		{"tar", tarOf(t, many...), "its number of files and folders exceeds the maximum of 5; to allow more: dokku git:set --global archive-max-files NUMBER"},
		{"zip", zipOf(t, many...), "its number of files and folders exceeds the maximum of 5"},
		{"tar.gz", gz(t, tarOf(t, item{name: "bomb", text: zeros})), `cannot take "bomb": with it, the files have more than 100 kB; to allow more: dokku git:set --global archive-max-size BYTES`},
		{"zip", zipOf(t, item{name: "bomb", text: zeros, mode: 0o644}), `cannot take "bomb": with it, the files have more than 100 kB`},
		{"tar", tarOf(t, item{name: "half", text: zeros[:60_000]}, item{name: "rest", text: zeros[:60_000]}), `cannot take "rest": with it`},
	} {
		b := newBench(t)
		b.limit(PropMaxFiles, "5")
		b.limit(PropMaxSize, "100000")
		err := b.importer().FromArchive(t.Context(), "hello", Archive{Type: test.kind, Stdin: bytes.NewReader(test.data)}, b.log)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%d: %v, want %q", n, err, test.want)
		}
		b.untouched()
	}
	for kind, head := range map[string][]byte{"zip": []byte("PK\x03\x04"), "tar": tarOf(t, item{name: "a", text: "x"})[:1024]} {
		b := newBench(t)
		b.limit(PropMaxSize, "100000")
		e := &endless{}
		err := b.importer().FromArchive(t.Context(), "hello", Archive{Type: kind, Stdin: io.MultiReader(bytes.NewReader(head), e)}, b.log)
		if err == nil || !strings.Contains(err.Error(), "Archive exceeds maximum allowed size of 100000 bytes; to allow more: dokku git:set --global archive-max-size BYTES") {
			t.Errorf("an endless %s: %v", kind, err)
		}
		if e.read > 1<<20 {
			t.Errorf("%d bytes of an endless %s were read", e.read, kind)
		}
		b.untouched()
	}
	b := newBench(t)
	b.limit(PropMaxSize, "a lot")
	if err := b.importer().FromArchive(t.Context(), "hello", Archive{Type: "tar"}, b.log); err == nil || !strings.Contains(err.Error(), `cannot use archive-max-size "a lot" of the server`) {
		t.Errorf("an invalid limit: %v", err)
	}
}

// TestArchiveDownload follows what an http server answers.
func TestArchiveDownload(t *testing.T) {
	data := tarOf(t, item{name: "Dockerfile", text: "FROM scratch\n", mode: 0o644})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/app.tar":
			w.Write(data)
		case "/moved":
			http.Redirect(w, r, "/app.tar", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/short":
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			w.Write(data[:600])
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for path, want := range map[string]string{
		"/app.tar": "", "/moved": "", "/none": "the server answers 404 Not Found", "/loop": "it redirects more than 10 times",
		"/file": "unsupported protocol scheme", "/short": "unexpected EOF",
	} {
		b := newBench(t)
		err := b.importer().FromArchive(t.Context(), "hello", Archive{Type: "tar", URL: strings.Replace(server.URL, "://", "://user:s3cret@", 1) + path + "?token=s3cret"}, b.log)
		b.term.Close()
		if strings.Contains(b.printed.String(), "s3cret") || err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: a secret is printed: %v\n%s", path, err, b.printed)
		}
		if want == "" {
			must(t, err)
			if got := b.repo("log", "-1", "--format=%s", "master"); got != "git:from-archive "+server.URL+path {
				t.Errorf("%s: the commit says %q", path, got)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		b.untouched()
	}
	b := newBench(t)
	for _, address := range []string{"ftp://example.com/a.tar", "/etc/passwd", "file:///etc/passwd", "http://", "-"} {
		if err := b.importer().FromArchive(t.Context(), "hello", Archive{Type: "tar", URL: address}, b.log); err == nil || !strings.Contains(err.Error(), "give an http or https address") {
			t.Errorf("%s: %v", address, err)
		}
	}
	b.untouched()
}

// TestArchiveTargets: a locked app is refused, and the deploy branch is used.
func TestArchiveTargets(t *testing.T) {
	b := newBench(t)
	data := tarOf(t, item{name: "Dockerfile", text: "FROM scratch\n", mode: 0o644})
	from := func(name string) error {
		return b.importer().FromArchive(t.Context(), name, Archive{Type: "tar", Stdin: bytes.NewReader(data)}, b.log)
	}
	if err := from("none"); err == nil || err.Error() != "App none does not exist" {
		t.Errorf("an app that does not exist: %v", err)
	}
	must(t, b.server.SetLocked(t.Context(), "hello", true, b.log))
	if err := from("hello"); err == nil || !strings.Contains(err.Error(), "deploy lock in place") {
		t.Errorf("a locked app: %v", err)
	}
	must(t, b.server.SetLocked(t.Context(), "hello", false, b.log))
	b.limit("deploy-branch", "live")
	must(t, from("hello"))
	if p := b.pushed[0]; p.Refs[0].Name != "refs/heads/live" || p.Origin.Adopt != "" {
		t.Errorf("the push goes to %+v", p)
	}
	b.tidy()
}

// TestTailOfArchive: megabytes of an archive unpack to gigabytes behind its last file
// and cost time, and was accepted.
func TestTailOfArchive(t *testing.T) {
	plain := tarOf(t, item{name: "f", text: "x", mode: 0o644})
	for _, test := range []struct {
		tail int
		want string
	}{{1 << 20, ""}, {maxTail + 1<<20, "more than 16 MB follow its end; to fix: pack the files again"}} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(plain)
		z.Write(make([]byte, test.tail))
		z.Close()
		o := newObjects(t.TempDir(), Limits{Size: 1 << 30, Files: 1000})
		err := Archive{Type: typeTarGz, Stdin: io.NopCloser(&b)}.read(t.Context(), o, event.Log{})
		if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want) {
			t.Errorf("%d bytes behind the end: %v, want %q", test.tail, err, test.want)
		}
	}
}
