package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"dokku/agent/disk"
)

// Staging creates a folder for this process alone. It locks the folder, so that another
// process can remove it if this one is killed. done removes the folder.
func (s *Store) Staging(prefix string) (dir string, done func(), err error) {
	s.sweepStaging()
	if dir, err = os.MkdirTemp(s.Own(), prefix); err != nil {
		return "", nil, fmt.Errorf("cannot create a folder for the backup: %w", err)
	}
	f, err := os.Open(dir)
	free := false
	if err == nil {
		free, err = disk.TryLock(f, disk.Exclusive)
	}
	if err == nil && !free {
		err = errors.New("another process is removing it; try again")
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
