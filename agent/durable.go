package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// secure makes durable what git has accepted. Git syncs the contents of packs and,
// told to by the repository's configuration, of refs; the folders that it renames
// them into it never syncs. Git before 2.36 does not sync refs at all.
func (x *session) secure(ref string) error {
	paths := []string{x.Dir, filepath.Join(x.Dir, "objects", "pack")}
	for _, name := range []string{ref, "packed-refs", "shallow"} {
		path := filepath.Join(x.Dir, filepath.FromSlash(name))
		if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() {
			paths = append(paths, path)
		}
	}
	err := filepath.WalkDir(filepath.Join(x.Dir, "refs"), func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // git removes empty folders of refs
			return nil
		case err == nil && d.IsDir():
			paths = append(paths, path)
		}
		return err
	})
	if err == nil {
		err = x.disk.SyncAll(paths...)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot make durable what git has accepted for %s: %w", x.Name, err)
	}
	return nil
}

// wholeRef is the content of a loose ref.
var wholeRef = regexp.MustCompile(`^([0-9a-f]{40}|ref: .*)\n$`)

// mendRef looks, after a loss of power in the middle of a push, whether the disk has
// all of what git wrote: a new ref may be there without its content or without its
// objects. Then the push was not accepted, and the ref gets its former value again.
// It returns the ref's tip.
func (x *session) mendRef(st *Staged, tip string) (string, error) {
	if boot, err := bootID(); err != nil || boot == st.Owner.Boot {
		return tip, err
	}
	path := filepath.Join(x.Dir, filepath.FromSlash(st.Ref))
	content, err := os.ReadFile(path)
	damaged := err == nil && !wholeRef.Match(content)
	if !damaged && tip == st.New {
		err := complete(x.Dir, st.New)
		if damaged = missing(err); err != nil && !damaged {
			return "", err
		}
	}
	if !damaged {
		return tip, nil
	}
	if err := sweepRepository(x.Dir, Owner{}); err != nil {
		return "", err
	}
	if st.Old == zeroID {
		err = errors.Join(x.disk.Remove(path), x.disk.Sync(filepath.Dir(path)))
	} else {
		err = replaceLocked(x.disk, path, []byte(st.Old+"\n"))
	}
	if err != nil {
		return "", fmt.Errorf("cannot give %s of %s its former value, after a loss of power has damaged it: %w", st.Ref, x.Name, err)
	}
	x.log.Warn("A loss of power has taken what was pushed to %s: it has its former value again", st.Ref)
	return x.tip(st.Ref)
}

// complete returns an error unless a repository has a commit and all files of it.
// What else a push brings comes in the same pack.
func complete(dir, revision string) error {
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

// missing reports whether what cannot be read is not there, rather than for another
// reason.
func missing(err error) bool {
	for _, kind := range []error{plumbing.ErrObjectNotFound, dotgit.ErrPackfileNotFound, dotgit.ErrIdxNotFound, fs.ErrNotExist} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
