package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"dokku/agent/disk"
)

// partial ends the name of a file that is not complete.
const partial = ".part"

// folder is a Place in a folder of this host.
type folder struct {
	dir  string
	disk disk.Disk
}

func (f folder) Put(ctx context.Context, name string, r io.Reader, _ int64) (err error) {
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	if err := f.disk.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot make the folder for backups: %w: make one that dokku may write: install -d -o dokku -m 0700 %s", err, f.dir)
	}
	out, err := os.OpenFile(path+partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(path + partial)
		}
	}()
	_, err = io.Copy(&sparing{File: out, dir: f.dir}, interrupted{ctx, r})
	if err = errors.Join(err, out.Close()); err == nil {
		err = f.disk.Sync(path + partial)
	}
	if err != nil {
		return err
	}
	if err := f.disk.Rename(path+partial, path); err != nil {
		return err
	}
	return f.disk.Sync(filepath.Dir(path))
}

// leastFree is the free space, in bytes, that a backup leaves on the disk of its folder: it may
// be that of the databases.
const leastFree = 256 << 20

// freeSpace returns how much of a folder's disk a plain user may fill, in bytes.
var freeSpace = func(dir string) (int64, error) {
	var st unix.Statfs_t
	err := unix.Statfs(dir, &st)
	return int64(st.Bavail) * st.Bsize, err
}

// sparing is a file that ends before it fills its disk.
type sparing struct {
	*os.File
	dir   string
	until int64 // bytes that may be written before the next look
}

func (s *sparing) Write(p []byte) (int, error) {
	if s.until <= 0 {
		if free, err := freeSpace(s.dir); err == nil && free < leastFree {
			return 0, fmt.Errorf("the disk of %s is full but for %s", s.dir, units.HumanSize(float64(free)))
		}
		s.until = partSize
	}
	s.until -= int64(len(p))
	return s.File.Write(p)
}

// ReadFrom hides that of the file, which would not ask for the free space.
func (s *sparing) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{s}, r) }

// interrupted is a reader that ends with its context.
type interrupted struct {
	ctx context.Context
	r   io.Reader
}

func (i interrupted) Read(p []byte) (int, error) {
	if err := context.Cause(i.ctx); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

func (f folder) Get(_ context.Context, name string) (io.ReadCloser, error) {
	in, err := os.Open(filepath.Join(f.dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	return in, err
}

func (f folder) List(_ context.Context, below string) (list []File, err error) {
	entries, err := os.ReadDir(filepath.Join(f.dir, filepath.FromSlash(below)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasSuffix(e.Name(), partial) {
			continue
		}
		i, err := e.Info()
		if err != nil {
			return nil, err
		}
		list = append(list, File{Name: below + "/" + e.Name(), Size: i.Size()})
	}
	return list, err
}

func (f folder) Remove(_ context.Context, name string) error {
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	for _, p := range []string{path + partial, path} {
		if err := f.disk.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
