package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// written is a backup of a few files.
func written(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "one", "b/c": "two", "b/d": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := Write(t.Context(), &b, Manifest{Dokku: "1.2.3"}, dir); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A member of a tar.
type member struct {
	tar.Header
	text string
}

func members(t *testing.T, data []byte) (list []member) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		text, rerr := io.ReadAll(r)
		if err = errors.Join(err, rerr); err != nil {
			t.Fatal(err)
		}
		list = append(list, member{*h, string(text)})
	}
}

func packed(t *testing.T, list []member) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, m := range list {
		if m.Typeflag == tar.TypeReg {
			m.Size = int64(len(m.text))
		}
		if err := w.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		if m.Typeflag == tar.TypeReg {
			io.WriteString(w, m.text)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadWhatWasWritten(t *testing.T) {
	data := written(t)
	dir := t.TempDir()
	m, err := Read(t.Context(), bytes.NewReader(data), dir, func(m Manifest) error {
		if len(m.Files) != 3 || m.Size() != 6 || m.Dokku != "1.2.3" || m.ID == "" {
			t.Errorf("%+v", m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "one", "b/c": "two", "b/d": ""} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if fi, serr := os.Stat(filepath.Join(dir, name)); err != nil || serr != nil || string(got) != want || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s is %q, %v, %v", name, got, err, fi)
		}
	}
	if again, _ := Read(t.Context(), bytes.NewReader(packed(t, members(t, data))), t.TempDir(), func(Manifest) error { return nil }); again.ID != m.ID {
		t.Errorf("packed by another tar: %+v", again)
	}
	refusal := errors.New("no room")
	if _, err := Read(t.Context(), bytes.NewReader(data), dir, func(Manifest) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ended, bytes.NewReader(data), t.TempDir(), func(Manifest) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestReadRefuses: a file that is well formed and not what Write writes.
func TestReadRefuses(t *testing.T) {
	data := written(t)
	manifest := func(old, new string) func([]member) []member {
		return func(l []member) []member {
			if !strings.Contains(l[0].text, old) {
				t.Fatalf("the manifest has no %q:\n%s", old, l[0].text)
			}
			l[0].text = strings.Replace(l[0].text, old, new, 1)
			return l
		}
	}
	for name, test := range map[string]struct {
		change func([]member) []member
		want   string
	}{
		"another content":     {func(l []member) []member { l[1].text = "eno"; return l }, "a in it was changed after the backup: its checksum differs"},
		"another size":        {func(l []member) []member { l[1].text = "o"; return l }, `it has "a" where its manifest says a`},
		"another order":       {func(l []member) []member { l[1], l[2] = l[2], l[1]; return l }, `it has "b/c" where its manifest says a`},
		"one less":            {func(l []member) []member { return l[:3] }, "b/d is missing in it"},
		"one more":            {func(l []member) []member { m := l[1]; m.Name = "e"; return append(l, m) }, `a file that its manifest does not name: "e"`},
		"no manifest":         {func(l []member) []member { return l[1:] }, "it is not a backup"},
		"nothing":             {func(l []member) []member { return nil }, "it is not a backup"},
		"a link":              {func(l []member) []member { l[1].Typeflag, l[1].Linkname = tar.TypeSymlink, "/etc/passwd"; return l }, `it has "a" where`},
		"a hard link":         {func(l []member) []member { l[1].Typeflag, l[1].Linkname = tar.TypeLink, "/etc/passwd"; return l }, `it has "a" where`},
		"a folder":            {func(l []member) []member { l[1].Typeflag, l[1].Size = tar.TypeDir, 0; return l }, `where its manifest says a`},
		"a newer version":     {manifest(`"version": 1`, `"version": 2`), `it has version 2, this dokku knows up to 1: restore it with the dokku that made it ("1.2.3") or a newer one`},
		"a newer shape":       {manifest(`"version": 1,`, `"version": 2, "files": "elsewhere", "x": 1,`), "it has version 2"},
		"no version":          {manifest(`"version": 1`, `"version": 0`), "it is not a backup"},
		"another format":      {manifest(format, "borg"), "it is not a backup"},
		"no json":             {manifest("{", "<"), "it is not a backup"},
		"a path outside":      {manifest(`"name": "a"`, `"name": "../a"`), `names "../a"`},
		"an absolute path":    {manifest(`"name": "a"`, `"name": "/a"`), `names "/a"`},
		"a path with dots":    {manifest(`"name": "a"`, `"name": "b/../a"`), `names "b/../a"`},
		"a path to screen":    {manifest(`"name": "a"`, `"name": "a\u001b[31m"`), `names "a\x1b[31m"`},
		"a name twice":        {manifest(`"name": "a"`, `"name": "b/c"`), `names "b/c"`},
		"a folder and a file": {manifest(`"name": "a"`, `"name": "b"`), `"b", which is a folder and a file`},
		"a negative size":     {manifest(`"size": 3`, `"size": -3`), "invalid entry"},
		"a huge size":         {manifest(`"size": 3`, `"size": 9223372036854775807`), "invalid entry"},
		"a short checksum":    {manifest(`"sha256": "`, `"sha256": "00`), "invalid entry"},
	} {
		dir := t.TempDir()
		_, err := Read(t.Context(), bytes.NewReader(packed(t, test.change(members(t, data)))), dir, func(Manifest) error { return nil })
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestLongTail: gigabytes of nothing behind the last file compress to a few megabytes, and would be unpacked for
// minutes and then accepted.
func TestLongTail(t *testing.T) {
	z, err := gzip.NewReader(bytes.NewReader(written(t)))
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int]string{1 << 20: "", 32 << 20: "it has more than its manifest says"} {
		if err := z.Reset(bytes.NewReader(written(t))); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		io.Copy(w, z)
		w.Write(make([]byte, size))
		w.Close()
		_, err := Read(t.Context(), &b, t.TempDir(), func(Manifest) error { return nil })
		if text := fmt.Sprint(err); want == "" && err != nil || want != "" && text != want {
			t.Errorf("%d bytes behind the end: %v, want %q", size, err, want)
		}
	}
}
