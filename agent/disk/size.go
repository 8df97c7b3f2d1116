package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
)

// Size returns how many bytes the files below a folder take on the disk. Files that are removed
// meanwhile are no error.
func Size(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				size += info.Sys().(*syscall.Stat_t).Blocks * 512
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return size, err
}
