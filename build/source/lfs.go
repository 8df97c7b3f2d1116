package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/config"
)

// LFSObject is a file of a revision whose content Git LFS keeps elsewhere.
type LFSObject struct {
	Path string // in the pushed repository
	OID  string // its SHA-256, 64 hexadecimal digits
	Size int64  // in bytes
}

// LFSRequest asks for the objects of one repository.
type LFSRequest struct {
	// URL is the one of LFS that .lfsconfig names: File on Line. "": it names none.
	URL, File string
	Line      int
	Base      string // the URL of the repository; "": it was pushed
	Objects   []LFSObject
}

// lfsSpec starts a Git LFS pointer, which has less than lfsMax bytes (git-lfs's
// docs/spec.md).
const (
	lfsSpec = "version https://git-lfs.github.com/spec/"
	lfsMax  = 1024
)

// The files that say what LFS keeps, and where.
const (
	fileAttributes = ".gitattributes"
	fileLFS        = ".lfsconfig"
)

var (
	lfsOID  = regexp.MustCompile(`(?m)^oid sha256:([0-9a-f]{64})$`)
	lfsSize = regexp.MustCompile(`(?m)^size ([0-9]{1,18})$`)
)

var (
	errPointer = errors.New("it is a Git LFS pointer without a valid oid and size; commit the file again with git lfs")
	errFetched = errors.New("it is a Git LFS pointer, whose content was not fetched")
	errTracked = errors.New("it is a Git LFS pointer, but .gitattributes does not say filter=lfs for it; add that with git lfs track, " +
		"commit the file itself (git lfs migrate export --include=<path>), or name it in .dockerignore if the app does not need it")
)

func isLFS(content []byte) bool {
	return len(content) < lfsMax && bytes.HasPrefix(content, []byte(lfsSpec))
}

// parsePointer reads a pointer.
func parsePointer(b []byte) (*LFSObject, error) {
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	oid, size := lfsOID.FindStringSubmatch(text), lfsSize.FindStringSubmatch(text)
	if oid == nil || size == nil {
		return nil, errPointer
	}
	n, err := strconv.ParseInt(size[1], 10, 64)
	return &LFSObject{OID: oid[1], Size: n}, err
}

// pointer notes a file whose content LFS has. It has the size of its content, and the id
// of the pointer, which changes with it.
func (w *walker) pointer(f *Entry, o LFSObject, at place) error {
	tracked, err := w.source.tracked(at)
	if err != nil {
		return err
	}
	if !tracked {
		return errTracked
	}
	o.Path, f.Size = join(at.repo.path, at.dir), o.Size
	if w.large == nil {
		w.large = map[*repository]map[plumbing.Hash]LFSObject{}
	}
	if w.large[at.repo] == nil {
		w.large[at.repo] = map[plumbing.Hash]LFSObject{}
		w.repos = append(w.repos, at.repo)
	}
	if _, known := w.large[at.repo][f.Blob]; !known {
		w.large[at.repo][f.Blob] = o
		at.repo.large = append(at.repo.large, f.Blob)
	}
	return nil
}

// fetchLarge fetches what LFS has, once the whole tree is valid.
func (w *walker) fetchLarge(ctx context.Context) error {
	for _, r := range w.repos {
		q, err := w.source.lfsConfig(r)
		if err != nil {
			return err
		}
		for _, blob := range r.large {
			q.Objects = append(q.Objects, w.large[r][blob])
		}
		files, err := w.source.remotes.LFS(ctx, q)
		if err != nil {
			return err
		}
		w.source.mu.Lock()
		for _, blob := range r.large {
			if name := files[w.large[r][blob].OID]; name != "" {
				w.source.large[blob] = name
			}
		}
		w.source.mu.Unlock()
	}
	return nil
}

// openLarge opens what LFS has for a pointer's blob; ok is false if it is no such pointer.
func (s *Source) openLarge(blob plumbing.Hash) (f *os.File, ok bool, err error) {
	s.mu.Lock()
	name, ok := s.large[blob]
	s.mu.Unlock()
	if !ok {
		return nil, false, nil
	}
	f, err = os.Open(name)
	return f, true, err
}

// content reads a blob of at most limit bytes, or what LFS has for it.
func (s *Source) content(blob plumbing.Hash, limit int64) ([]byte, error) {
	f, ok, err := s.openLarge(blob)
	if err != nil {
		return nil, err
	}
	if !ok {
		b, err := s.store.get(blob, plumbing.BlobObject, limit)
		if err == nil && isLFS(b) {
			err = errFetched
		}
		return b, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it has more than %s", Bytes(limit))
	}
	return b, err
}

// plainFile reads a file of a repository by its path, without following links; nil: there
// is none.
func (s *Source) plainFile(r *repository, name string, limit int64) ([]byte, error) {
	tree := r.tree
	for {
		first, rest, more := strings.Cut(name, "/")
		b, err := s.store.get(tree, plumbing.TreeObject, maxTree)
		if err != nil {
			return nil, err
		}
		var found gitEntry
		for e, err := range gitEntries(b) {
			if err != nil {
				return nil, err
			}
			if e.name == first {
				found = e
			}
		}
		switch {
		case more && found.kind() == modeDir:
			tree, name = found.hash, rest
		case !more && found.kind() == modeFile:
			return s.store.get(found.hash, plumbing.BlobObject, limit)
		default:
			return nil, nil
		}
	}
}

// lfsConfig reads the .lfsconfig of a repository. Only its lfs.url counts: other keys of
// git-lfs change what a client does, not where the objects are.
func (s *Source) lfsConfig(r *repository) (LFSRequest, error) {
	q := LFSRequest{File: join(r.path, fileLFS), Base: r.url}
	text, err := s.plainFile(r, fileLFS, maxGitModules)
	if err != nil || text == nil {
		return q, err
	}
	c := config.New()
	if err := config.NewDecoder(bytes.NewReader(text)).Decode(c); err != nil {
		return q, fmt.Errorf("cannot use %s: line %w; correct it", printable(q.File), err)
	}
	q.URL = c.Section("lfs").Option("url")
	q.Line = lfsLine(string(text))
	return q, nil
}

var (
	lfsHeading = regexp.MustCompile(`^\s*\[\s*(?i:lfs)\s*\](.*)$`)
	urlEntry   = regexp.MustCompile(`^\s*(?i:url)\s*=`)
)

// lfsLine returns the number of the line with lfs.url, the last of several.
func lfsLine(text string) (found int) {
	number, inside := 0, false
	for line := range strings.Lines(text) {
		number++
		if m := lfsHeading.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
			inside, line = true, m[1]
		} else if anyHeading.MatchString(line) {
			inside = false
		}
		if inside && urlEntry.MatchString(line) {
			found = number
		}
	}
	return found
}
