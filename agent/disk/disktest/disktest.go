// Package disktest plays back what a disk may have kept of recorded operations when
// the power goes.
//
// Nothing is certain but what was synced: the content of a file by a sync of the
// file, a name in a folder by a sync of that folder. All else may have reached the
// disk or not, each by itself and in any order, so far as it can be told apart: a
// name is not changed a second time without the first. To sync a folder does not keep
// its own name, in the folder above. A rename is one step, also between two folders, and a sync
// of either keeps it, as file systems with a journal do. Of a file that was written
// and not synced, all, the first half or nothing may be there.
package disktest

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"dokku/agent/disk"
)

// A Recording is a folder's content, and what was done to it since.
type Recording struct {
	dir    string
	ignore func(name string) bool
	begun  Tree

	mu  sync.Mutex
	ops []disk.Op
}

// Tree is the content of a folder by name: a file's content, a folder's "/", a
// symbolic link's "->" and target. The contents of files begin with "=".
type Tree map[string]string

// Record begins a recording of dir, without what ignore names by its path in dir.
func Record(dir string, ignore func(name string) bool) (*Recording, error) {
	begun, err := Read(dir, ignore)
	return &Recording{dir: dir, ignore: ignore, begun: begun}, err
}

// Watch records an operation: it is a disk.Disk's.
func (r *Recording) Watch(op disk.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	op.Data = slices.Clone(op.Data)
	r.ops = append(r.ops, op)
}

// Ops returns the operations so far.
func (r *Recording) Ops() []disk.Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ops)
}

// Read reads a folder.
func Read(dir string, ignore func(name string) bool) (Tree, error) {
	t := Tree{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || name == "." {
			return err
		}
		if ignore(name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		switch {
		case d.IsDir():
			t[name] = "/"
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			t[name] = "->" + target
			return err
		default:
			data, err := os.ReadFile(path)
			t[name] = "=" + string(data)
			return err
		}
		return nil
	})
	return t, err
}

// Write makes the folder dir, which is empty, what the tree is.
func (t Tree) Write(dir string) error {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		path, content := filepath.Join(dir, name), t[name]
		var err error
		switch content[0] {
		case '/':
			err = os.Mkdir(path, 0o700)
		case '-':
			err = os.Symlink(content[2:], path)
		default:
			err = os.WriteFile(path, []byte(content[1:]), 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Diff tells how two trees differ, one line for each name.
func Diff(a, b Tree) (lines []string) {
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if was, is := a[name], b[name]; was != is {
			lines = append(lines, fmt.Sprintf("%s: %.300q, then %.300q", name, was, is))
		}
	}
	return lines
}

// A State is what may be on the disk after a loss of power.
type State struct {
	// Name says what of the unsynced was kept.
	Name string
	Tree Tree
}

// content is what was kept of the contents of files that were not synced.
type content int

const (
	old content = iota // what it was before it was written, nothing if new
	empty
	half
	whole
)

// States returns the states that differ after the first n operations. Some keep
// all or nothing of a sort; mixed ones are chosen by the seed.
func (r *Recording) States(n, mixed int, seed uint64) []State {
	v := r.volume(n)
	all := func(keep bool) func(int) bool { return func(int) bool { return keep } }
	same := func(c content) func(*inode) content { return func(*inode) content { return c } }
	list := []State{
		{"nothing unsynced is kept", v.tree(all(false), same(old))},
		{"all is kept", v.tree(all(true), same(whole))},
		{"names are kept and contents are not", v.tree(all(true), same(empty))},
		{"names are kept and half of the contents", v.tree(all(true), same(half))},
		{"contents are kept and names are not", v.tree(all(false), same(whole))},
	}
	if len(v.pending)+v.unsynced() > 1 {
		rnd := rand.New(rand.NewPCG(seed, uint64(n)))
		for i := range mixed {
			odds := []int{2, 3, 8}[i%3] // one of so many is lost
			kept := map[int]bool{}
			for p := range v.pending {
				kept[p] = rnd.IntN(odds) != 0
			}
			list = append(list, State{fmt.Sprintf("some is kept (%d)", i+1), v.tree(func(p int) bool { return kept[p] },
				func(*inode) content { return content(rnd.IntN(int(whole) + 1)) })})
		}
	}
	var differ []State
	for _, s := range list {
		if !slices.ContainsFunc(differ, func(o State) bool { return maps.Equal(o.Tree, s.Tree) }) {
			differ = append(differ, s)
		}
	}
	return differ
}

// Kept is the state in which nothing is lost after the first n operations.
func (r *Recording) Kept(n int) Tree {
	return r.volume(n).tree(func(int) bool { return true }, func(*inode) content { return whole })
}

// Complete returns an error when the folder is not what the operations make of what
// it was: something was written past the recording.
func (r *Recording) Complete() error {
	is, err := Read(r.dir, r.ignore)
	if err != nil {
		return err
	}
	if lines := Diff(r.Kept(len(r.Ops())), is); len(lines) > 0 {
		return fmt.Errorf("recorded and there are not the same:\n%s", strings.Join(lines, "\n"))
	}
	return nil
}
