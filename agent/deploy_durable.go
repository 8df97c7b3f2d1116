package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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

// wholeRef is the content of a loose ref.
var wholeRef = regexp.MustCompile(`^([0-9a-f]{40}|ref: .*)\n$`)
