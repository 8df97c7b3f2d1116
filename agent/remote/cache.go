package remote

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The folders of a cache.
const (
	dirCommits = "commits"
	dirLFS     = "lfs"
)

// keptSize is how many bytes of a cache stay beside what the last build used.
const keptSize = 2 << 30

// has reports whether the cache has an entry, and notes its use.
func (f *Fetcher) has(name string) bool {
	path := filepath.Join(f.Cache, name)
	if _, err := os.Lstat(path); err != nil {
		return false
	}
	now := time.Now()
	os.Chtimes(path, now, now) // for Prune; a failure makes it look unused
	f.used = append(f.used, name)
	return true
}

// keep moves a file or a folder into the cache. A crash before the rename leaves the
// cache as it was, one after it an entry that is whole.
func (f *Fetcher) keep(path, name string) error {
	var all []string
	err := filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err == nil {
		err = f.Disk.SyncAll(all...)
	}
	to := filepath.Join(f.Cache, name)
	if err == nil {
		err = f.Disk.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = f.At("keep " + filepath.Dir(name))
	}
	if err == nil {
		if err = f.Disk.Rename(path, to); err != nil && f.has(name) {
			err = nil // another build has fetched it meanwhile; its name says what it is
		}
	}
	if err == nil {
		err = f.Disk.Sync(filepath.Dir(to))
	}
	if err == nil {
		f.used = append(f.used, name)
	}
	return err
}

// Prune removes the entries of the cache that were not used for the longest time, down
// to a limit. What this Fetcher used stays. It says nothing of errors: the cache is
// pruned again after the next build.
func (f *Fetcher) Prune() {
	type entry struct {
		path string
		used time.Time
		size int64
	}
	var list []entry
	for _, dir := range []string{dirCommits, dirLFS} {
		found, _ := os.ReadDir(filepath.Join(f.Cache, dir))
		for _, d := range found {
			name := filepath.Join(dir, d.Name())
			info, err := d.Info()
			if err == nil && !slices.Contains(f.used, name) {
				path := filepath.Join(f.Cache, name)
				list = append(list, entry{path, info.ModTime(), sizeOf(path)})
			}
		}
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Or(b.used.Compare(a.used), cmp.Compare(a.path, b.path)) })
	var sum int64
	for _, e := range list {
		if sum += e.size; sum > keptSize && f.At("prune "+filepath.Base(e.path)) == nil {
			f.Disk.RemoveAll(e.path)
		}
	}
}

// sizeOf returns the bytes of a file, or of all files below a folder.
func sizeOf(path string) (size int64) {
	filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil
	})
	return size
}
