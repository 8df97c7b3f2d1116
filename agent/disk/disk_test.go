package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recorded is a Disk of which each operation is added to the list, with paths
// relative to dir and digits of temporary names left out.
func recorded(dir string, list *[]string) Disk {
	return Disk{Watch: func(op Op) {
		path := func(p string) string {
			return strings.TrimRight(strings.ReplaceAll(strings.TrimPrefix(p, dir), "/", " "), "0123456789")
		}
		*list = append(*list, strings.TrimRight(fmt.Sprintf("%s%s%s %s", op.Kind, path(op.Path), path(op.To), op.Data), " "))
	}}
}

// TestOrder: what makes a file or folder durable comes in the one order that does.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	var got []string
	d := recorded(dir, &got)
	path := filepath.Join(dir, "a", "b", "file")
	for range 2 {
		if err := errors.Join(d.MkdirAll(filepath.Dir(path), 0o700), d.Replace(path, []byte("new"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	replace := []string{"write a b .file new", "sync a b .file", "rename a b .file a b file", "sync a b"}
	want := slices.Concat([]string{"mkdir a", "sync", "mkdir a b", "sync a"}, replace, replace)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left beside the file: %v", entries)
	}
}

// TestFailed: what was not carried out is not recorded, and leaves nothing.
func TestFailed(t *testing.T) {
	dir := t.TempDir()
	var got []string
	d := recorded(dir, &got)
	path := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Create(path, nil, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file is created over a folder: %v", err)
	}
	missing := filepath.Join(dir, "missing")
	if d.Sync(missing) == nil || d.SyncAll(dir, missing) == nil || d.Rename(missing, path) == nil || d.Remove(path) == nil ||
		d.Link(missing, path) == nil || d.Symlink("x", path) == nil || d.MkdirAll(filepath.Join(dir, "f", "x"), 0o700) != nil {
		t.Error("what cannot be done succeeds")
	}
	if err := d.Replace(path, nil, 0o600); err == nil {
		t.Error("a folder is replaced by a file")
	}
	want := []string{"sync", "mkdir f", "sync", "mkdir f x", "sync f", "write .folder", "sync .folder", "remove .folder"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
