package buildkit

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"dokku/build/source"
)

// dirTime is the modification time of every folder, 2001-09-09: it must never
// change, and the engine does not compare it.
const dirTime = 1e18

// contextFS is a tree as BuildKit reads it, straight from git's objects.
// .dockerignore is not looked at here: the engine's Dockerfile frontend reads
// it (or <Dockerfile>.dockerignore, which wins) through this file system, and
// names what it leaves out in its request; a second reading here could only
// differ from that one.
type contextFS struct {
	source   *source.Source
	tree     *source.Tree
	manifest manifest
	transfer *transfer

	mu     sync.Mutex
	closed bool
	active sync.WaitGroup // walks and open files
}

var _ fsutil.FS = (*contextFS)(nil)

// begin registers a reader; every success is followed by active.Done.
func (c *contextFS) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fs.ErrClosed
	}
	c.active.Add(1)
	return nil
}

// close refuses new readers and waits for the present ones, which end by
// themselves when the session's connection is gone.
func (c *contextFS) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.active.Wait()
}

// Walk calls fn for target and all below it; for all entries when target is
// the root. A target that does not exist is no error, as for fsutil's own.
func (c *contextFS) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.active.Done()
	target = strings.Trim(path.Clean(filepath.ToSlash(target)), "/")
	files, below := c.tree.Files, ""
	if target != "" && target != "." {
		files, below = files[c.tree.Find(target):], target+"/"
	}
	for i := 0; i < len(files); {
		f := &files[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		if below != "" && f.Path != target && !strings.HasPrefix(f.Path, below) {
			return nil
		}
		err := fn(f.Path, &fsutil.DirEntryInfo{Stat: c.stat(f)}, nil)
		i++
		if err == fs.SkipAll {
			return nil
		}
		if err == fs.SkipDir {
			i = skip(files, i-1)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// skip returns the entry after the folder at i, or after the folder that the
// file at i lies in.
func skip(files []source.Entry, i int) int {
	dir := files[i].Path
	if !files[i].IsDir() {
		if dir = path.Dir(dir); dir == "." {
			return len(files)
		}
	}
	for i++; i < len(files) && strings.HasPrefix(files[i].Path, dir+"/"); {
		i++
	}
	return i
}

// stat makes a new Stat each time, because fsutil's filters change it.
func (c *contextFS) stat(f *source.Entry) *types.Stat {
	if f.IsDir() {
		return &types.Stat{Path: f.Path, Mode: uint32(os.ModeDir | 0o755), ModTime: dirTime}
	}
	s := &types.Stat{Path: f.Path, Mode: f.Mode & 0o777, Size: f.Size, ModTime: c.manifest[f.Path].modTime()}
	if f.IsLink() {
		s.Mode, s.Linkname = uint32(os.ModeSymlink|0o777), f.Link
	}
	return s
}

// Open opens a file and counts the bytes that are read from it.
func (c *contextFS) Open(name string) (io.ReadCloser, error) { return c.open(name, &c.transfer.bytes) }

func (c *contextFS) open(name string, count *atomic.Int64) (io.ReadCloser, error) {
	name = strings.Trim(path.Clean(filepath.ToSlash(name)), "/")
	i := c.tree.Find(name)
	if i == len(c.tree.Files) || c.tree.Files[i].Path != name || c.tree.Files[i].IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	rc, err := c.source.Blob(c.tree.Files[i].Blob)
	if err != nil {
		c.active.Done()
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return &countingReader{ReadCloser: rc, fs: c, count: count}, nil
}

// countingReader counts the bytes that are read. It is closed once.
type countingReader struct {
	io.ReadCloser
	fs    *contextFS
	count *atomic.Int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.count.Add(int64(n))
	return n, err
}

func (r *countingReader) Close() error {
	defer r.fs.active.Done()
	return r.ReadCloser.Close()
}

// uncounted is the tree as the Dockerfile is read from it. Newer engines read it at
// every build; the number of bytes sent is about the app's files.
type uncounted struct{ *contextFS }

// Open opens a file.
func (u uncounted) Open(name string) (io.ReadCloser, error) { return u.open(name, new(atomic.Int64)) }
