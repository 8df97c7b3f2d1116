package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

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
