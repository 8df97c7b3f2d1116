package disktest

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"dokku/agent/disk"
)

// A volume is a file system of which a part is on the disk.
type volume struct {
	root *inode
	// pending are the changes of names that no sync has covered yet, in order.
	pending []change
}

// An inode is a file, a folder or a symbolic link.
type inode struct {
	kind byte // as in Tree
	// data is the content as it is read, synced the one on the disk; a link's target.
	data, synced string
	written      bool // data is not on the disk
	// names are a folder's as they are read, kept those on the disk.
	names, kept map[string]*inode
}

// A change of names is made as a whole or not.
type change []entry

// An entry gives a name in a folder to an inode; nil: nothing has the name.
type entry struct {
	dir  *inode
	name string
	to   *inode
}

func newInode(kind byte, data string) *inode {
	i := &inode{kind: kind, data: data, synced: data}
	if kind == '/' {
		i.names, i.kept = map[string]*inode{}, map[string]*inode{}
	}
	return i
}

// volume is what the first n operations lead to.
func (r *Recording) volume(n int) *volume {
	v := &volume{root: newInode('/', "")}
	for _, name := range slices.Sorted(maps.Keys(r.begun)) {
		i := newInode(r.begun[name][0], strings.TrimPrefix(strings.TrimPrefix(r.begun[name], "="), "->"))
		dir, base := v.place(name)
		dir.names[base], dir.kept[base] = i, i
	}
	for _, op := range r.Ops()[:n] {
		v.apply(op, r.name)
	}
	return v
}

// name is a path in the recorded folder; "" when it is not to be looked at.
func (r *Recording) name(path string) string {
	name, err := filepath.Rel(r.dir, path)
	if err != nil || strings.HasPrefix(name, "..") || r.ignore(name) {
		return ""
	}
	return name
}

// place is the folder that has a name, and the name in it.
func (v *volume) place(name string) (*inode, string) {
	dir, base := filepath.Split(name)
	return v.find(filepath.Clean(dir)), base
}

func (v *volume) find(name string) *inode {
	at := v.root
	for _, part := range strings.Split(name, "/") {
		if part != "." {
			at = at.names[part]
		}
		if at == nil {
			panic(fmt.Sprintf("%s was not recorded: something was written past the recording", name))
		}
	}
	return at
}

func (v *volume) apply(op disk.Op, inside func(string) string) {
	name := inside(op.Path)
	if name == "" {
		return
	}
	if op.Kind == disk.Sync {
		v.sync(v.find(name))
		return
	}
	dir, base := v.place(name)
	switch op.Kind {
	case disk.Write:
		i := dir.names[base]
		if i == nil {
			i = newInode('=', "")
			v.change(entry{dir, base, i})
		}
		i.data, i.written = string(op.Data), true
	case disk.Mkdir:
		v.change(entry{dir, base, newInode('/', "")})
	case disk.Symlink:
		v.change(entry{dir, base, newInode('-', op.To)})
	case disk.Link:
		to, other := v.place(inside(op.To))
		v.change(entry{to, other, dir.names[base]})
	case disk.Rename:
		to, other := v.place(inside(op.To))
		v.change(entry{dir, base, nil}, entry{to, other, dir.names[base]})
	case disk.Remove:
		v.remove(dir, base)
	}
}

// remove removes what is below first, each by itself.
func (v *volume) remove(dir *inode, name string) {
	i := dir.names[name]
	if i == nil {
		return
	}
	for _, below := range slices.Sorted(maps.Keys(i.names)) {
		v.remove(i, below)
	}
	v.change(entry{dir, name, nil})
}

func (v *volume) change(c ...entry) {
	for _, e := range c {
		e.set(e.dir.names)
	}
	v.pending = append(v.pending, c)
}

func (e entry) set(names map[string]*inode) {
	if e.to == nil {
		delete(names, e.name)
	} else {
		names[e.name] = e.to
	}
}

// sync keeps the content of a file, or the names in a folder and whatever those
// cannot be without.
func (v *volume) sync(i *inode) {
	if i.kind != '/' {
		i.synced, i.written = i.data, false
		return
	}
	kept := v.closed(func(p int) bool {
		return slices.ContainsFunc(v.pending[p], func(e entry) bool { return e.dir == i })
	})
	var rest []change
	for p, c := range v.pending {
		if !kept[p] {
			rest = append(rest, c)
			continue
		}
		for _, e := range c {
			e.set(e.dir.kept)
		}
	}
	v.pending = rest
}

// closed are the chosen changes, and those before that they cannot be without.
func (v *volume) closed(chosen func(int) bool) []bool {
	kept := make([]bool, len(v.pending))
	for p := len(v.pending) - 1; p >= 0; p-- {
		kept[p] = kept[p] || chosen(p)
		for before := 0; kept[p] && before < p; before++ {
			kept[before] = kept[before] || v.pending[p].needs(v.pending[before])
		}
	}
	return kept
}

// needs reports whether a change cannot be told from one that was made before, and
// not taken back: of the same name, of the same inode. What is kept in a folder whose
// own name is not is there, and nothing leads to it.
func (c change) needs(before change) bool {
	for _, e := range c {
		for _, b := range before {
			if e.dir == b.dir && e.name == b.name || e.to != nil && e.to == b.to {
				return true
			}
			// A folder is removed, not renamed, when nothing is in it any longer.
			if len(c) == 1 && e.to == nil && e.dir.kept[e.name] == b.dir {
				return true
			}
		}
	}
	return false
}

func (v *volume) unsynced() (n int) {
	var walk func(*inode)
	walk = func(i *inode) {
		if i.written {
			n++
		}
		for _, below := range i.names {
			walk(below)
		}
	}
	walk(v.root)
	return n
}

// tree is what is on the disk with some of the pending changes and of the contents.
func (v *volume) tree(keep func(int) bool, contents func(*inode) content) Tree {
	names := map[*inode]map[string]*inode{}
	in := func(dir *inode) map[string]*inode {
		if names[dir] == nil {
			names[dir] = maps.Clone(dir.kept)
		}
		return names[dir]
	}
	kept := v.closed(keep)
	for p, c := range v.pending {
		for _, e := range c {
			if kept[p] {
				e.set(in(e.dir))
			}
		}
	}
	t, seen := Tree{}, map[*inode]string{}
	var walk func(path string, dir *inode)
	walk = func(path string, dir *inode) {
		for _, name := range slices.Sorted(maps.Keys(in(dir))) {
			i, path := in(dir)[name], filepath.Join(path, name)
			if _, known := seen[i]; !known {
				seen[i] = i.text(contents)
			}
			if t[path] = seen[i]; i.kind == '/' {
				walk(path, i)
			}
		}
	}
	walk("", v.root)
	return t
}

// text is an inode as in a Tree.
func (i *inode) text(contents func(*inode) content) string {
	switch {
	case i.kind == '/':
		return "/"
	case i.kind == '-':
		return "->" + i.data
	case !i.written:
		return "=" + i.data
	}
	switch contents(i) {
	case old:
		return "=" + i.synced
	case empty:
		return "="
	case half:
		return "=" + i.data[:len(i.data)/2]
	}
	return "=" + i.data
}
