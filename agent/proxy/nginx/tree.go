package nginx

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"dokku/agent/disk"
	"dokku/agent/failpoint"
)

const (
	liveLink   = "live"
	stagedLink = "staged"

	// What a tree holds beside nginx's files.
	baseFile   = "base"   // the tree that this one is a change of
	testedMark = "tested" // nginx accepted it
	provenMark = "proven" // all of nginx's workers serve it
)

var generationForm = regexp.MustCompile(`^[a-z0-9]{26}$`)

// store keeps whole configurations: trees/<generation>, and the links live and
// staged that name two of them. A tree does not change once a link names it,
// except for its marks.
type store struct {
	dir  string
	disk disk.Disk
}

func (s store) tree(generation string, elem ...string) string {
	return filepath.Join(append([]string{s.dir, "trees", generation}, elem...)...)
}

func (s store) has(generation, name string) bool {
	if generation == "" {
		return false
	}
	_, err := os.Lstat(s.tree(generation, name))
	return err == nil
}

// mark is not synced: a mark that is lost costs a check or a reload.
func (s store) mark(generation, name string) error {
	return s.disk.Write(s.tree(generation, name), nil, 0o644)
}

// lock waits for the lock that everything which changes the store holds.
func (s store) lock(ctx context.Context) (unlock func(), err error) {
	f, err := s.openLock()
	if err != nil {
		return nil, err
	}
	if err := disk.WaitLock(ctx, f, disk.Exclusive); err != nil {
		f.Close()
		return nil, notLocked(ctx, err)
	}
	return func() { f.Close() }, nil
}

func (s store) openLock() (*os.File, error) {
	if err := s.disk.MkdirAll(filepath.Join(s.dir, "trees"), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the folder of nginx files: %w", err)
	}
	f, err := disk.OpenLock(filepath.Join(s.dir, "lock"), 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock of nginx files: %w", err)
	}
	return f, nil
}

func notLocked(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return fmt.Errorf("cannot %w", err)
	}
	return fmt.Errorf("cannot get the lock of nginx files, which another deploy holds: %w", ctx.Err())
}

// linked returns the generation that a link names, "" for none.
func (s store) linked(link string) (string, error) {
	target, err := os.Readlink(filepath.Join(s.dir, link))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read which nginx files are %s: %w", link, err)
	}
	return filepath.Base(target), nil
}

// point makes a link name a generation, in one step. The caller syncs.
func (s store) point(link, generation string) error {
	if err := failpoint.Count("file", link); err != nil {
		return err
	}
	path := filepath.Join(s.dir, link)
	temp := path + ".new"
	if err := s.disk.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.disk.Symlink(filepath.Join("trees", generation), temp); err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		// Made by hand so that nginx finds a folder to include; empty, or it stays.
		if err := s.disk.Remove(path); err != nil {
			return err
		}
	}
	return s.disk.Rename(temp, path)
}

// pointLive makes a generation live in a way that survives power loss.
func (s store) pointLive(generation string) error {
	if err := s.point(liveLink, generation); err != nil {
		return err
	}
	return s.disk.Sync(s.dir)
}

// collect removes all trees but those that the links name and those given.
// A tree that it cannot remove now goes the next time.
func (s store) collect(keep ...string) {
	for _, link := range []string{liveLink, stagedLink} {
		generation, err := s.linked(link)
		if err != nil {
			return
		}
		keep = append(keep, generation)
	}
	entries, _ := os.ReadDir(filepath.Join(s.dir, "trees"))
	for _, e := range entries {
		if !slices.Contains(keep, e.Name()) {
			s.disk.RemoveAll(s.tree(e.Name()))
		}
	}
}

// build writes the draft as a tree of a new generation, synced. A crash on the
// way leaves a tree that no link names, which collect removes.
func (n *Proxy) build(d draft) (string, error) {
	generation := strings.ToLower(rand.Text())
	if err := n.write(d, generation); err != nil {
		n.disk.RemoveAll(n.tree(generation))
		return "", fmt.Errorf("cannot write nginx files: %w", err)
	}
	return generation, nil
}

func (n *Proxy) write(d draft, generation string) error {
	if err := failpoint.Count("file", "nginx tree"); err != nil {
		return err
	}
	if err := n.disk.Mkdir(n.tree(generation), 0o755); err != nil {
		return err
	}
	for _, name := range d.others {
		if err := n.share(n.tree(d.base, name), n.tree(generation, name)); err != nil {
			return err
		}
	}
	files := n.all(d, generation)
	files[baseFile] = []byte(d.base)
	written := []string{n.tree(generation), filepath.Join(n.config.Dir, "trees")}
	for name, data := range files {
		path := n.tree(generation, name)
		if err := n.disk.Write(path, data, 0o644); err != nil {
			return err
		}
		written = append(written, path)
	}
	return n.disk.SyncAll(written...)
}

// share makes a file appear in a second tree. Where the kernel forbids hard
// links (to files that another user wrote) it is copied.
func (s store) share(from, to string) error {
	if s.disk.Link(from, to) == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := s.disk.Write(to, data, 0o644); err != nil {
		return err
	}
	return s.disk.Sync(to)
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
