package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	gitobject "github.com/go-git/go-git/v5/plumbing/object"
)

// PackLimits are the budgets of the objects that one push brings, whatever names them. A
// pack of 2 MB can hold a difference that makes 1 GiB.
type PackLimits struct {
	Objects int   // objects of all kinds
	Blob    int64 // bytes of one file
	Delta   int64 // bytes of an object that is stored as a difference, which git holds in memory
}

// DefaultPackLimits are generous for an app and harmless for the host.
var DefaultPackLimits = PackLimits{Objects: 1_000_000, Blob: DefaultLimits.Blob, Delta: 128 << 20}

// CheckReceived refuses the objects of a push that exceed the limits. It reads nothing but
// the heads of what git has received and not accepted yet; without such objects it does
// nothing.
func CheckReceived(ctx context.Context, o Options, l PackLimits) error {
	if o.ObjectDir == "" {
		return nil
	}
	names, err := filepath.Glob(filepath.Join(o.ObjectDir, "pack", "*.idx"))
	if err != nil {
		return fmt.Errorf("cannot read the pushed objects: %w", err)
	}
	count := 0
	for _, name := range names {
		p, err := openPack(name)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot read the pushed objects: %w", err)
		}
		count += p.count
		if count > l.Objects {
			p.close()
			return fmt.Errorf("this push brings %d objects, more than %d; push a part of the history first, or a shallow clone", count, l.Objects)
		}
		err = p.check(ctx, l)
		p.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// check reads the heads of all objects.
func (p *pack) check(ctx context.Context, l PackLimits) error {
	for n := range p.count {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		h, err := p.head(p.offset(n))
		if err != nil {
			return fmt.Errorf("cannot read the pushed object %s: %w", short(p.id(n).String()), err)
		}
		if err := h.check(l); err != nil {
			return fmt.Errorf("the pushed object %s %w", short(p.id(n).String()), err)
		}
	}
	return nil
}

func (h packHead) check(l PackLimits) error {
	most, kind := l.Blob, plumbing.ObjectType(h.kind)
	switch kind {
	case plumbing.CommitObject, plumbing.TagObject:
		most = maxCommit
	case plumbing.TreeObject:
		most = maxTree
	case plumbing.OFSDeltaObject, plumbing.REFDeltaObject:
		if n := max(h.size, h.result); n > l.Delta {
			have, limit := more(n, l.Delta)
			return fmt.Errorf("has %s and is stored as a difference from another one, for which the limit is %s; "+
				"run git -c core.bigFileThreshold=1m repack -adF in your repository and push again", have, limit)
		}
	}
	if h.result > most {
		have, limit := more(h.result, most)
		return fmt.Errorf("has %s, more than %s for a %s; remove it from the history", have, limit, kind)
	}
	return nil
}

// maxTags is how many tags may name one another.
const maxTags = 10

// Tips checks what refs name against limits.
type Tips struct {
	source  *Source
	counter counter
}

// Tips returns a check of the tips of refs.
func (s *Source) Tips(l Limits) *Tips {
	return &Tips{s, counter{store: s.store, limits: l, known: map[plumbing.Hash]count{}}}
}

// Check refuses the tip of a ref, of whatever kind it is, if what it names exceeds the
// limits. It counts what is in a folder once, however often the folder is there: so it takes
// a tree of 10^10 files, which Tree refuses too, for what it would be, and never walks it.
// What else is wrong with a revision matters when it is deployed.
func (t *Tips) Check(ctx context.Context, tip string) error {
	h, err := parseHash(tip)
	if err != nil {
		return err
	}
	t.counter.ctx = ctx
	for range maxTags {
		kind, err := t.source.store.kind(h)
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", short(tip), err)
		}
		switch kind {
		case plumbing.CommitObject:
			c, err := t.source.commit(h)
			if err == nil {
				_, err = t.counter.count(c.TreeHash, 1)
			}
			return err
		case plumbing.TreeObject:
			_, err := t.counter.count(h, 1)
			return err
		case plumbing.TagObject:
			if h, err = t.source.tagged(h); err != nil {
				return err
			}
		default:
			return nil // CheckReceived knows its size
		}
	}
	return fmt.Errorf("it is a tag of a tag of a tag, more than %d of them; tag the commit itself", maxTags)
}

// tagged returns what a tag names.
func (s *Source) tagged(h plumbing.Hash) (plumbing.Hash, error) {
	b, err := s.store.get(h, plumbing.TagObject, maxCommit)
	if err == nil {
		m, t := &plumbing.MemoryObject{}, &gitobject.Tag{}
		m.SetType(plumbing.TagObject)
		m.Write(b)
		if err = t.Decode(m); err == nil {
			return t.Target, nil
		}
	}
	return h, fmt.Errorf("cannot read the tag %s: %w", short(h.String()), err)
}

// A count is what is in a folder and below it.
type count struct {
	files int
	bytes int64
	depth int // folders inside one another, this one too
	path  int // bytes of the longest path, the folder's own name apart
}

// counter counts trees, each one once.
type counter struct {
	ctx    context.Context
	store  *store
	limits Limits
	known  map[plumbing.Hash]count
}

func (c *counter) count(h plumbing.Hash, depth int) (n count, err error) {
	n, known := c.known[h]
	if known {
		return n, c.fits(n, depth)
	}
	if err := c.ctx.Err(); err != nil {
		return n, context.Cause(c.ctx)
	}
	if err := c.fits(n, depth); err != nil {
		return n, err
	}
	b, err := c.store.get(h, plumbing.TreeObject, maxTree)
	if err != nil {
		return n, err
	}
	n.depth = 1
	for e, err := range gitEntries(b) {
		if err != nil {
			return n, err
		}
		if err := c.entry(e, &n, depth); err != nil {
			return n, err
		}
	}
	c.known[h] = n
	return n, nil
}

// entry adds an entry to what is in a folder.
func (c *counter) entry(e gitEntry, n *count, depth int) error {
	below := count{}
	switch e.kind() {
	case modeDir:
		var err error
		if below, err = c.count(e.hash, depth+1); err != nil {
			return err
		}
		below.path++ // the slash
	case modeFile, modeLink:
		size, err := c.store.size(e.hash)
		if err != nil {
			return pathError(e.name, err)
		}
		if size > c.limits.Blob {
			have, limit := more(size, c.limits.Blob)
			return pathError(e.name, fmt.Errorf("it has %s, more than %s; keep large files outside the repository", have, limit))
		}
		below.bytes = size
	}
	n.files += 1 + below.files
	n.bytes += below.bytes
	n.depth = max(n.depth, 1+below.depth)
	n.path = max(n.path, len(e.name)+below.path)
	return c.fits(*n, depth)
}

// fits compares what is known of a folder at a depth with the limits.
func (c *counter) fits(n count, depth int) error {
	switch l := c.limits; {
	case n.files > l.Files:
		return fmt.Errorf("it has more than %d files and folders; remove what the app does not need", l.Files)
	case depth+max(n.depth-1, 0) > l.Depth+1:
		return fmt.Errorf("it has more than %d folders inside one another; move them up", l.Depth)
	case n.bytes > l.Total:
		return fmt.Errorf("its files have more than %s; remove what the app does not need", Bytes(l.Total))
	case n.path > l.Path:
		return fmt.Errorf("it has a path of %d bytes, more than %d; shorten it", n.path, l.Path)
	}
	return nil
}
