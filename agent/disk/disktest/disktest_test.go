package disktest

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/disk"
)

// TestStates says of each way of replacing a file what a loss of power right after
// it may leave, "-" where the file is missing.
func TestStates(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(d disk.Disk, dir, file string) error
		want string
	}{
		"all that it takes": {func(d disk.Disk, dir, file string) error { return d.Replace(file, []byte("new!"), 0o600) }, "new!"},
		"without a sync of the file": {func(d disk.Disk, dir, file string) error {
			return errors.Join(d.Write(file+"2", []byte("new!"), 0o600), d.Rename(file+"2", file), d.Sync(dir))
		}, " ne new!"},
		"without a sync of the folder": {func(d disk.Disk, dir, file string) error {
			return errors.Join(d.Write(file+"2", []byte("new!"), 0o600), d.Sync(file+"2"), d.Rename(file+"2", file))
		}, "new! old"},
		"renamed before the sync of the file": {func(d disk.Disk, dir, file string) error {
			return errors.Join(d.Write(file+"2", []byte("new!"), 0o600), d.Rename(file+"2", file), d.Sync(file))
		}, "new! old"},
		"in place":          {func(d disk.Disk, dir, file string) error { return d.Write(file, []byte("new!"), 0o600) }, " ne new! old"},
		"in place, synced":  {func(d disk.Disk, dir, file string) error { return errors.Join(d.Write(file, nil, 0o600), d.Sync(file)) }, ""},
		"removed":           {func(d disk.Disk, dir, file string) error { return d.Remove(file) }, "- old"},
		"removed, synced":   {func(d disk.Disk, dir, file string) error { return errors.Join(d.RemoveAll(file), d.Sync(dir)) }, "-"},
		"the folder":        {func(d disk.Disk, dir, file string) error { return d.RemoveAll(dir) }, "- old"},
		"the folder's name": {func(d disk.Disk, dir, file string) error { return d.Rename(dir, dir+"2") }, "- old"},
		"in a new folder that is not synced": {func(d disk.Disk, dir, file string) error {
			return errors.Join(d.Mkdir(dir+"/x", 0o700), d.Rename(file, dir+"/x/file"), d.Symlink("x/file", file), d.Sync(dir+"/x"))
		}, "- ->x/file"},
		"in a folder that is renamed, and its name synced": {func(d disk.Disk, dir, file string) error {
			return errors.Join(d.Remove(file), d.Rename(dir, dir+"2"), d.Rename(dir+"2", dir), d.Sync(filepath.Dir(dir)))
		}, "- old"},
		"linked elsewhere": {func(d disk.Disk, dir, file string) error {
			return errors.Join(d.Link(file, file+"2"), d.Sync(dir), d.Remove(file), d.Sync(dir), d.Rename(file+"2", file))
		}, "- old"},
	} {
		root := t.TempDir()
		dir := filepath.Join(root, "dir")
		file := filepath.Join(dir, "file")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(file, []byte("old"), 0o600)); err != nil {
			t.Fatal(err)
		}
		r, err := Record(root, func(string) bool { return false })
		if err := errors.Join(err, test.do(disk.Disk{Watch: r.Watch}, dir, file), r.Complete()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := map[string]bool{}
		for _, s := range r.States(len(r.Ops()), 20, 1) {
			content, ok := s.Tree["dir/file"]
			if !ok {
				content = "-"
			}
			got[strings.TrimPrefix(content, "=")] = true
			if err := checkWrite(t, s.Tree); err != nil {
				t.Error(err)
			}
		}
		if text := strings.Join(slices.Sorted(maps.Keys(got)), " "); text != test.want {
			t.Errorf("%s: what may be left is %q, want %q", name, text, test.want)
		}
	}
}

// checkWrite writes a tree and reads it again.
func checkWrite(t *testing.T, tree Tree) error {
	dir := t.TempDir()
	if err := tree.Write(dir); err != nil {
		return err
	}
	is, err := Read(dir, func(string) bool { return false })
	if lines := Diff(tree, is); len(lines) > 0 {
		t.Error(lines)
	}
	return err
}

// TestPastTheRecording finds a file that was written without being recorded.
func TestPastTheRecording(t *testing.T) {
	dir := t.TempDir()
	r, err := Record(dir, func(name string) bool { return name == "log" })
	d := disk.Disk{Watch: r.Watch}
	if err := errors.Join(err, d.Write(filepath.Join(dir, "log"), []byte("x"), 0o600), d.Write(filepath.Join(dir, "a"), []byte("x"), 0o600),
		os.WriteFile(filepath.Join(dir, "log"), nil, 0o600), r.Complete()); err != nil {
		t.Error(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "a"), []byte("y"), 0o600), r.Complete()); err == nil {
		t.Error("it was not found")
	}
}
