package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/moby/patternmatcher"
)

// The types of a tree's entries, in git's octal modes.
const (
	modeDir  = 0o040000
	modeFile = 0o100000
	modeLink = 0o120000
	modeSub  = 0o160000
	modeType = 0o170000
)

// gitEntry is one entry of a git tree.
type gitEntry struct {
	name string
	mode uint32
	hash plumbing.Hash
}

func (e gitEntry) kind() uint32 { return e.mode & modeType }

// gitEntries parses a tree object. It takes the modes as they are: go-git's
// decoder folds unknown ones into known ones.
func gitEntries(b []byte) iter.Seq2[gitEntry, error] {
	return func(yield func(gitEntry, error) bool) {
		for len(b) > 0 {
			var e gitEntry
			i := 0
			for ; i < len(b) && i < 8 && b[i] >= '0' && b[i] <= '7'; i++ {
				e.mode = e.mode<<3 | uint32(b[i]-'0')
			}
			end := bytes.IndexByte(b, 0)
			if i == 0 || i >= len(b) || b[i] != ' ' || end < i || len(b) < end+21 {
				yield(e, errors.New("a tree is damaged; run git fsck in your repository and push again"))
				return
			}
			e.name = string(b[i+1 : end])
			copy(e.hash[:], b[end+1:])
			b = b[end+21:]
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Limits are the budgets of one pushed tree. Git itself has none: 839 bytes of
// pack can hold 10^10 files, and 1 MB one file of 1 GiB.
type Limits struct {
	Files int   // files, links and folders
	Depth int   // folders inside one another
	Name  int   // bytes of one name
	Path  int   // bytes of one path
	Blob  int64 // bytes of one file
	Total int64 // bytes of all files
}

// DefaultLimits are generous for an app and harmless for the host.
var DefaultLimits = Limits{
	Files: 200_000, Depth: 64, Name: 255, Path: 3072, Blob: 2 << 30, Total: 8 << 30,
}

// Stats counts a validated tree.
type Stats struct {
	Files int   // files and links
	Bytes int64 // of their contents
}

// Tree is a validated tree, flat, in the order in which BuildKit wants a walk:
// names compare as plain strings within a folder (git compares a folder's name
// as if it ended in a slash), and a folder comes right before its content.
type Tree struct {
	Files []Entry
	Stats Stats
}

// Entry is a file, a link or a folder of a tree.
type Entry struct {
	Path string // from the root
	Link string // target of a link
	Blob plumbing.Hash
	Size int64
	Mode uint32 // 0o040000, 0o100644, 0o100755 or 0o120000
}

// IsDir reports whether the entry is a folder.
func (e *Entry) IsDir() bool { return e.Mode == modeDir }

// IsLink reports whether the entry is a symbolic link.
func (e *Entry) IsLink() bool { return e.Mode == modeLink }

// Find returns the position of the first entry that is path or comes after it.
func (t *Tree) Find(path string) int {
	return sort.Search(len(t.Files), func(i int) bool { return comparePath(t.Files[i].Path, path) >= 0 })
}

// Has reports whether the tree has a file, link or folder at path.
func (t *Tree) Has(path string) bool {
	i := t.Find(path)
	return i < len(t.Files) && t.Files[i].Path == path
}

// OtherCase returns the path of an entry that differs from path in upper and lower
// case only; "" if there is none.
func (t *Tree) OtherCase(path string) string {
	for i := range t.Files {
		if p := t.Files[i].Path; p != path && strings.EqualFold(p, path) {
			return p
		}
	}
	return ""
}

// comparePath orders paths as a walk meets them: a slash sorts before all.
func comparePath(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case b[i] != '/' && a[i] < b[i] || a[i] == '/':
			return -1
		default:
			return 1
		}
	}
	return len(a) - len(b)
}

// Validate refuses a commit whose tree cannot be built safely or that exceeds
// the limits. An entry that is not supported, such as a device, is accepted where
// .dockerignore leaves it out. Validate reads trees, the sizes of files, the targets of
// links and the first bytes of small files, and fetches submodules.
func (s *Source) Validate(ctx context.Context, c Commit, l Limits) (Stats, error) {
	t, err := s.Tree(ctx, c, l)
	if err != nil {
		return Stats{}, err
	}
	return t.Stats, nil
}

// Tree validates and flattens the tree of c, once: a second call returns the same
// Tree, whatever its limits are.
func (s *Source) Tree(ctx context.Context, c Commit, l Limits) (*Tree, error) {
	s.mu.Lock()
	t := s.trees[c.Tree]
	s.mu.Unlock()
	if t != nil {
		return t, nil
	}
	root, err := parseHash(c.Tree)
	if err != nil {
		return nil, err
	}
	at, err := s.place(c)
	if err != nil {
		return nil, err
	}
	w := &walker{ctx: ctx, source: s, rev: c.Tree, store: s.store, limits: l, tree: &Tree{},
		folders: map[plumbing.Hash][]gitEntry{}, blobs: map[blobKey]blobInfo{}}
	if err := w.folder(root, "", at, 0); err != nil {
		return nil, fmt.Errorf("cannot deploy %s: %w", c.Short, err)
	}
	if err := s.checkIgnore(ctx, c.Tree, w.tree.Files); err != nil {
		return nil, fmt.Errorf("cannot deploy %s: %w", c.Short, err)
	}
	if err := w.fetchLarge(ctx); err != nil {
		return nil, fmt.Errorf("cannot deploy %s: %w", c.Short, err)
	}
	s.mu.Lock()
	s.trees[c.Tree] = w.tree
	s.mu.Unlock()
	return w.tree, nil
}

// walker flattens one tree.
type walker struct {
	ctx     context.Context
	source  *Source
	rev     string // id of the tree
	store   *store
	limits  Limits
	tree    *Tree
	matcher *patternmatcher.PatternMatcher // of .dockerignore; nil: not read yet
	weight  Weight                         // of its patterns

	// What a tree names many times is read once, or else a hostile tree takes
	// seconds until it exceeds its budget.
	folders map[plumbing.Hash][]gitEntry
	blobs   map[blobKey]blobInfo

	// What LFS has, by the blob of the pointer. Repositories are in the order of the walk.
	large map[*repository]map[plumbing.Hash]LFSObject
	repos []*repository
}

// folder adds what is in a folder. dir is its path in the tree, at where git has it: a
// submodule is a repository of its own.
func (w *walker) folder(h plumbing.Hash, dir string, at place, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if depth > w.limits.Depth {
		return pathError(dir, fmt.Errorf("it lies in more than %d folders; move it up", w.limits.Depth))
	}
	entries, err := w.entries(h, dir)
	if err != nil {
		return err
	}
	for i, e := range entries {
		path := join(dir, e.name)
		if i > 0 && entries[i-1].name == e.name {
			return pathError(path, errors.New("the folder has this name twice; remove one"))
		}
		if err := w.entry(e, path, at.at(e.name), depth); err != nil {
			return err
		}
	}
	return nil
}

// entries parses one folder and sorts it by plain names. The count is checked
// before anything is kept.
func (w *walker) entries(h plumbing.Hash, dir string) ([]gitEntry, error) {
	if entries, ok := w.folders[h]; ok {
		return entries, nil
	}
	b, err := w.store.get(h, plumbing.TreeObject, maxTree)
	if err != nil {
		return nil, pathError(dir, err)
	}
	var entries []gitEntry
	for e, err := range gitEntries(b) {
		if err != nil {
			return nil, pathError(dir, err)
		}
		if len(w.tree.Files)+len(entries) >= w.limits.Files {
			return nil, fmt.Errorf("it has more than %d files and folders; remove what the app does not need", w.limits.Files)
		}
		entries = append(entries, e)
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].name < entries[j].name })
	w.folders[h] = entries
	return entries, nil
}

// entry adds an entry and what is below it. One that is not supported is left out of
// the tree where .dockerignore leaves it out of the build.
func (w *walker) entry(e gitEntry, path string, at place, depth int) error {
	if len(w.tree.Files) >= w.limits.Files {
		return fmt.Errorf("it has more than %d files and folders; remove what the app does not need", w.limits.Files)
	}
	err := w.supported(e, path)
	switch {
	case err != nil:
	case e.kind() == modeDir:
		w.tree.Files = append(w.tree.Files, Entry{Path: path, Mode: modeDir})
		return w.folder(e.hash, path, at, depth+1)
	case e.kind() == modeSub:
		return w.submodule(e, path, at, depth)
	default:
		err = w.blob(e, path, at)
	}
	if !isUnsupported(err) {
		return err
	}
	if ignored, readErr := w.ignores(path); ignored || readErr != nil {
		return readErr
	}
	return err
}

// supported checks an entry's name and mode.
func (w *walker) supported(e gitEntry, path string) error {
	err := checkName(e.name, w.limits.Name)
	switch {
	case err != nil:
	case len(path) > w.limits.Path:
		err = fmt.Errorf("its path has %d bytes, more than %d; shorten it", len(path), w.limits.Path)
	case e.kind() != modeDir && e.kind() != modeFile && e.kind() != modeLink && e.kind() != modeSub:
		err = fmt.Errorf("its mode %06o is not a file's mode; commit a plain file", e.mode)
	}
	if err != nil {
		return unsupported{pathError(path, err)}
	}
	return nil
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// pathError names the path that err is about, so that it can be printed.
func pathError(path string, err error) error {
	if path == "" {
		path = "the root folder"
	}
	return fmt.Errorf("%s: %w", printable(path), err)
}

// printable quotes a path that is not plain ASCII, or long.
func printable(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r > '~' }) || len(path) > 200 {
		return fmt.Sprintf("%.200q", path)
	}
	return path
}
