package disk

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is the kind of an operation.
type Kind string

// The kinds of operations. Only a Sync of a file makes its content durable, and
// only a Sync of a folder the names in it.
const (
	Write   Kind = "write"   // Path is created or truncated, and has Data
	Mkdir   Kind = "mkdir"   // Path becomes a folder
	Link    Kind = "link"    // To becomes another name of the file at Path
	Symlink Kind = "symlink" // Path becomes a symbolic link to To
	Rename  Kind = "rename"  // Path becomes To
	Remove  Kind = "remove"  // Path and everything below it are removed
	Sync    Kind = "sync"    // Path is on the disk
)

// Op is an operation that was carried out.
type Op struct {
	Kind     Kind
	Path, To string
	Data     []byte
}

// Disk carries out operations on files. The zero Disk is ready for use.
type Disk struct {
	// Watch, if not nil, is called after each operation, concurrently for concurrent
	// operations.
	Watch func(Op) `json:"-"`
}

func (d Disk) done(err error, op Op) error {
	if err == nil && d.Watch != nil {
		d.Watch(op)
	}
	return err
}

// Write creates or truncates a file and fills it. The content is not durable before
// Sync.
func (d Disk) Write(path string, data []byte, mode fs.FileMode) error {
	return d.done(os.WriteFile(path, data, mode), Op{Kind: Write, Path: path, Data: data})
}

// Create is Write for a new file. It fails with fs.ErrExist if the file exists.
func (d Disk) Create(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return d.done(errors.Join(err, f.Close()), Op{Kind: Write, Path: path, Data: data})
}

// Sync waits until a file's content, or the names in a folder, are on the disk.
func (d Disk) Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return d.done(errors.Join(f.Sync(), f.Close()), Op{Kind: Sync, Path: path})
}

// SyncAll is Sync for several paths at once. File systems combine concurrent syncs into
// one commit.
func (d Disk) SyncAll(paths ...string) error {
	errs := make(chan error, len(paths))
	for _, path := range paths {
		go func() { errs <- d.Sync(path) }()
	}
	var err error
	for range paths {
		err = errors.Join(err, <-errs)
	}
	return err
}

// SyncFileSystem waits until all writes to the file system of path are on the disk. For
// many files it is faster than Sync.
func (d Disk) SyncFileSystem(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return d.done(errors.Join(unix.Syncfs(int(f.Fd())), f.Close()), Op{Kind: Sync, Path: path})
}

// Rename renames a file or folder in one step.
func (d Disk) Rename(from, to string) error {
	return d.done(os.Rename(from, to), Op{Kind: Rename, Path: from, To: to})
}

// Link gives a file a second name.
func (d Disk) Link(path, name string) error {
	return d.done(os.Link(path, name), Op{Kind: Link, Path: path, To: name})
}

// Symlink creates a symbolic link.
func (d Disk) Symlink(target, path string) error {
	return d.done(os.Symlink(target, path), Op{Kind: Symlink, Path: path, To: target})
}

// Remove removes a file or an empty folder. It fails with fs.ErrNotExist if there is
// none.
func (d Disk) Remove(path string) error {
	return d.done(os.Remove(path), Op{Kind: Remove, Path: path})
}

// RemoveAll removes a file, or a folder with everything in it.
func (d Disk) RemoveAll(path string) error {
	return d.done(os.RemoveAll(path), Op{Kind: Remove, Path: path})
}

// Mkdir creates a folder.
func (d Disk) Mkdir(path string, mode fs.FileMode) error {
	return d.done(os.Mkdir(path, mode), Op{Kind: Mkdir, Path: path})
}

// MkdirTemp creates a new folder whose name begins with prefix.
func (d Disk) MkdirTemp(dir, prefix string) (path string, err error) {
	path, err = os.MkdirTemp(dir, prefix)
	return path, d.done(err, Op{Kind: Mkdir, Path: path})
}

// MkdirAll creates a folder and the missing ones above it. The names of the created
// folders are durable.
func (d Disk) MkdirAll(path string, mode fs.FileMode) error {
	fi, err := os.Stat(path)
	if err == nil && fi.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if err := d.MkdirAll(parent, mode); err != nil {
		return err
	}
	if err := d.Mkdir(path, mode); err != nil {
		if fi, serr := os.Stat(path); errors.Is(err, fs.ErrExist) && serr == nil && fi.IsDir() {
			return d.Sync(parent) // another process was faster
		}
		return err
	}
	return d.Sync(parent)
}

// Temporary writes and syncs a file that the caller will rename to path. Its name is a
// dot, the name of path, and digits.
func (d Disk) Temporary(path string, data []byte, mode fs.FileMode) (name string, err error) {
	prefix := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	for n := time.Now().UnixNano(); ; n++ {
		name = prefix + strconv.FormatInt(n, 10)
		err = d.Create(name, data, mode)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err == nil {
		err = d.Sync(name)
	}
	if err != nil {
		os.Remove(name)
		return "", err
	}
	return name, nil
}

// Replace replaces a file. A power loss leaves the old or the new file, and once Replace
// has returned nil, the new one.
func (d Disk) Replace(path string, data []byte, mode fs.FileMode) error {
	temp, err := d.Temporary(path, data, mode)
	if err != nil {
		return err
	}
	if err := d.Rename(temp, path); err != nil {
		d.Remove(temp)
		return err
	}
	return d.Sync(filepath.Dir(path))
}

// ReplaceUnsynced replaces a file, for its owner alone, at the price of a rename: a power
// loss may leave the old, the new or an empty file. Readers find the old or the new one. It
// is for what only describes, and its folder has to exist. A kill may leave a file named as
// one of Temporary.
func ReplaceUnsynced(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path))
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Folder makes a folder with files, for its owner alone. It appears by one rename, so that
// a power loss leaves all of it or nothing, and once Folder has returned nil, all of it. A
// folder that is there already stays as it is. A kill may leave path + ".new".
func (d Disk) Folder(path string, files map[string][]byte) error {
	return d.Tree(path, files, 0o700, 0o600)
}

// Tree is Folder with modes of one's own for folders and files, regardless of the umask.
// The names of files may have folders in them.
func (d Disk) Tree(path string, files map[string][]byte, dirMode, fileMode fs.FileMode) error {
	temp := path + ".new"
	if err := d.RemoveAll(temp); err != nil {
		return err
	}
	folders := map[string]bool{temp: true}
	for name := range files {
		for dir := filepath.Dir(filepath.Join(temp, name)); dir != temp; dir = filepath.Dir(dir) {
			folders[dir] = true
		}
	}
	// A folder sorts before those in it.
	written := slices.Sorted(maps.Keys(folders))
	for _, dir := range written {
		if err := d.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	for name, data := range files {
		file := filepath.Join(temp, name)
		if err := d.Write(file, data, fileMode); err != nil {
			return err
		}
		if err := os.Chmod(file, fileMode); err != nil {
			return err
		}
		written = append(written, file)
	}
	for dir := range folders {
		if err := os.Chmod(dir, dirMode); err != nil {
			return err
		}
	}
	if err := d.SyncAll(written...); err != nil {
		return err
	}
	if err := d.Rename(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.Sync(filepath.Dir(path))
}

// Within reports whether path is dir or lies below it. Both are clean paths.
func Within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator))
}
