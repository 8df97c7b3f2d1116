package app

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
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

// Source returns the engine's source of a mount: a volume's name, or the real path of a
// folder below the data root; with direct, one directly below it (see DirectPath). It is
// resolved again for each container, because an app may have put a symbolic link into a folder
// that it can write to.
func (set Settings) Source(m Mount, direct bool) (string, error) {
	switch {
	case m.Volume():
		return m.Source, nil
	case direct:
		return set.DirectPath(m.Source)
	}
	return set.HostPath(m.Source)
}

// DirectPath returns the real path of a folder or file directly below the data root, or of one
// that allowed-mounts names itself. It refuses everything deeper with a *NestedError, and links that lead there or out. The engine gets no
// link: one to a neighbour is followed here.
//
// The engine opens the source of a mount at each start of its container, by the path. What lies
// inside a folder that a container writes to may be a link to any folder of the host by then.
// No container writes to the data root, so what is directly below it stays what it was.
func (set Settings) DirectPath(path string) (string, error) {
	root, clean := set.StorageDir(), filepath.Clean(path)
	if !disk.Within(clean, root) {
		real, err := set.outside(clean)
		if dir := set.allowing(clean); err == nil && dir != clean {
			return "", &NestedError{clean, filepath.Dir(dir)}
		}
		return real, err
	}
	if disk.Within(filepath.Dir(clean), root) && filepath.Dir(clean) != root {
		return "", &NestedError{clean, root}
	}
	real, err := set.HostPath(path)
	if err != nil {
		return "", err
	}
	realRoot, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", NoStorageRoot(root, err)
	}
	if filepath.Dir(real) != realRoot { // it is a link
		return "", &NestedError{real, realRoot}
	}
	return real, nil
}

// NestedError says that a folder lies inside another one that can be mounted.
type NestedError struct{ Path, Root string }

// Error names the folders to mount instead.
func (e *NestedError) Error() string {
	name, _, _ := strings.Cut(strings.TrimPrefix(e.Path, e.Root+"/"), "/")
	return fmt.Sprintf("Storage path %s lies inside %s/%s, which an app that mounts that can replace by a link to any folder of the server: "+
		"mount %[2]s/%[3]s as a whole, or make a folder of its own: dokku storage:ensure-directory NAME", e.Path, e.Root, name)
}

// NestedMounts returns the sources of the app's mounts that lie inside a folder which can be
// mounted: see DirectPath.
func (v View) NestedMounts() (list []string) {
	for _, m := range v.Mounts() {
		if v.Settings.nested(m) && !slices.Contains(list, m.Source) {
			list = append(list, m.Source)
		}
	}
	return list
}

// Mounts returns the app's mounts, and those of its docker options.
func (v View) Mounts() []Mount {
	list := slices.Clone(v.State.Mounts)
	options := v.optionLists(v.ContainerOptions())
	for _, key := range slices.Sorted(maps.Keys(options)) {
		c, err := containersOf(options, key)
		if err != nil { // CheckOptions says so
			continue
		}
		for _, m := range c.Mounts {
			list = append(list, Mount{Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
		}
	}
	return list
}

// nested reports whether the path of a mount lies inside a folder directly below the data root.
func (set Settings) nested(m Mount) bool {
	clean := filepath.Clean(m.Source)
	return !m.Volume() && filepath.Dir(clean) != set.StorageDir() && set.allowing(clean) != clean
}

// allowing returns the outermost path of allowed-mounts that contains a path; "" if none does.
func (set Settings) allowing(path string) (dir string) {
	for _, allowed := range Words(set.DockerOptions[PropMounts]) {
		if disk.Within(path, allowed) && (dir == "" || disk.Within(dir, allowed)) {
			dir = filepath.Clean(allowed)
		}
	}
	return dir
}

// HostPath returns the real path of a folder or file below the data root, or of one that
// allowed-mounts lists. It refuses the root itself, a path that does not exist, and a
// symbolic link that leads out. Outside of the data root, a path that does not exist is
// fs.ErrNotExist.
func (set Settings) HostPath(path string) (string, error) {
	root, clean := set.StorageDir(), filepath.Clean(path)
	if !disk.Within(clean, root) || clean == root {
		return set.outside(clean)
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

// outside is HostPath for a path that is not below the data root.
func (set Settings) outside(path string) (string, error) {
	allowed := Words(set.DockerOptions[PropMounts])
	n := slices.IndexFunc(allowed, func(dir string) bool { return disk.Within(path, dir) })
	if n < 0 {
		//lint:ignore ST1005 a message of storage:mount
		return "", fmt.Errorf("Storage path %s is not below %s: make a folder there with dokku storage:ensure-directory NAME, "+
			"mount a volume (NAME:/path), or allow the path, on the server: dokku docker-options:set --global %s %s",
			path, set.StorageDir(), PropMounts, strings.Join(append(allowed, path), ","))
	}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		//lint:ignore ST1005 a message of storage:mount
		return "", fmt.Errorf("Storage path %s does not exist: make it on the server (%w)", path, fs.ErrNotExist)
	}
	root, rootErr := filepath.EvalSymlinks(allowed[n])
	switch {
	case err != nil || rootErr != nil:
		return "", fmt.Errorf("cannot read storage path %s: %w", path, cmp.Or(err, rootErr))
	case !disk.Within(real, root):
		//lint:ignore ST1005 a message of storage:mount
		return "", fmt.Errorf("Storage path %s leads to %s, which is not below %s: mount a folder, not a link out of it", path, real, allowed[n])
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
