package app

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"dokku/agent/disk"
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

// Source is what the engine mounts: a volume's name, or the real path of a
// folder that exists below the data root. It is looked up for each container
// anew, since an app may have put a symbolic link into a folder that it has.
func (set Settings) Source(m Mount) (string, error) {
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
	if !disk.Within(clean, root) || clean == root {
		//lint:ignore ST1005 a message of storage:mount
		return "", fmt.Errorf("Storage path %s is not below %s: make a folder there with storage:ensure-directory NAME, "+
			"or mount a volume (NAME:/path)", path, root)
	}
	realRoot, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", NoStorageRoot(root, err)
	}
	real, err := filepath.EvalSymlinks(clean)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		name, _, _ := strings.Cut(strings.TrimPrefix(clean, root+"/"), "/")
		//lint:ignore ST1005 a message of storage:mount
		return "", fmt.Errorf("Storage path %s does not exist: storage:ensure-directory %s makes %s/%[2]s", clean, name, root)
	case err != nil:
		return "", fmt.Errorf("cannot look at storage path %s: %w", clean, err)
	case !disk.Within(real, realRoot) || real == realRoot:
		//lint:ignore ST1005 a message of storage:mount
		return "", fmt.Errorf("Storage path %s leads to %s, which is not below %s: mount a folder, not a link out of it", clean, real, root)
	}
	return real, nil
}

// NoStorageRoot says how the data root comes about: it takes root.
func NoStorageRoot(root string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("cannot use the data root %s: %w; run as root: chown dokku:dokku %[1]s", root, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot use the data root %s: it does not exist; run as root: install -d -o dokku -g dokku -m 0755 %[1]s", root)
	}
	return fmt.Errorf("cannot use the data root %s: %w", root, err)
}
