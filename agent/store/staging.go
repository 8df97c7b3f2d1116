package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"dokku/agent/disk"
)

// Staging creates a folder for this process alone. It locks the folder, so that another
// process can remove it if this one is killed. done removes the folder.
func (s *Store) Staging(prefix string) (dir string, done func(), err error) {
	dir, f, err := s.LockedStaging(prefix)
	return dir, func() { os.RemoveAll(dir); f.Close() }, err
}

// LockedStaging is Staging for a folder that another process takes over: the lock is that
// of the open folder, which a child process inherits.
func (s *Store) LockedStaging(prefix string) (dir string, lock *os.File, err error) {
	s.SweepStaging()
	for range stagingTries {
		if dir, lock, err = s.stage(prefix); err == nil {
			return dir, lock, nil
		}
		if !errors.Is(err, errSwept) {
			break
		}
	}
	return "", nil, fmt.Errorf("cannot create a folder of temporary files: %w", err)
}

// stagingTries is how often Staging creates a folder. Between its creation and its lock,
// another process may take it for that of a killed one.
const stagingTries = 100

var errSwept = errors.New("another process is removing it; try again")

// stage creates and locks one folder. The error is errSwept if another process removes it.
func (s *Store) stage(prefix string) (dir string, f *os.File, err error) {
	if dir, err = os.MkdirTemp(s.Own(), prefix); err != nil {
		return "", nil, err
	}
	free := false
	if f, err = os.Open(dir); err == nil {
		free, err = disk.TryLock(f, disk.Exclusive)
	}
	if err == nil && free {
		_, err = os.Stat(dir) // a sweep may have ended before the lock was taken
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !free:
		err = errSwept
	case err != nil:
		os.RemoveAll(dir)
	}
	if err != nil {
		f.Close() // a nil file too
	}
	return dir, f, err
}

// SweepStaging removes the folders of killed commands: backups, restores, deploys without
// a push, and detached pushes.
func (s *Store) SweepStaging() {
	for _, prefix := range []string{"backup-", "restore-", "source-", "detached-", "import-"} {
		found, _ := filepath.Glob(s.Own(prefix + "*"))
		for _, dir := range found {
			f, err := os.Open(dir)
			if err != nil {
				continue
			}
			if free, _ := disk.TryLock(f, disk.Exclusive); free {
				os.RemoveAll(dir)
			}
			f.Close()
		}
	}
}

// StageJSON writes a file below a staging folder, and creates the folders above it.
func (s *Store) StageJSON(path string, v any) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return s.WriteJSON(path, v)
}

// SweepRoot removes the files that killed commands left: trash, staging folders,
// temporary files and half-created apps.
func (s *Store) SweepRoot() {
	s.Disk.RemoveAll(s.Own("trash"))
	s.SweepStaging()
	if l, free, err := s.TryLock(SettingsLock, "cleaning up"); free && err == nil {
		s.SweepTemporary(s.Own())
		for _, name := range Credentials {
			s.SweepCopies(filepath.Join(s.Root, name))
		}
		l.Release()
	}
	begun, _ := filepath.Glob(filepath.Join(s.Root, NewPrefix+"*"))
	for _, dir := range begun {
		if fi, err := os.Stat(dir); err == nil && time.Since(fi.ModTime()) > time.Hour {
			s.Disk.RemoveAll(dir)
		}
	}
}
