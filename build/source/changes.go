package source

import (
	"context"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// Changed counts the files that differ between two commit or tree ids: added,
// changed (also in mode only) and removed ones. It stops counting at limit.
// An empty id stands for an empty tree.
func (s *Source) Changed(ctx context.Context, old, new string, limit int) (int, error) {
	var trees [2]plumbing.Hash
	for i, rev := range []string{old, new} {
		if rev == "" || plumbing.NewHash(rev).IsZero() {
			continue
		}
		h, err := s.treeOf(rev)
		if err != nil {
			return 0, err
		}
		trees[i] = h
	}
	d := differ{ctx: ctx, store: s.store, left: limit}
	if err := d.folders(trees[0], trees[1]); err != nil {
		return 0, fmt.Errorf("cannot compare %s with %s: %w", short(old), short(new), err)
	}
	return limit - d.left, nil
}

// differ compares two trees; equal folders are not read.
type differ struct {
	ctx   context.Context
	store *store
	left  int // files that are still counted
	// visited bounds the empty folders that a hostile tree may hold.
	visited int
}

func (d *differ) folders(a, b plumbing.Hash) error {
	if a == b || d.left <= 0 || d.visited > DefaultLimits.Files {
		return nil
	}
	d.visited++
	if err := d.ctx.Err(); err != nil {
		return err
	}
	was, err := d.entries(a)
	if err != nil {
		return err
	}
	is, err := d.entries(b)
	if err != nil {
		return err
	}
	for name, e := range is {
		if err := d.pair(was[name], e); err != nil {
			return err
		}
		delete(was, name)
	}
	for _, e := range was {
		if err := d.pair(e, gitEntry{}); err != nil {
			return err
		}
	}
	return nil
}

// pair compares what one name means in both folders; a missing entry is zero.
func (d *differ) pair(a, b gitEntry) error {
	if a.mode == b.mode && a.hash == b.hash {
		return nil
	}
	var dirs [2]plumbing.Hash
	files := 0
	for i, e := range []gitEntry{a, b} {
		switch {
		case e.kind() == modeDir:
			dirs[i] = e.hash
		case e.mode != 0:
			files = 1 // a changed file is one change
		}
	}
	d.left = max(0, d.left-files)
	return d.folders(dirs[0], dirs[1])
}

func (d *differ) entries(h plumbing.Hash) (map[string]gitEntry, error) {
	m := map[string]gitEntry{}
	if h.IsZero() {
		return m, nil
	}
	b, err := d.store.get(h, plumbing.TreeObject, maxTree)
	if err != nil {
		return nil, err
	}
	for e, err := range gitEntries(b) {
		if err != nil {
			return nil, err
		}
		m[e.name] = e
	}
	return m, nil
}
