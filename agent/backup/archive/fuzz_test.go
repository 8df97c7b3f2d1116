package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzRead: whatever an archive says, reading it makes plain files below its folder alone, which are
// those that the manifest names, in full; and an error is one line without control characters.
func FuzzRead(f *testing.F) {
	for _, n := range [][2]string{{"a", "a"}, {"../a", "../a"}, {"/etc/x", "/etc/x"}, {"a/b", "a"}, {"a", "b"}, {"a\x1b", "a\x1b"}, {"a\u009b", "a\u009b"}, {"\u202ea", "\u202ea"}, {"a//b", "a/./b"}, {"manifest.json", "."}} {
		f.Add(n[0], n[1], []byte("text"), byte(tar.TypeReg), 0, byte(0))
	}
	f.Add("\u202e", "0", []byte("0"), byte('$'), 0, byte(0))
	f.Add("a", "b", []byte("x"), byte(tar.TypeSymlink), 0, byte(0))
	f.Add("a", "b", []byte(strings.Repeat("x", 2000)), byte(tar.TypeReg), 300, byte(1))
	f.Fuzz(func(t *testing.T, one, two string, text []byte, kind byte, at int, flip byte) {
		sum := sha256.Sum256(text)
		hash := hex.EncodeToString(sum[:])
		m := Manifest{Format: format, Version: Version, ID: "x", Files: []File{{one, int64(len(text)), hash}, {two, int64(len(text)), hash}}}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []tar.Header{{Name: manifestName, Typeflag: tar.TypeReg, Size: int64(len(data))}, {Name: one, Typeflag: kind, Linkname: "/etc", Size: int64(len(text))},
			{Name: two, Typeflag: tar.TypeReg, Size: int64(len(text))}} {
			if h.Typeflag != tar.TypeReg {
				h.Size = 0
			}
			if w.WriteHeader(&h) != nil {
				return
			}
			switch {
			case h.Name == manifestName && h.Size == int64(len(data)):
				w.Write(data)
			case h.Size > 0:
				w.Write(text)
			}
		}
		w.Close()
		raw := b.Bytes()
		if at > 0 && at < len(raw) {
			raw[at] ^= flip
		}
		parent := t.TempDir()
		dir := filepath.Join(parent, "in")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		got, err := Read(t.Context(), bytes.NewReader(compressed(t, raw)), dir, func(Manifest) error { return nil })
		if err != nil && strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || 0x7f <= r && r <= 0x9f || r == 0x202e }) {
			t.Errorf("the error is not safe to print: %q", err)
		}
		found := 0
		if werr := filepath.WalkDir(parent, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			found++
			name, _ := filepath.Rel(dir, path)
			if info, err := e.Info(); err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 || !ValidName(filepath.ToSlash(name)) {
				t.Errorf("it made %s", path)
			}
			return nil
		}); werr != nil {
			t.Fatal(werr)
		}
		if err != nil {
			return
		}
		if found != len(got.Files) {
			t.Errorf("it made %d files of %d", found, len(got.Files))
		}
		for _, file := range got.Files {
			text, err := os.ReadFile(filepath.Join(dir, file.Name))
			if sum := sha256.Sum256(text); err != nil || hex.EncodeToString(sum[:]) != file.SHA256 {
				t.Errorf("%q has %q, %v", file.Name, text, err)
			}
		}
	})
}

// FuzzReadBytes: bytes that no program wrote are an error, or a backup whose files are in its folder.
func FuzzReadBytes(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x1f\x8b"))
	f.Add([]byte(strings.Repeat("\x00", 1024)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, data := range [][]byte{raw, compressed(t, raw)} {
			if m, err := Read(t.Context(), bytes.NewReader(data), t.TempDir(), func(Manifest) error { return nil }); err == nil && m.check() != nil {
				t.Errorf("%+v is accepted", m)
			}
		}
	})
}

func compressed(t *testing.T, raw []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
