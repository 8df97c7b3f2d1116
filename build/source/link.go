package source

import (
	"fmt"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxLinks is how many symbolic links may follow one another, as in Linux.
const maxLinks = 40

// maxTarget is the size in bytes of the longest target of a link.
const maxTarget = 4095

// resolver finds a path in a tree. It follows symbolic links inside the repository,
// of folders too.
type resolver struct {
	source *Source
	at     []node   // from the root to where it is
	rest   []string // names that are to come
	own    int      // how many of rest are no link's target
	links  []string // "Dockerfile -> deploy/Dockerfile", that it followed
	root   string   // what messages call the tree: "the repository"
	enter  enterer
}

// enterer returns the submodule e at a place; nil: it was not fetched, and is no folder.
type enterer func(e gitEntry, at place) (*repository, error)

type node struct {
	name  string
	entry gitEntry
	at    place
}

// resolve finds what name is in the commit or tree id rev. A path that does not exist is no error; a link to one is,
// and so is a link that leads out of the repository.
func (s *Source) resolve(rev, name string) (e gitEntry, ok bool, err error) {
	return s.resolveIn(rev, "the repository", name)
}

// resolveIn is resolve in a tree that messages call root.
func (s *Source) resolveIn(rev, called, name string) (e gitEntry, ok bool, err error) {
	n, ok, err := s.find(place{repo: &repository{}}, rev, called, name, s.entry)
	return n.entry, ok, err
}

// find is resolveIn with the place of the tree, and with a way into submodules.
func (s *Source) find(at place, rev, called, name string, enter enterer) (n node, ok bool, err error) {
	root, err := s.treeOf(rev)
	if err != nil {
		return node{}, false, err
	}
	r := &resolver{source: s, root: called, enter: enter, at: []node{{entry: gitEntry{mode: modeDir, hash: root}, at: at}},
		rest: strings.Split(path.Clean(name), "/")}
	r.own = len(r.rest)
	for len(r.rest) > 0 {
		if ok, err := r.step(); err != nil || !ok {
			return node{}, false, err
		}
	}
	return r.at[len(r.at)-1], true, nil
}

func (r *resolver) here() gitEntry { return r.at[len(r.at)-1].entry }

// step goes one name further.
func (r *resolver) step() (ok bool, err error) {
	name := r.rest[0]
	r.rest = r.rest[1:]
	switch {
	case name == "" || name == ".":
		return true, nil
	case name == ".." && len(r.at) == 1:
		return false, r.outside()
	case name == "..":
		r.at = r.at[:len(r.at)-1]
		return true, nil
	}
	e, ok, err := r.child(name)
	switch {
	case err != nil:
		return false, err
	case !ok && len(r.rest) >= r.own:
		return false, fmt.Errorf("the symbolic link %s leads to a file that is not in %s; commit it or correct the link", r.last(), r.root)
	case !ok:
		return false, nil
	case e.kind() == modeLink:
		return true, r.follow(name, e)
	}
	n := node{name, e, r.at[len(r.at)-1].at.at(name)}
	if e.kind() == modeSub {
		repo, err := r.enter(e, n.at)
		if err != nil {
			return false, pathError(join(n.at.repo.path, n.at.dir), err)
		}
		if repo != nil {
			n.entry, n.at = gitEntry{mode: modeDir, hash: repo.tree}, place{repo: repo}
		}
	}
	r.at = append(r.at, n)
	return true, nil
}

// child looks a name up in the present folder.
func (r *resolver) child(name string) (gitEntry, bool, error) {
	if r.here().kind() != modeDir {
		return gitEntry{}, false, nil
	}
	b, err := r.source.store.get(r.here().hash, plumbing.TreeObject, maxTree)
	if err != nil {
		return gitEntry{}, false, err
	}
	for e, err := range gitEntries(b) {
		if err != nil || e.name == name {
			return e, err == nil, err
		}
	}
	return gitEntry{}, false, nil
}

// follow goes on at the target of a link in the present folder.
func (r *resolver) follow(name string, link gitEntry) error {
	b, err := r.source.store.get(link.hash, plumbing.BlobObject, maxTarget)
	if err != nil {
		return err
	}
	target := string(b)
	var from []string
	for _, n := range r.at[1:] {
		from = append(from, n.name)
	}
	r.links = append(r.links, printable(path.Join(append(from, name)...))+" -> "+printable(target))
	if len(r.links) > maxLinks {
		return fmt.Errorf("its symbolic links go in a circle (%s); make one of them a file", strings.Join(r.links[:3], ", "))
	}
	if path.IsAbs(target) {
		return r.outside()
	}
	r.own = min(r.own, len(r.rest))
	r.rest = append(strings.Split(target, "/"), r.rest...)
	return nil
}

func (r *resolver) last() string { return r.links[len(r.links)-1] }

// outside is the error of a path that leads out of the repository.
func (r *resolver) outside() error {
	if len(r.links) == 0 {
		return fmt.Errorf("the path leads out of %s; correct it", r.root)
	}
	return fmt.Errorf("the symbolic link %s leads out of %s; commit the file itself, or link to one in %[2]s", r.last(), r.root)
}
