package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"dokku/agent/failpoint"
	"dokku/agent/proc"
)

// Sweep removes the leftovers of killed gits in a bare repository: quarantines, and the
// lock files of refs, which block every later push. The caller holds the app's lock;
// own is the push that it works for, the zero Owner outside of a push.
//
// It removes nothing while another git writes to the repository. The order matters: a
// live process that owns a listed file exists before the list is made, so the later
// look at the processes finds it. After a crash the next sweep removes the rest.
func Sweep(dir string, own proc.Owner) error {
	if err := failpoint.Count("git", "clear away what a killed git left"); err != nil {
		return err
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("cannot clean up after git: %w", err)
	}
	left, err := Leftovers(dir)
	if err != nil {
		return fmt.Errorf("cannot clean up after git in %s: %w", dir, err)
	}
	// Every push has its own quarantine. Only other leftovers justify a look at all
	// processes of the host.
	left = slices.DeleteFunc(left, func(path string) bool { return own.PID != 0 && isOwnQuarantine(path) })
	if len(left) == 0 {
		return nil
	}
	writers, err := proc.WritersOf(dir, own)
	if err != nil {
		return fmt.Errorf("cannot clean up after git in %s: %w", dir, err)
	}
	if len(writers) > 0 {
		return nil
	}
	var errs []error
	for _, path := range left {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// isOwnQuarantine reports whether path is the quarantine of the push that this process
// is a hook of.
func isOwnQuarantine(path string) bool {
	for _, name := range []string{"GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY"} {
		if own, err := filepath.EvalSymlinks(os.Getenv(name)); err == nil && own == path {
			return true
		}
	}
	return false
}

// Leftovers lists the files that a killed git may have left. No ref ends in .lock
// (git-check-ref-format), so below refs/ the suffix decides.
func Leftovers(dir string) ([]string, error) {
	var left []string
	for _, pattern := range []string{
		"objects/tmp_objdir-incoming-*", "objects/incoming-*", // git >= 2.35, older
		"packed-refs.lock", "packed-refs.new", "shallow.lock", "HEAD.lock", "config.lock",
	} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		left = append(left, found...)
	}
	err := filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // git removes empty folders of refs
		case err != nil:
			return err
		case !d.IsDir() && strings.HasSuffix(path, ".lock"):
			left = append(left, path)
		}
		return nil
	})
	return left, err
}

// HasRefs reports whether the repository has a branch, a tag or any other ref.
func HasRefs(dir string) (bool, error) {
	st := filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRU(0))
	refs, err := st.IterReferences()
	if err != nil {
		return false, err
	}
	defer refs.Close()
	found := false
	err = refs.ForEach(func(r *plumbing.Reference) error {
		found = found || r.Type() == plumbing.HashReference
		return nil
	})
	return found, err
}

// Pushing reports whether a git process that may move a ref works in the repository. If
// it cannot tell, it returns true.
func Pushing(dir string) bool {
	writers, err := proc.WritersOf(dir, proc.Owner{})
	return err != nil || len(writers) > 0
}
