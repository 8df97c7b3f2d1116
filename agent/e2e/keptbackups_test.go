package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestStorageBackup: what an app wrote into a folder and a volume comes back from a backup,
// with its owners.
func TestStorageBackup(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	root := t.TempDir()
	lab.Must(t, os.Chmod(root, 0o755))
	l.Configure(map[string]any{"storage_root": root})
	a := l.Deployed(nil)
	dir := filepath.Join(root, a.Name)
	lab.Must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	file := filepath.Join(dir, "sub", "photo")
	lab.Must(t, os.WriteFile(file, []byte("a picture"), 0o640))
	lab.Must(t, os.Chown(file, 1234, 1234))
	lab.Must(t, os.Symlink("sub/photo", filepath.Join(dir, "latest")))
	volume := a.Name + "-cache"
	l.Dokku("storage:mount", a.Name, dir+":/uploads")
	l.Dokku("storage:mount", a.Name, volume+":/cache")
	t.Cleanup(func() { l.RemoveAll(a.Name); l.Tools.Docker.VolumeRemove(t.Context(), volume, true) })
	l.Dokku("ps:restart", a.Name)

	place := filepath.Join(t.TempDir(), "kept")
	l.Dokku("backup:set", "place", place)
	out := l.Dokku("storage:backup", a.Name, "/uploads")
	lab.Contains(t, out, "Backed up "+dir+" of "+a.Name+" in "+place+"/storage/"+a.Name+"/", "proven: 1 file, 9B unpacked")
	lab.Contains(t, l.Dokku("storage:backup", a.Name, volume), "proven: 0 files")
	lab.Contains(t, l.Dokku("storage:backup-list", a.Name, dir), "proven")
	lab.Contains(t, l.Refused("storage:backup", a.Name, "/nothing"), a.Name+" does not mount \"/nothing\", only "+dir+":/uploads, "+volume+":/cache")

	lab.Contains(t, l.Refused("storage:restore", a.Name, "/uploads"), "web.1 runs, and would see half of it: dokku ps:stop "+a.Name+" first, or --force")
	l.Dokku("ps:stop", a.Name)
	lab.Contains(t, l.Refused("storage:restore", a.Name, "/uploads"), dir+" is not empty (it has ")
	for _, name := range []string{"sub", "latest"} {
		lab.Must(t, os.RemoveAll(filepath.Join(dir, name)))
	}
	lab.Contains(t, l.Dokku("storage:restore", a.Name, "/uploads"), "Restored "+dir+" of "+a.Name+": 1 file, 9B")
	if data, err := os.ReadFile(filepath.Join(dir, "latest")); err != nil || string(data) != "a picture" {
		t.Errorf("the file has %q, %v", data, err)
	}
	i, err := os.Stat(file)
	lab.Must(t, err)
	if uid, gid := owner(i); uid != 1234 || gid != 1234 || i.Mode().Perm() != 0o640 {
		t.Errorf("the file belongs to %d:%d, with the mode %s", uid, gid, i.Mode())
	}
	lab.Must(t, os.WriteFile(file, []byte("another"), 0o640))
	l.Dokku("--force", "storage:restore", a.Name, "/uploads")
	if data, err := os.ReadFile(file); err != nil || string(data) != "a picture" {
		t.Errorf("after --force the file has %q, %v", data, err)
	}
	l.Dokku("ps:start", a.Name)
	a.Runs("web.1")
}

func owner(i os.FileInfo) (uid, gid uint32) {
	st := i.Sys().(*syscall.Stat_t)
	return st.Uid, st.Gid
}
