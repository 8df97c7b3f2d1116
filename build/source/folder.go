package source

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// AddFolder adds a folder of the host to the validated tree of c, as name in its root. The
// files must stay as they are until the Source is closed. No two readers of the tree may be
// at work yet.
func (s *Source) AddFolder(ctx context.Context, c Commit, name, dir string) error {
	t, err := s.Tree(ctx, c, DefaultLimits)
	if err != nil {
		return err
	}
	var added []Entry
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		e := Entry{Path: filepath.ToSlash(filepath.Join(name, rel)), Mode: modeDir}
		if !d.IsDir() {
			e.Mode = modeFile | 0o644
			if e.Blob, e.Size, err = hashFile(path); err != nil {
				return err
			}
			s.mu.Lock()
			s.large[e.Blob] = path
			s.mu.Unlock()
			t.Stats.Files++
			t.Stats.Bytes += e.Size
		}
		added = append(added, e)
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("cannot add %s to the files of %s: %w", name, c.Short, err)
	}
	t.Files = slices.Insert(t.Files, t.Find(name), added...)
	return nil
}

// hashFile returns the id that git would give a file's content.
func hashFile(path string) (plumbing.Hash, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return plumbing.ZeroHash, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return plumbing.ZeroHash, 0, err
	}
	h := plumbing.NewHasher(plumbing.BlobObject, info.Size())
	_, err = io.Copy(h, f)
	return h.Sum(), info.Size(), err
}
