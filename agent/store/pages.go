package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dokku/agent/app"
)

// Page returns a path in the folder of the app's own pages for maintenance.
func (s *Store) Page(name string, elem ...string) string {
	return s.File(name, append([]string{app.PagesDir}, elem...)...)
}

// PageID is the id of a page for maintenance, of files by their path: the SHA-256 of a line
// "SHA256  PATH" for each file, in the order of the paths, as the plugin dokku-maintenance
// computes it. Clients compare it.
func PageID(files map[string][]byte) string {
	var lines strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(files[path]), path)
	}
	sum := sha256.Sum256([]byte(lines.String()))
	return hex.EncodeToString(sum[:])
}

// SavePage stores an app's own page for maintenance: files by their path. It counts once
// the state names the id.
func (s *Store) SavePage(name string, files map[string][]byte) (id string, err error) {
	id = PageID(files)
	to := s.Page(name, id)
	if _, err := os.Stat(to); err == nil {
		return id, nil
	}
	err = s.At("maintenance page")
	if err == nil {
		err = s.Disk.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = s.Disk.Tree(to, files, 0o700, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("cannot store the maintenance page: %w", err)
	}
	return id, nil
}

// SweepPages removes the app's pages for maintenance but the one that its state names. The
// proxy has copies of its own.
func (s *Store) SweepPages(name, keep string) {
	entries, _ := os.ReadDir(s.Page(name))
	for _, e := range entries {
		if e.Name() != keep {
			s.Disk.RemoveAll(s.Page(name, e.Name()))
		}
	}
}
