package proc_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"dokku/agent/proc"
)

// TestAsOwner: the owner of a folder puts a link to a file of root's where root is about to
// write. Root writes as the owner, and keeps its rights elsewhere meanwhile.
func TestAsOwner(t *testing.T) {
	const owner = 65534
	private := t.TempDir()
	root := filepath.Join(t.TempDir(), "root")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(root, 0o700))
	must(os.Chown(root, owner, owner))
	for dir := filepath.Dir(root); dir != os.TempDir(); dir = filepath.Dir(dir) {
		must(os.Chmod(dir, 0o755))
	}
	must(os.Chmod(private, 0o700))
	must(os.Symlink(private, filepath.Join(root, "link")))
	own := filepath.Join(root, "own")
	failed := errors.New("of f")
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			err := proc.AsOwner(root, func() error {
				if err := os.WriteFile(filepath.Join(root, "link", "x"), nil, 0o600); !errors.Is(err, fs.ErrPermission) {
					t.Errorf("writing over the link: %v", err)
				}
				if err := os.WriteFile(own, nil, 0o600); err != nil {
					t.Error(err)
				}
				return failed
			})
			if err != failed {
				t.Errorf("f's error became %v", err)
			}
			if _, err := os.ReadDir(private); err != nil {
				t.Errorf("root lost its rights: %v", err)
			}
		})
	}
	wait.Wait()
	info, err := os.Stat(own)
	must(err)
	if st := info.Sys().(*syscall.Stat_t); st.Uid != owner || st.Gid != owner {
		t.Errorf("the file belongs to %d:%d", st.Uid, st.Gid)
	}
	if err := proc.AsOwner(filepath.Join(root, "none"), func() error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such root: %v", err)
	}
}
