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
	_, err = io.Copy(out, interrupted{ctx, r})
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
