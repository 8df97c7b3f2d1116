package buildkit

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"dokku/build/source"
)

// treeOfFiles makes a tree without objects; a blob's id is 20 times its byte.
func treeOfFiles(files ...source.Entry) *source.Tree {
	t := &source.Tree{}
	for _, f := range files {
		if !f.IsDir() {
			t.Stats.Files++
		}
		t.Files = append(t.Files, f)
	}
	return t
}

func blobID(c byte) plumbing.Hash { return plumbing.Hash(bytes.Repeat([]byte{c}, 20)) }

func at(sec int64) time.Time { return time.Unix(sec, 999) }

func TestManifestTimes(t *testing.T) {
	a := source.Entry{Path: "a", Mode: 0o100644, Size: 3, Blob: blobID(1)}
	b := source.Entry{Path: "d/b", Mode: 0o100644, Size: 3, Blob: blobID(2)}
	d := source.Entry{Path: "d", Mode: 0o040000}
	m1, n, size := manifest(nil).next(treeOfFiles(a, d, b), at(1000))
	if n != 2 || size != 6 || len(m1) != 2 || m1["a"].seconds != 1000 {
		t.Fatalf("first: %d, %d, %+v", n, size, m1)
	}
	m2, n, _ := m1.next(treeOfFiles(a, d, b), at(2000))
	if n != 0 || !maps.Equal(m1, m2) {
		t.Errorf("unchanged: %d, %+v", n, m2)
	}
	// A change of the same size within the same second, or with the clock set
	// back, gets a later time.
	c := a
	c.Blob = blobID(3)
	for _, now := range []int64{1000, 10} {
		m3, n, size := m2.next(treeOfFiles(c, d, b), at(now))
		if n != 1 || size != 3 || m3["a"].seconds != 1001 || m3["d/b"] != m2["d/b"] {
			t.Errorf("changed at %d: %d, %+v", now, n, m3)
		}
	}
	x := a
	x.Mode = 0o100755
	if m, n, _ := m2.next(treeOfFiles(x), at(3000)); n != 2 || m["a"].seconds != 3000 {
		t.Errorf("mode changed, one removed: %d, %+v", n, m)
	}
	// When the manifest is lost and the clock stands still, the nanoseconds
	// tell the contents apart.
	m4, _, _ := manifest(nil).next(treeOfFiles(c), at(1000))
	if m4["a"].seconds != 1000 || m4["a"].modTime() == m1["a"].modTime() {
		t.Errorf("lost: %+v has the time of %+v", m4["a"], m1["a"])
	}
	if got, want := m1["a"].modTime(), int64(1000e9+0x01010101>>2); got != want {
		t.Errorf("time is %d, want %d", got, want)
	}
	if ns := (record{blob: blobID(0xff)}).modTime(); ns < 0 || ns >= 1e9 {
		t.Errorf("%d nanoseconds", ns)
	}
}

func TestManifestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "manifest")
	if m, err := readManifest(path); m != nil || err != nil {
		t.Fatalf("missing: %v, %v", m, err)
	}
	var fs []source.Entry
	for i := range 300 {
		fs = append(fs, source.Entry{Path: fmt.Sprintf("dir/é%03d", i), Mode: 0o100644, Size: int64(i) << 20, Blob: blobID(byte(i))})
	}
	tr := treeOfFiles(fs...)
	m, _, _ := manifest(nil).next(tr, at(1000))
	if err := writeManifest(path, m, tr); err != nil {
		t.Fatal(err)
	}
	got, err := readManifest(path)
	if err != nil || !maps.Equal(got, m) {
		t.Fatalf("read back: %v", err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A file cut anywhere, or with any byte changed, is a lost one.
	for i := 0; i < len(whole); i += 7 {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 1
		for _, b := range [][]byte{whole[:i], flipped} {
			if m, err := decodeManifest(b); err == nil {
				t.Fatalf("damaged at %d: decoded %d files", i, len(m))
			}
		}
	}
	if err := os.WriteFile(path, whole[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := readManifest(path); m != nil || err != nil {
		t.Errorf("damaged: %v, %v", m, err)
	}
	if err := writeManifest(filepath.Join(t.TempDir(), "no", "manifest"), m, tr); err == nil {
		t.Error("wrote into a folder that is not there")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func FuzzManifest(f *testing.F) {
	tr := treeOfFiles(source.Entry{Path: "a", Mode: 0o100644, Size: 3, Blob: blobID(1)}, source.Entry{Path: "ab", Mode: 0o120000, Size: 3, Blob: blobID(2)})
	m, _, _ := manifest(nil).next(tr, at(1000))
	whole := m.encode(tr)
	f.Add(whole[len(manifestMagic) : len(whole)-32])
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		decodeManifest(body)
		m, err := decodeManifest(seal(body)) // as if the checksum were right
		if err != nil {
			return
		}
		var fs []source.Entry
		for path := range m {
			if len(path) > maxManifestPath {
				t.Errorf("a path of %d bytes", len(path))
			}
			fs = append(fs, source.Entry{Path: path})
		}
		again, err := decodeManifest(m.encode(treeOfFiles(fs...)))
		if err != nil || !maps.Equal(m, again) {
			t.Errorf("does not survive encoding: %v", err)
		}
	})
}
