package app

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"dokku/agent/disk"
)

// Mount makes a folder below the data root, or a named volume, visible to the app's
// containers.
type Mount struct {
	Source   string `json:"source"` // absolute path, or the name of a volume
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only,omitempty"`
	// Options are docker's further ones: "z" or "Z". They relabel a folder for SELinux, and
	// are stored for clients of Dokku on hosts without it.
	Options string `json:"options,omitempty"`
	// Entry is the name of the storage entry that Source is of, and Subpath the path in it;
	// "": storage:mount named the source.
	Entry   string `json:"entry,omitempty"`
	Subpath string `json:"subpath,omitempty"`
	// ProcessType is the only type with the mount; "": all. Phase is the only one of
	// MountDeploy and MountRun; "": both.
	ProcessType string `json:"process_type,omitempty"`
	Phase       string `json:"phase,omitempty"`
}

// The phases of a mount: the processes of deploys, and one-off containers.
const (
	MountDeploy = "deploy"
	MountRun    = "run"
)

// StorageEntry is a folder below the data root or a volume that apps mount by a name. It
// is that of Dokku 0.38: Annotations and Labels are their owners' to read.
type StorageEntry struct {
	HostPath    string            `json:"host_path"` // or the name of a volume
	Chown       string            `json:"chown,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
}

// String returns the mount in the form that storage:mount accepts.
func (m Mount) String() string {
	options := m.Options
	if m.ReadOnly {
		options = strings.TrimSuffix("ro,"+options, ",")
	}
	return strings.TrimSuffix(m.Source+":"+m.Target+":"+options, ":")
}

// In reports whether the containers of a process type have the mount in a phase.
func (m Mount) In(phase, ptype string) bool {
	return (m.Phase == "" || m.Phase == phase) && (m.ProcessType == "" || m.ProcessType == ptype)
}

// Volume reports whether the source is a named volume.
func (m Mount) Volume() bool { return !filepath.IsAbs(m.Source) }

// DefaultStorageRoot is Dokku's data root.
const DefaultStorageRoot = "/var/lib/dokku/data/storage"

// StorageDir returns the data root: apps may mount only folders below it.
func (set Settings) StorageDir() string {
	if set.StorageRoot != "" {
		return filepath.Clean(set.StorageRoot)
	}
	return DefaultStorageRoot
}

// Source returns the engine's source of a mount: a volume's name, or the real path of
// a folder below the data root. It is resolved again for each container, because an
// app may have put a symbolic link into a folder that it can write to.
func (set Settings) Source(m Mount) (string, error) {
	if m.Volume() {
		return m.Source, nil
	}
	return set.HostPath(m.Source)
}

// HostPath returns the real path of a folder or file below the data root. It refuses
// the root itself, a path that does not exist, and a symbolic link that leads out.
func (set Settings) HostPath(path string) (string, error) {
	root, clean := set.StorageDir(), filepath.Clean(path)
	if !disk.Within(clean, root) || clean == root {
		//lint:ignore ST1005 a message of storage:mount
		return "", fmt.Errorf("Storage path %s is not below %s: make a folder there with dokku storage:ensure-directory NAME, "+
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
		return "", fmt.Errorf("Storage path %s does not exist: dokku storage:ensure-directory %s makes %s/%[2]s", clean, name, root)
	case err != nil:
		return "", fmt.Errorf("cannot read storage path %s: %w", clean, err)
	case !disk.Within(real, realRoot) || real == realRoot:
		//lint:ignore ST1005 a message of storage:mount
		return "", fmt.Errorf("Storage path %s leads to %s, which is not below %s: mount a folder, not a link out of it", clean, real, root)
	}
	return real, nil
}

// NoStorageRoot returns the error for an unusable data root, with the command for root
// that fixes it.
func NoStorageRoot(root string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("cannot use the data root %s: %w; run as root: chown dokku:dokku %[1]s", root, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot use the data root %s: it does not exist; run as root: install -d -o dokku -g dokku -m 0755 %[1]s", root)
	}
	return fmt.Errorf("cannot use the data root %s: %w", root, err)
}
