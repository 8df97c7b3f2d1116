package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"dokku/agent/app"
	"dokku/agent/event"
)

// storageLock is the lock of the data root. No app can have this name.
const storageLock = "_storage"

// EnsureDirectory creates a folder in the data root, unless it exists, and makes a user
// and the group of the same number its owner; uid -1 keeps the owner. It does not touch
// the contents. The engine changes the owner, since this program runs as a plain user:
// see engine.Storage.
func (s *Server) EnsureDirectory(ctx context.Context, name string, uid int, log event.Log) error {
	set, err := s.Env.Store.Settings()
	if err != nil {
		return err
	}
	l, err := s.Env.Store.LockApp(ctx, storageLock, "storage:ensure-directory", log)
	if err != nil {
		return err
	}
	defer l.Release()
	root := set.StorageDir()
	if fi, err := os.Stat(root); err != nil {
		return app.NoStorageRoot(root, err)
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
	// The owner has to survive a power loss too. An app may have closed its folder to us.
	err = s.Env.Store.Disk.Sync(dir)
	if err == nil || errors.Is(err, fs.ErrPermission) {
		err = s.Env.Store.Disk.Sync(root)
	}
	if err != nil {
		return fmt.Errorf("made %s, which a power loss may take back: %w", dir, err)
	}
	log.Detail("Directory ready for mounting")
	return nil
}

func (s *Server) makeFolder(dir string) error {
	err := s.Env.Store.Disk.Mkdir(dir, 0o755)
	switch {
	case err == nil:
		return os.Chmod(dir, 0o755) // regardless of the umask
	case errors.Is(err, fs.ErrPermission):
		return app.NoStorageRoot(filepath.Dir(dir), err)
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
