package repo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"

	"dokku/agent/disk"
)

// HasAllObjects returns an error if the repository lacks a commit or one of its files.
// It need not check older commits: they come in the same pack.
func HasAllObjects(dir, revision string) error {
	st := filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRU(cache.MiByte))
	c, err := object.GetCommit(st, plumbing.NewHash(revision))
	if err != nil {
		return fmt.Errorf("cannot read %s of %s: %w", revision, dir, err)
	}
	t, err := c.Tree()
	if err != nil {
		return fmt.Errorf("cannot read the tree of %s of %s: %w", revision, dir, err)
	}
	walk := object.NewTreeWalker(t, true, nil)
	defer walk.Close()
	for {
		name, e, err := walk.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && e.Mode != filemode.Submodule {
			err = st.HasEncodedObject(e.Hash)
		}
		if err != nil {
			return fmt.Errorf("cannot read %s in %s of %s: %w", name, revision, dir, err)
		}
	}
}

// Missing reports whether err says that a file or object does not exist.
func Missing(err error) bool {
	for _, kind := range []error{plumbing.ErrObjectNotFound, dotgit.ErrPackfileNotFound, dotgit.ErrIdxNotFound, fs.ErrNotExist} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// SyncRefs makes an accepted push durable. Git syncs the contents of packs and, with our
// configuration, of refs, but never the folders. Git before 2.36 does not sync refs
// at all.
func SyncRefs(d disk.Disk, dir, ref string) error {
	paths := []string{dir, filepath.Join(dir, "objects", "pack")}
	for _, name := range []string{ref, "packed-refs", "shallow"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() {
			paths = append(paths, path)
		}
	}
	err := filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // git removes empty folders of refs
			return nil
		case err == nil && e.IsDir():
			paths = append(paths, path)
		}
		return err
	})
	if err == nil {
		err = d.SyncAll(paths...)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot sync the accepted push in %s: %w", dir, err)
	}
	return nil
}
