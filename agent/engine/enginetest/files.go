package enginetest

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/engine"
)

// archive is a tar of files by name.
func archive(t *testing.T, files map[string]string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// unpacked are the files of a tar that has its end.
func unpacked(t *testing.T, data []byte) map[string]string {
	t.Helper()
	if len(data) < 1024 || strings.Trim(string(data[len(data)-1024:]), "\x00") != "" {
		t.Fatalf("the archive of %d bytes lacks its end", len(data))
	}
	files := map[string]string{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			files[filepath.Clean(h.Name)] = string(text)
		}
	}
}

// storedFiles: the files of a folder come out as an archive, and go in again.
func storedFiles(t *testing.T, r *run) {
	dir := folder(t)
	a := r.bare(t)
	a.ok(os.WriteFile(filepath.Join(dir, "y"), []byte("why"), 0o644))
	StoredFiles(t, a.Host, dir, map[string]string{"y": "why"})
	if data, err := os.ReadFile(filepath.Join(dir, "sub", "z")); string(data) != "zed" {
		t.Errorf("the folder has %q, %v", data, err)
	}
	missing, volume := filepath.Join(dir, "missing"), a.name+"-missing"
	for _, source := range []string{missing, volume} {
		a.fails(a.Host.ReadFiles(a.ctx, source, io.Discard), engine.ErrNoSource, source)
	}
	a.fails(a.Host.WriteFiles(a.ctx, missing, archive(t, nil)), engine.ErrNoSource, missing)
	// A volume is made: a restore comes before the app's first start.
	a.ok(a.Host.WriteFiles(a.ctx, volume, archive(t, map[string]string{"y": "why"})))
	defer a.RemoveVolume(t, volume)
	StoredFiles(t, a.Host, volume, map[string]string{"y": "why"})
}

// StoredFiles tests ReadFiles and WriteFiles on a source with these files.
func StoredFiles(t *testing.T, host engine.Host, source string, files map[string]string) {
	t.Helper()
	read := func() map[string]string {
		t.Helper()
		var b bytes.Buffer
		if err := host.ReadFiles(t.Context(), source, &b); err != nil {
			t.Fatal(err)
		}
		return unpacked(t, b.Bytes())
	}
	if got := read(); !maps.Equal(got, files) {
		t.Errorf("%s has %q", source, got)
	}
	want := map[string]string{"sub/z": "zed", "new": strings.Repeat("x", 1<<20)}
	for name := range files {
		want[name] = "changed"
	}
	if err := host.WriteFiles(t.Context(), source, archive(t, want)); err != nil {
		t.Fatal(err)
	}
	if got := read(); !maps.Equal(got, want) {
		t.Errorf("%s has %d files after the write, want %d", source, len(got), len(want))
	}
}
