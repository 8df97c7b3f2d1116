package source

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	gitobject "github.com/go-git/go-git/v5/plumbing/object"
)

// maxCommit is the size in bytes of the largest commit that is read, and
// maxTree that of the largest single tree.
const (
	maxCommit = 1 << 20
	maxTree   = 32 << 20
)

// Source reads the objects of a push, also before git has accepted it. Its
// methods may be called by several goroutines.
type Source struct {
	store      *store
	dockerfile string

	remotes Remotes
	entered atomic.Int32 // submodules
	matches atomic.Int64 // see spend

	mu    sync.Mutex
	trees map[string]*Tree                // validated, by tree id
	links map[plumbing.Hash]plumbing.Hash // trees of the submodules' commits
	large map[plumbing.Hash]string        // files with the contents of LFS, by the pointer's blob
}

// Open opens the objects that o names. The caller closes the Source.
func Open(o Options) (*Source, error) {
	dirs, err := objectDirs(o)
	if err != nil {
		return nil, err
	}
	return &Source{store: newStore(gitDir(o), dirs), dockerfile: o.Dockerfile, remotes: o.Remotes,
		trees: map[string]*Tree{}, links: map[plumbing.Hash]plumbing.Hash{}, large: map[plumbing.Hash]string{}}, nil
}

// Close releases the open packs.
func (s *Source) Close() error {
	s.store.close()
	return nil
}

// Commit is a commit, as far as a deploy needs it. Author and Subject are the
// pusher's bytes.
type Commit struct {
	Hash    string // 40 hexadecimal digits
	Short   string // the first 7 of them
	Tree    string
	Dir     string // the folder that Tree is of: see Folder. "": the root
	Parents []string
	Author  string // "Name <address>"
	Subject string // first line of the message
	Time    time.Time

	in place // where Tree is; the zero value: it is the root of the pushed repository
}

// Commit reads the commit with the full id rev. What is not a commit (a tag, a
// tree or a file can be pushed onto a branch too) is an error.
func (s *Source) Commit(rev string) (Commit, error) {
	h, err := parseHash(rev)
	if err != nil {
		return Commit{}, err
	}
	kind, err := s.store.kind(h)
	if err != nil {
		return Commit{}, fmt.Errorf("cannot read the commit %s: %w", short(rev), err)
	}
	if kind != plumbing.CommitObject {
		return Commit{}, notACommit(rev, kind)
	}
	c, err := s.commit(h)
	if err != nil {
		return Commit{}, err
	}
	subject, _, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n")
	out := Commit{
		Hash: rev, Short: short(rev), Tree: c.TreeHash.String(),
		Author:  fmt.Sprintf("%s <%s>", c.Author.Name, c.Author.Email),
		Subject: strings.TrimSpace(subject), Time: c.Committer.When,
	}
	for _, p := range c.ParentHashes {
		out.Parents = append(out.Parents, p.String())
	}
	return out, nil
}

func notACommit(rev string, kind plumbing.ObjectType) error {
	fix := "push a commit to this branch"
	if kind == plumbing.TagObject {
		fix = "push the commit that the tag names: git push <remote> '<tag>^{commit}:<branch>'"
	}
	return fmt.Errorf("cannot deploy %s: it is a %s, not a commit; %s", short(rev), kind, fix)
}

// commit decodes the commit h.
func (s *Source) commit(h plumbing.Hash) (*gitobject.Commit, error) {
	b, err := s.store.get(h, plumbing.CommitObject, maxCommit)
	if err != nil {
		return nil, fmt.Errorf("cannot read the commit %s: %w", short(h.String()), err)
	}
	m := &plumbing.MemoryObject{}
	m.SetType(plumbing.CommitObject)
	m.Write(b)
	c := &gitobject.Commit{}
	if err := c.Decode(m); err != nil {
		return nil, fmt.Errorf("cannot read the commit %s: %w", short(h.String()), err)
	}
	c.Hash = h
	return c, nil
}

// parseHash accepts full ids only: what is deployed is never looked up by a
// name, which may mean something else a moment later.
func parseHash(rev string) (plumbing.Hash, error) {
	if !plumbing.IsHash(rev) || len(rev) != 40 {
		return plumbing.ZeroHash, fmt.Errorf("cannot use %q as a revision: it is not a full SHA-1 id of 40 digits", rev)
	}
	return plumbing.NewHash(rev), nil
}

func short(rev string) string { return rev[:min(7, len(rev))] }

// IsAncestor reports whether the commit old is new or one of its ancestors,
// that is, whether a push from old to new is a fast-forward. History that a
// shallow clone did not bring along does not count.
func (s *Source) IsAncestor(old, new string) (bool, error) {
	target, err := parseHash(old)
	if err != nil {
		return false, err
	}
	start, err := parseHash(new)
	if err != nil {
		return false, err
	}
	if _, err := s.commit(start); err != nil {
		return false, err
	}
	q := &commitQueue{seen: map[plumbing.Hash]bool{}}
	q.push(start, time.Time{})
	for h, ok := q.pop(); ok; h, ok = q.pop() {
		if h == target {
			return true, nil
		}
		c, err := s.commit(h)
		if errors.Is(err, errMissing) {
			continue
		}
		if err != nil {
			return false, err
		}
		for _, p := range c.ParentHashes {
			q.push(p, c.Committer.When)
		}
	}
	return false, nil
}

// File reads the file at path in the tree of the commit or tree id rev, if it
// is there. It follows symbolic links inside the repository. A link that leads out of
// it or nowhere, a folder, a Git LFS pointer whose content no Tree fetched and a file of more than limit bytes are
// errors.
func (s *Source) File(rev, name string, limit int64) ([]byte, bool, error) {
	return s.file(Commit{Tree: rev, Short: short(rev)}, name, limit)
}

// Read is File for the tree of c, which errors call by the id of the commit.
func (s *Source) Read(c Commit, name string, limit int64) ([]byte, bool, error) {
	return s.file(c, name, limit)
}

func (s *Source) file(c Commit, name string, limit int64) ([]byte, bool, error) {
	e, ok, err := s.resolveIn(c.Tree, c.root(), name)
	var b []byte
	switch {
	case err == nil && !ok:
		return nil, false, nil
	case err == nil && e.kind() != modeFile:
		err = fmt.Errorf("it is not a file (mode %06o)", e.mode)
	case err == nil:
		b, err = s.content(e.hash, limit)
	}
	if err != nil {
		return nil, false, fmt.Errorf("cannot read %s in %s: %w", name, c.Short, err)
	}
	return b, true, nil
}

// root is what messages call the tree of c.
func (c Commit) root() string {
	if c.Dir == "" {
		return "the repository"
	}
	return "the folder " + printable(c.Dir)
}

// Files returns the names of the files in a folder of the commit or tree id rev,
// in git's order, without links and folders. A folder that is missing has none.
func (s *Source) Files(rev, dir string) ([]string, error) {
	e, ok, err := s.resolve(rev, dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s in %s: %w", dir, short(rev), err)
	}
	if !ok || e.kind() != modeDir {
		return nil, nil
	}
	b, err := s.store.get(e.hash, plumbing.TreeObject, maxTree)
	if err != nil {
		return nil, fmt.Errorf("cannot read the files of %s: %w", short(rev), err)
	}
	var names []string
	for e, err := range gitEntries(b) {
		if err != nil {
			return nil, fmt.Errorf("cannot read the files of %s: %w", short(rev), err)
		}
		if e.kind() == modeFile {
			names = append(names, e.name)
		}
	}
	return names, nil
}

// Blob streams the content of a file, by its id: that of LFS if the file is a pointer of a
// validated tree. The caller closes it.
func (s *Source) Blob(id plumbing.Hash) (io.ReadCloser, error) {
	if f, ok, err := s.openLarge(id); ok {
		return f, err
	}
	return s.store.open(id)
}

// treeOf returns the tree of a commit or tree id.
func (s *Source) treeOf(rev string) (plumbing.Hash, error) {
	h, err := parseHash(rev)
	if err != nil {
		return h, err
	}
	kind, err := s.store.kind(h)
	if err != nil {
		return h, fmt.Errorf("cannot read %s: %w", short(rev), err)
	}
	switch kind {
	case plumbing.TreeObject:
		return h, nil
	case plumbing.CommitObject:
		c, err := s.commit(h)
		if err != nil {
			return h, err
		}
		return c.TreeHash, nil
	}
	return h, notACommit(rev, kind)
}
