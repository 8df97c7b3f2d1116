package sources

import (
	"errors"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"

	"dokku/agent/app"
	"dokku/build/source"
)

// objects writes the objects of one commit into a repository. Files go straight from
// their source into git's objects: no name of theirs ever becomes a path on this disk.
type objects struct {
	dir    string
	git    *dotgit.DotGit
	limits Limits
	root   folder
	count  int
	size   int64
	links  []symlink
}

// Limits bound what a command takes in.
type Limits struct {
	Size  int64 // bytes of an archive, and of its files together
	Files int   // files and folders
}

// folder is a folder of the commit: a *file or a folder by name.
type folder map[string]any

type file struct {
	mode filemode.FileMode
	blob plumbing.Hash
}

func newObjects(dir string, l Limits) *objects {
	return &objects{dir: dir, git: dotgit.New(osfs.New(dir)), limits: l, root: folder{}}
}

// clean returns the path of an entry of an archive, relative to its root; "" for the root
// itself. It refuses a path that leaves the archive or that git cannot have.
func clean(name string) (string, error) {
	slash := strings.TrimSuffix(name, "/")
	switch {
	case strings.HasPrefix(name, "/"):
		return "", entryError(name, errors.New("absolute paths are not allowed"))
	case strings.Contains(name, "\x00"):
		return "", entryError(name, errors.New("its name has a zero byte"))
	}
	for part := range strings.SplitSeq(slash, "/") {
		switch part {
		case "", ".":
			continue
		case "..":
			return "", entryError(name, errors.New("Archive contains entries with parent directory traversal"))
		}
		if err := source.CheckName(part); err != nil {
			return "", entryError(name, err)
		}
	}
	if slash = path.Clean(slash); slash == "." {
		return "", nil
	}
	return slash, nil
}

func entryError(name string, err error) error {
	return fmt.Errorf("cannot take %.200q: %w", name, err)
}

// admit counts an entry of size bytes before anything of it is read.
func (w *objects) admit(name string, size int64) error {
	if w.count++; w.count > w.limits.Files {
		return fmt.Errorf("its number of files and folders exceeds the maximum of %d; to allow more: dokku git:set --global archive-max-files NUMBER", w.limits.Files)
	}
	if size < 0 || size > w.limits.Size-w.size {
		return entryError(name, fmt.Errorf("with it, the files have more than %s; to allow more: dokku git:set --global archive-max-size BYTES", source.Bytes(w.limits.Size)))
	}
	w.size += size
	return nil
}

// add writes a file of size bytes, which was admitted, at a clean path.
func (w *objects) add(name string, mode filemode.FileMode, size int64, content io.Reader) error {
	blob, err := w.write(plumbing.BlobObject, size, content)
	if err != nil {
		return entryError(name, err)
	}
	return w.put(name, &file{mode, blob})
}

// write writes an object of exactly size bytes.
func (w *objects) write(kind plumbing.ObjectType, size int64, content io.Reader) (plumbing.Hash, error) {
	o, err := w.git.NewObject()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	err = o.WriteHeader(kind, size)
	if err == nil {
		var n int64
		if n, err = io.Copy(o, io.LimitReader(content, size)); err == nil && n < size {
			err = fmt.Errorf("it breaks off after %d of %d bytes", n, size)
		}
	}
	return o.Hash(), errors.Join(err, o.Close())
}

// put places a file or a folder; nil is an empty folder, which git does not keep. The
// last file of a name stays, as it would in an unpacked archive.
func (w *objects) put(name string, f *file) error {
	dir, base := w.root, path.Base(name)
	for part := range strings.SplitSeq(path.Dir(name), "/") {
		if part == "." {
			continue
		}
		below, ok := dir[part].(folder)
		if !ok && dir[part] != nil {
			return entryError(name, fmt.Errorf("%q is a file and a folder", part))
		}
		if !ok {
			below = folder{}
			dir[part] = below
		}
		dir = below
	}
	_, isFolder := dir[base].(folder)
	_, isFile := dir[base].(*file)
	switch {
	case isFolder && f != nil || isFile && f == nil:
		return entryError(name, fmt.Errorf("%q is a file and a folder", base))
	case f == nil && !isFolder:
		dir[base] = folder{}
	case f != nil:
		dir[base] = f
	}
	return nil
}

// at returns the file at a clean path.
func (w *objects) at(name string) (*file, bool) {
	var here any = w.root
	for part := range strings.SplitSeq(name, "/") {
		dir, ok := here.(folder)
		if !ok {
			return nil, false
		}
		here = dir[part]
	}
	f, ok := here.(*file)
	return f, ok
}

// strip drops the top folder if everything is in it, as Dokku does, and reports its name.
func (w *objects) strip() string {
	if len(w.root) != 1 {
		return ""
	}
	for name, only := range w.root {
		if below, ok := only.(folder); ok {
			w.root = below
			return name
		}
	}
	return ""
}

// tree writes the folders.
func (w *objects) tree() (plumbing.Hash, error) { return w.folder(w.root) }

func (w *objects) folder(dir folder) (plumbing.Hash, error) {
	t := &object.Tree{}
	for name, entry := range dir {
		switch e := entry.(type) {
		case *file:
			t.Entries = append(t.Entries, object.TreeEntry{Name: name, Mode: e.mode, Hash: e.blob})
		case folder:
			if empty(e) {
				continue
			}
			h, err := w.folder(e)
			if err != nil {
				return plumbing.ZeroHash, err
			}
			t.Entries = append(t.Entries, object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: h})
		}
	}
	sort.Sort(object.TreeEntrySorter(t.Entries))
	return w.encode(t)
}

// empty reports whether a folder has no file in it or below.
func empty(dir folder) bool {
	for _, entry := range dir {
		if below, ok := entry.(folder); !ok || !empty(below) {
			return false
		}
	}
	return true
}

func (w *objects) commit(c *object.Commit) (plumbing.Hash, error) { return w.encode(c) }

// encode writes a tree or a commit.
func (w *objects) encode(o object.Object) (plumbing.Hash, error) {
	m := &plumbing.MemoryObject{}
	if err := o.Encode(m); err != nil {
		return plumbing.ZeroHash, err
	}
	r, err := m.Reader()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return w.write(m.Type(), m.Size(), r)
}

// treeOf returns the tree of a commit of the repository in dir.
func treeOf(dir, commit string) (plumbing.Hash, error) {
	c, err := object.GetCommit(filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRU(cache.MiByte)), plumbing.NewHash(commit))
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("cannot read %s of %s: %w", app.Short(commit), dir, err)
	}
	return c.TreeHash, nil
}
