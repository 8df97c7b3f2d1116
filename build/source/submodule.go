package source

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/go-git/go-git/v5/plumbing"
)

// A revision may have so many submodules, and so many around one another.
const (
	maxSubmodules     = 100
	maxSubmoduleDepth = 8
)

// Remotes fetches what a revision names but its repository does not have.
type Remotes interface {
	// Submodule returns a repository that has the objects of the commit; one without
	// Objects if it only checks the URL: the submodule is an empty folder then. Its error
	// says what to do, and names the URL and where that stands.
	Submodule(context.Context, Submodule) (Repository, error)
	// LFS returns the paths of files with the content of objects, by OID. Their sizes and
	// contents are checked. Without a path, an object was not fetched. Its error names the
	// path of an object.
	LFS(context.Context, LFSRequest) (map[string]string, error)
}

// Submodule is a commit of another repository that a revision has at one of its paths.
type Submodule struct {
	Path   string // in the pushed repository
	Commit string // 40 hexadecimal digits
	// URL is what .gitmodules says: File on Line. It may be relative to Base, the URL of
	// the repository that has that file; "": the pushed one.
	URL, File string
	Line      int
	Base      string
}

// Repository is a fetched repository.
type Repository struct {
	Objects string // the folder with its objects
	URL     string // where it came from
}

// repository is one that a tree's files are in: the pushed one, or a submodule.
type repository struct {
	tree    plumbing.Hash // of its root
	path    string        // of its root in the pushed repository
	url     string        // where it came from; "": it was pushed
	around  int           // how many submodules are around its files
	modules gitModules    // nil: not read yet

	attributes map[string]attributeFile // of the folders that were read
	large      []plumbing.Hash          // blobs of the pointers to LFS, in the order of a walk
}

// file names the repository's .gitmodules.
func (r *repository) file() string { return printable(join(r.path, fileModules)) }

// place is a folder of a repository.
type place struct {
	repo *repository
	dir  string // from its root
}

func (p place) at(name string) place { return place{p.repo, join(p.dir, name)} }

// place returns where the tree of c is.
func (s *Source) place(c Commit) (place, error) {
	if c.in.repo != nil {
		return c.in, nil
	}
	tree, err := parseHash(c.Tree)
	return place{repo: &repository{tree: tree}}, err
}

// enter fetches the submodule e at a place, unless it is there already. From then on,
// paths lead into it. It returns nil if nobody fetches.
func (s *Source) enter(ctx context.Context, e gitEntry, at place) (*repository, error) {
	r := at.repo
	if s.remotes == nil {
		return nil, errors.New("it is a submodule, which was not fetched")
	}
	if r.around == maxSubmoduleDepth {
		return nil, fmt.Errorf("it lies in more than %d submodules; commit its files instead", maxSubmoduleDepth)
	}
	modules, err := s.modulesOf(r)
	if err != nil {
		return nil, err
	}
	m, ok := modules[at.dir]
	if !ok || m.url == "" {
		return nil, fmt.Errorf("it is a submodule, and %s has no URL for it; add it with git submodule add, "+
			"commit its files instead, or name it in .dockerignore if the app does not need it", r.file())
	}
	if s.entered.Add(1) > maxSubmodules {
		return nil, fmt.Errorf("with it, the revision has more than %d submodules; commit the files of some instead", maxSubmodules)
	}
	full := join(r.path, at.dir)
	got, err := s.remotes.Submodule(ctx, Submodule{Path: full, Commit: e.hash.String(), URL: m.url, File: join(r.path, fileModules), Line: m.line, Base: r.url})
	if err != nil {
		return nil, err
	}
	if got.Objects == "" {
		return nil, nil
	}
	s.store.add(got.Objects)
	c, err := s.commit(e.hash)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.links[e.hash] = c.TreeHash
	s.mu.Unlock()
	return &repository{tree: c.TreeHash, path: full, url: got.URL, around: r.around + 1}, nil
}

// entered returns the tree of a submodule that was fetched.
func (s *Source) linked(commit plumbing.Hash) (plumbing.Hash, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tree, ok := s.links[commit]
	return tree, ok
}

// submodule adds the files of a submodule, as if they were in the folder at its path. The
// same rules and budgets hold for them. What .dockerignore leaves out is not fetched.
func (w *walker) submodule(e gitEntry, path string, at place, depth int) error {
	ignored, err := w.ignoresAll(path)
	if ignored || err != nil {
		return err
	}
	r, err := w.source.enter(w.ctx, e, at)
	if err != nil {
		return pathError(path, err)
	}
	w.tree.Files = append(w.tree.Files, Entry{Path: path, Mode: modeDir})
	if r == nil {
		return nil
	}
	return w.folder(r.tree, path, place{repo: r}, depth+1)
}

// Folder returns c with the tree of one of its folders, which is then built as if it
// were the whole repository. Links of folders are followed inside the repository, and
// submodules on the way are fetched. dir "" is the root.
func (s *Source) Folder(ctx context.Context, c Commit, dir string) (Commit, error) {
	return s.folder(c, dir, func(e gitEntry, at place) (*repository, error) { return s.enter(ctx, e, at) })
}

// KnownFolder is Folder without fetching anything.
func (s *Source) KnownFolder(c Commit, dir string) (Commit, error) { return s.folder(c, dir, s.entry) }

// entry returns a submodule that was fetched; nil: it was not.
func (s *Source) entry(e gitEntry, at place) (*repository, error) {
	tree, ok := s.linked(e.hash)
	if !ok {
		return nil, nil
	}
	return &repository{tree: tree, path: join(at.repo.path, at.dir), around: at.repo.around + 1}, nil
}

func (s *Source) folder(c Commit, dir string, enter enterer) (Commit, error) {
	if dir == "" {
		return c, nil
	}
	at, err := s.place(c)
	var n node
	var ok bool
	if err == nil {
		n, ok, err = s.find(at, c.Tree, "the repository", dir, enter)
	}
	switch {
	case err != nil:
	case !ok:
		err = errors.New("it is not in the repository")
	case n.entry.kind() != modeDir:
		err = errors.New("it is not a folder")
	}
	if err != nil {
		return c, fmt.Errorf("cannot build the folder %s of %s: %w", printable(dir), c.Short, err)
	}
	c.Tree, c.Dir, c.in = n.entry.hash.String(), path.Clean(dir), n.at
	return c, nil
}
