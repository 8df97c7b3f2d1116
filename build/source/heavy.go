package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	// maxWeight and maxChain are the bytes and the differences from which go-git may put an
	// object together: it holds all of them in memory, and calls itself for each one. git
	// itself reads the others, in a process that goes with its memory.
	maxWeight = 8 << 20
	maxChain  = 500
	// maxHeavy is how many objects of a revision git may have to read. Each may take the
	// time that its whole base takes.
	maxHeavy = 2000
)

// errHeavy is returned for more than maxHeavy objects.
var errHeavy = fmt.Errorf("it has more than %d files that git stores as differences from large ones; "+
	"run git repack -adF --depth=10 in your repository and push again", maxHeavy)

// where returns the pack that has an object, and its position there; nil: none has it.
func (s *store) where(h plumbing.Hash) (*pack, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, dir := range s.dirs {
		list, known := s.packs[dir]
		if !known {
			names, _ := filepath.Glob(filepath.Join(dir, "pack", "*.idx"))
			for _, name := range names {
				if p, err := openPack(name); err == nil { // go-git says what is wrong with others
					list = append(list, p)
				}
			}
			s.packs[dir] = list
		}
		for _, p := range list {
			if at := p.find(h); at >= 0 {
				return p, at
			}
		}
	}
	return nil, -1
}

// size returns the size of an object without unpacking it.
func (s *store) size(h plumbing.Hash) (n int64, err error) {
	if p, at := s.where(h); p != nil {
		if head, err := p.head(at); err == nil {
			return head.result, nil
		}
	}
	err = s.use(func(v *view) (err error) {
		n, err = v.EncodedObjectSize(h)
		return err
	})
	return n, err
}

// heavy reports whether git itself has to read an object.
func (s *store) heavy(h plumbing.Hash) (bool, error) {
	p, at := s.where(h)
	if p == nil {
		return false, nil
	}
	w, err := p.weighs(at)
	if err != nil || w.depth == 0 || w.bytes <= maxWeight && w.depth <= maxChain {
		return false, nil
	}
	if s.heavies.Add(1) > maxHeavy {
		return false, errHeavy
	}
	return true, nil
}

// cat has git read an object. The caller closes it, which ends git.
func (s *store) cat(h plumbing.Hash, kind string) (io.ReadCloser, error) {
	dirs := s.folders()
	quoted := make([]string, len(dirs))
	for i, dir := range dirs {
		quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(dir) + `"`
	}
	cmd := exec.Command("git", "-c", "pack.threads=1", "-c", "core.deltaBaseCacheLimit=16m", "--git-dir="+s.gitDir, "cat-file", kind, h.String())
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_NO_REPLACE_OBJECTS=1",
		"GIT_OBJECT_DIRECTORY="+dirs[0], "GIT_ALTERNATE_OBJECT_DIRECTORIES="+strings.Join(quoted[1:], ":"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c := &gitReader{cmd: cmd}
	cmd.Stderr = &c.errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot have git read %s: %w", short(h.String()), err)
	}
	c.out = out
	return c, nil
}

// A gitReader is the output of a git that runs.
type gitReader struct {
	cmd  *exec.Cmd
	out  io.ReadCloser
	errs bytes.Buffer
	done bool
}

// Read implements io.Reader. At the end, it fails if git has failed.
func (c *gitReader) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	if err != io.EOF || c.done {
		return n, err
	}
	c.done = true
	if err := c.cmd.Wait(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(c.errs.String()), "\n")
		return n, fmt.Errorf("git cannot read it: %w: %.200q", err, first)
	}
	return n, io.EOF
}

// Close ends git.
func (c *gitReader) Close() error {
	if !c.done {
		c.done = true
		c.cmd.Process.Kill()
		c.cmd.Wait()
	}
	return nil
}

// catAll has git read an object of at most limit bytes.
func (s *store) catAll(h plumbing.Hash, kind plumbing.ObjectType, limit int64) ([]byte, error) {
	n, err := s.size(h)
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, tooLarge(kind, n, limit)
	}
	r, err := s.cat(h, kind.String())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	if n, err := r.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		return nil, errors.Join(err, errPack)
	}
	return b, nil
}

func tooLarge(kind plumbing.ObjectType, size, limit int64) error {
	return fmt.Errorf("the %s has %s, more than %s", kind, Bytes(size), Bytes(limit))
}
