package store

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Staging makes a folder that is this process's alone: with the lock on it goes the
// claim, so that others can clear away what somebody left who was killed.
func (s *Store) Staging(prefix string) (dir string, done func(), err error) {
	s.sweepStaging()
	if dir, err = os.MkdirTemp(s.Own(), prefix); err != nil {
		return "", nil, fmt.Errorf("cannot make a folder for the backup: %w", err)
	}
	f, err := os.Open(dir)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return "", nil, fmt.Errorf("cannot claim %s: %w", dir, err)
	}
	return dir, func() { os.RemoveAll(dir); f.Close() }, nil
}

// sweepStaging removes the folders of backups and restores that were killed.
func (s *Store) sweepStaging() {
	for _, prefix := range []string{"backup-", "restore-"} {
		found, _ := filepath.Glob(s.Own(prefix + "*"))
		for _, dir := range found {
			f, err := os.Open(dir)
			if err != nil {
				continue
			}
			if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
				os.RemoveAll(dir)
			}
			f.Close()
		}
	}
}

// StageJSON writes a file that counts only once all of a folder does.
func (s *Store) StageJSON(path string, v any) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return s.WriteJSON(path, v)
}

// SweepRoot removes what a create or a destroy left that was killed halfway.
func (s *Store) SweepRoot() {
	s.Disk.RemoveAll(s.Own("trash"))
	s.sweepStaging()
	if l, free, err := s.TryLock(SettingsLock, "cleaning up"); free && err == nil {
		s.SweepTemporary(s.Own())
		l.Release()
	}
	begun, _ := filepath.Glob(filepath.Join(s.Root, NewPrefix+"*"))
	for _, dir := range begun {
		if fi, err := os.Stat(dir); err == nil && time.Since(fi.ModTime()) > time.Hour {
			s.Disk.RemoveAll(dir)
		}
	}
}
