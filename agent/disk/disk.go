// Package disk changes files so that what was reported done survives a loss of
// power.
//
// A rename without an fsync of the file before it may leave the new name with
// nothing in it, and one without an fsync of the folder behind it may never have
// happened. None of that shows in a test that only reads what it wrote. So all
// that changes files for good goes through [Disk], which can be watched: a test
// records each operation with its content, and plays back what a disk may have
// kept of them when the power goes.
//
// That is why renameio was given up: it syncs where nobody can watch. An interface
// with a real and a recording implementation was rejected, since the test would then
// see what was asked for and not what was done: the operations here are made by the
// same code whether somebody watches or not.
//
// What may be lost does not go through [Disk]: logs, locks, and what is tidied away
// and would be tidied away again.
//
// Locks are flock(2) on files, by [TryLock] and [WaitLock]: the kernel gives them
// back when their holder ends, however it ends. gofrs/flock was rejected: it locks
// what it has opened itself, and our lock files hold a text, or are folders.
package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is what an operation does.
type Kind string

// The kinds of operations. Only a Sync of a file makes its content durable, and
// only a Sync of a folder the names in it.
const (
	Write   Kind = "write"   // Path is created or truncated, and has Data
	Mkdir   Kind = "mkdir"   // Path becomes a folder
	Link    Kind = "link"    // To becomes another name of the file at Path
	Symlink Kind = "symlink" // Path becomes a symbolic link to To
	Rename  Kind = "rename"  // Path becomes To
	Remove  Kind = "remove"  // Path, with all that is below, is removed
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
	// Watch is told of each operation once it was carried out; nil: nobody is.
	// Operations made at the same time are told at the same time.
	Watch func(Op) `json:"-"`
}

func (d Disk) done(err error, op Op) error {
	if err == nil && d.Watch != nil {
		d.Watch(op)
	}
	return err
}

// Write creates a file, or truncates the one that is there, and fills it. The
// content is not durable before Sync.
func (d Disk) Write(path string, data []byte, mode fs.FileMode) error {
	return d.done(os.WriteFile(path, data, mode), Op{Kind: Write, Path: path, Data: data})
}

// Create is Write of a file that must not exist yet (fs.ErrExist).
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

// SyncAll is Sync of several at once: file systems commit together what waits
// together.
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

// SyncFileSystem waits until everything is on the disk that was written to the file
// system of path: for many files at once.
func (d Disk) SyncFileSystem(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return d.done(errors.Join(unix.Syncfs(int(f.Fd())), f.Close()), Op{Kind: Sync, Path: path})
}

// Rename gives a file or folder another name, in one step.
func (d Disk) Rename(from, to string) error {
	return d.done(os.Rename(from, to), Op{Kind: Rename, Path: from, To: to})
}

// Link gives a file a second name.
func (d Disk) Link(path, name string) error {
	return d.done(os.Link(path, name), Op{Kind: Link, Path: path, To: name})
}

// Symlink makes a symbolic link.
func (d Disk) Symlink(target, path string) error {
	return d.done(os.Symlink(target, path), Op{Kind: Symlink, Path: path, To: target})
}

// Remove removes a file or an empty folder. What is not there is fs.ErrNotExist.
func (d Disk) Remove(path string) error {
	return d.done(os.Remove(path), Op{Kind: Remove, Path: path})
}

// RemoveAll removes a file or a folder with all that is below.
func (d Disk) RemoveAll(path string) error {
	return d.done(os.RemoveAll(path), Op{Kind: Remove, Path: path})
}

// Mkdir makes a folder.
func (d Disk) Mkdir(path string, mode fs.FileMode) error {
	return d.done(os.Mkdir(path, mode), Op{Kind: Mkdir, Path: path})
}

// MkdirTemp makes a folder whose name begins with prefix and was free.
func (d Disk) MkdirTemp(dir, prefix string) (path string, err error) {
	path, err = os.MkdirTemp(dir, prefix)
	return path, d.done(err, Op{Kind: Mkdir, Path: path})
}

// MkdirAll makes a folder and those above it that are missing. The names of those
// that it has made are durable.
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
			return d.Sync(parent) // somebody else was faster
		}
		return err
	}
	return d.Sync(parent)
}

// Temporary writes a file beside path that is to take its name, with its content
// on the disk. Its name is path's between a dot and digits.
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

// Replace writes a file so that a loss of power at any moment leaves the old or the
// new one, and once it has returned the new one.
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
