package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"dokku/agent/event"
)

// Mount is a folder below the data root, or a named volume, that the app's
// containers see.
type Mount struct {
	Source   string `json:"source"` // absolute path, or the name of a volume
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only,omitempty"`
}

// String is the mount as storage:mount takes it.
func (m Mount) String() string {
	if m.ReadOnly {
		return m.Source + ":" + m.Target + ":ro"
	}
	return m.Source + ":" + m.Target
}

// Volume reports whether the source is a named volume.
func (m Mount) Volume() bool { return !filepath.IsAbs(m.Source) }

// DefaultStorageRoot is Dokku's.
const DefaultStorageRoot = "/var/lib/dokku/data/storage"

// StorageDir is the data root: the folder below which apps may have folders.
func (set Settings) StorageDir() string {
	if set.StorageRoot != "" {
		return filepath.Clean(set.StorageRoot)
	}
	return DefaultStorageRoot
}

// source is what the engine mounts: a volume's name, or the real path of a
// folder that exists below the data root. It is looked up for each container
// anew, since an app may have put a symbolic link into a folder that it has.
func (set Settings) source(m Mount) (string, error) {
	if m.Volume() {
		return m.Source, nil
	}
	return set.HostPath(m.Source)
}

// HostPath returns the real path of a folder or file below the data root.
// Anything else is refused: symbolic links that lead elsewhere, the root itself,
// what does not exist.
func (set Settings) HostPath(path string) (string, error) {
	root, clean := set.StorageDir(), filepath.Clean(path)
	if !within(clean, root) || clean == root {
		//lint:ignore ST1005 a message of storage:mount
		return "", fmt.Errorf("Storage path %s is not below %s: make a folder there with storage:ensure-directory NAME, "+
			"or mount a volume (NAME:/path)", path, root)
	}
	realRoot, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", noStorageRoot(root, err)
	}
	real, err := filepath.EvalSymlinks(clean)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		name, _, _ := strings.Cut(strings.TrimPrefix(clean, root+"/"), "/")
		//lint:ignore ST1005 a message of storage:mount
		return "", fmt.Errorf("Storage path %s does not exist: storage:ensure-directory %s makes %s/%[2]s", clean, name, root)
	case err != nil:
		return "", fmt.Errorf("cannot look at storage path %s: %w", clean, err)
	case !within(real, realRoot) || real == realRoot:
		//lint:ignore ST1005 a message of storage:mount
		return "", fmt.Errorf("Storage path %s leads to %s, which is not below %s: mount a folder, not a link out of it", clean, real, root)
	}
	return real, nil
}

// noStorageRoot says how the data root comes about: it takes root.
func noStorageRoot(root string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("cannot use the data root %s: %w; run as root: chown dokku:dokku %[1]s", root, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot use the data root %s: it does not exist; run as root: install -d -o dokku -g dokku -m 0755 %[1]s", root)
	}
	return fmt.Errorf("cannot use the data root %s: %w", root, err)
}

// storageLock is the name of the lock of the data root; it cannot be an app's
// name.
const storageLock = "_storage"

// EnsureDirectory makes a folder in the data root and gives it to a user and
// the group of the same number; -1 leaves it to whoever has it. Its content is
// left alone. Only the engine can give a folder away, since this program runs
// as a plain user: see engine.Storage.
func (s *Server) EnsureDirectory(ctx context.Context, name string, uid int, log event.Log) error {
	set, err := s.Settings()
	if err != nil {
		return err
	}
	l, err := s.lockApp(ctx, storageLock, "storage:ensure-directory", log)
	if err != nil {
		return err
	}
	defer l.release()
	root := set.StorageDir()
	if fi, err := os.Stat(root); err != nil {
		return noStorageRoot(root, err)
	} else if !fi.IsDir() {
		return fmt.Errorf("cannot use the data root %s: it is not a folder", root)
	}
	dir := filepath.Join(root, name)
	log.Step("Ensuring %s exists", dir)
	if err := s.makeFolder(dir); err != nil {
		return err
	}
	if uid >= 0 {
		log.Detail("Setting directory ownership to %d:%[1]d", uid)
		if err := s.giveFolder(ctx, root, name, uid); err != nil {
			return fmt.Errorf("%w; or run as root: chown %d:%[2]d %s", err, uid, dir)
		}
	}
	// Whose it is; an app may have closed a folder that it has had for long.
	err = s.disk.Sync(dir)
	if err == nil || errors.Is(err, fs.ErrPermission) {
		err = s.disk.Sync(root)
	}
	if err != nil {
		return fmt.Errorf("made %s, which a power loss may take back: %w", dir, err)
	}
	log.Detail("Directory ready for mounting")
	return nil
}

func (s *Server) makeFolder(dir string) error {
	err := s.disk.Mkdir(dir, 0o755)
	switch {
	case err == nil:
		return os.Chmod(dir, 0o755) // whatever the umask
	case errors.Is(err, fs.ErrPermission):
		return noStorageRoot(filepath.Dir(dir), err)
	case !errors.Is(err, fs.ErrExist):
		return fmt.Errorf("cannot make %s: %w", dir, err)
	}
	if fi, err := os.Lstat(dir); err != nil || !fi.IsDir() {
		return fmt.Errorf("cannot make %s: something that is not a folder has that name", dir)
	}
	return nil
}

func (s *Server) giveFolder(ctx context.Context, root, name string, uid int) error {
	fi, err := os.Lstat(filepath.Join(root, name))
	if err != nil {
		return err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) == uid && int(st.Gid) == uid {
		return nil
	}
	host, err := s.Host()
	if err != nil {
		return err
	}
	return host.Chown(ctx, root, name, uid)
}
