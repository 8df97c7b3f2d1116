package source

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-billy/v5/helper/mount"
	"github.com/go-git/go-billy/v5/helper/polyfill"
	"github.com/go-git/go-billy/v5/memfs"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/transactional"
)

const (
	// cacheSize is how many bytes of objects all readers keep together. The
	// default of 96 MiB makes a hook peak at 276 MB on a repository of 200 MB.
	cacheSize = 4 << 20
	// largeObject is the size in bytes above which an object is streamed
	// instead of being held in memory.
	largeObject = 1 << 20
	// readers is how many goroutines read at the same time. Each has its own
	// index of every pack, so more of them cost memory.
	readers = 2
)

// errMissing is returned for an object that is in no folder.
var errMissing = errors.New("the repository does not have it; run git fsck in your repository and push again")

// store reads objects from a list of object folders.
type store struct {
	gitDir  string
	cache   *cache.ObjectLRU
	free    chan struct{} // a permit for each view
	heavies atomic.Int32  // objects that git itself has read

	mu    sync.Mutex
	dirs  []string
	idle  []*view
	packs map[string][]*pack // by folder
}

// view is go-git's storage over all folders. It keeps the packs open, and
// go-git reads garbage when two goroutines share an open pack: use hands a
// view to one goroutine at a time.
type view struct {
	storer.EncodedObjectStorer
	parts []*filesystem.Storage
	dirs  int // how many folders it reads
}

func newStore(gitDir string, dirs []string) *store {
	return &store{gitDir: gitDir, dirs: dirs, packs: map[string][]*pack{}, cache: cache.NewObjectLRU(cacheSize), free: make(chan struct{}, readers)}
}

// newView makes a storage for each folder: go-git's own support for
// quarantines finds loose objects only, and its own alternates are opened
// again for every object. ExclusiveAccess lists the loose objects once, instead
// of trying to open each object of a pack as a loose one first, which is more
// than half of the time that a validation takes.
func (s *store) newView(dirs []string) *view {
	v := &view{dirs: len(dirs)}
	for _, dir := range dirs {
		fs := polyfill.New(mount.New(memfs.New(), "objects", osfs.New(dir)))
		part := filesystem.NewStorageWithOptions(fs, s.cache,
			filesystem.Options{KeepDescriptors: true, ExclusiveAccess: true, LargeObjectThreshold: largeObject})
		v.parts = append(v.parts, part)
		if v.EncodedObjectStorer == nil {
			v.EncodedObjectStorer = part
		} else {
			v.EncodedObjectStorer = transactional.NewObjectStorage(v.EncodedObjectStorer, part)
		}
	}
	return v
}

func (v *view) close() {
	for _, part := range v.parts {
		part.Close()
	}
}

// use calls f with a view that nobody else has. When an object is missing, git
// may have packed it a moment ago: f is called once more, with a fresh view.
func (s *store) use(f func(*view) error) error {
	s.free <- struct{}{}
	defer func() { <-s.free }()
	v := s.take()
	err := f(v)
	if missing(err) {
		v.close()
		v = s.newView(s.folders())
		err = f(v)
	}
	s.mu.Lock()
	s.idle = append(s.idle, v)
	s.mu.Unlock()
	if missing(err) {
		return errMissing
	}
	return err
}

func (s *store) take() *view {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		v := s.idle[n-1]
		s.idle = s.idle[:n-1]
		if v.dirs == len(s.dirs) {
			return v
		}
		v.close()
	}
	return s.newView(s.dirs)
}

// folders returns the object folders.
func (s *store) folders() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dirs
}

// add adds a folder of objects to those that are read.
func (s *store) add(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.dirs, dir) {
		s.dirs = append(slices.Clip(s.dirs), dir)
	}
}

func missing(err error) bool { return errors.Is(err, plumbing.ErrObjectNotFound) }

func (s *store) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.idle {
		v.close()
	}
	for _, list := range s.packs {
		for _, p := range list {
			p.close()
		}
	}
	s.idle, s.packs = nil, map[string][]*pack{}
}

// kind returns the type of an object.
func (s *store) kind(h plumbing.Hash) (plumbing.ObjectType, error) {
	var kind plumbing.ObjectType
	if p, at := s.where(h); p != nil {
		if kind, ok := p.kind(at); ok {
			return kind, nil
		}
	}
	err := s.use(func(v *view) error {
		o, err := v.EncodedObject(plumbing.AnyObject, h)
		if err == nil {
			kind = o.Type()
		}
		return err
	})
	return kind, err
}

// get reads an object of a known type and of at most limit bytes.
func (s *store) get(h plumbing.Hash, kind plumbing.ObjectType, limit int64) ([]byte, error) {
	var b []byte
	heavy, err := s.heavy(h)
	if heavy {
		return s.catAll(h, kind, limit)
	}
	if err != nil {
		return nil, err
	}
	err = s.use(func(v *view) (err error) {
		b, err = v.get(h, kind, limit)
		return err
	})
	return b, err
}

func (v *view) get(h plumbing.Hash, kind plumbing.ObjectType, limit int64) ([]byte, error) {
	o, err := v.EncodedObject(kind, h)
	if err != nil {
		return nil, err
	}
	if o.Size() > limit {
		return nil, tooLarge(kind, o.Size(), limit)
	}
	r, err := o.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, o.Size())
	_, err = io.ReadFull(r, b)
	return b, err
}

// open streams a blob. A small one is read here and now, because its reader
// may belong to the view; a large one has a file of its own.
func (s *store) open(h plumbing.Hash) (io.ReadCloser, error) {
	var rc io.ReadCloser
	heavy, err := s.heavy(h)
	if heavy {
		return s.cat(h, "blob")
	}
	if err != nil {
		return nil, err
	}
	err = s.use(func(v *view) error {
		o, err := v.EncodedObject(plumbing.BlobObject, h)
		if err != nil {
			return err
		}
		rc, err = o.Reader()
		return err
	})
	return rc, err
}
