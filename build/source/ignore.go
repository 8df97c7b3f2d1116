package source

import (
	"bytes"
	"cmp"
	"errors"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// maxIgnore is the size in bytes of the largest .dockerignore.
const maxIgnore = 64 << 10

// unsupported is the error of an entry that does no harm where .dockerignore leaves
// it out.
type unsupported struct{ error }

func (u unsupported) Unwrap() error { return u.error }

func isUnsupported(err error) bool { return errors.As(err, new(unsupported)) }

// ignores reports whether .dockerignore leaves a path out of the build, as BuildKit's
// own walk decides it. It reads the file on first use.
func (w *walker) ignores(path string) (bool, error) {
	if w.matcher == nil {
		m, err := w.source.dockerignore(w.rev)
		if err != nil {
			return false, err
		}
		w.matcher, w.weight = m, weigh(m)
	}
	if err := w.source.spend(".dockerignore", w.weight, len(path), 1+strings.Count(path, "/")); err != nil {
		return false, err
	}
	var info patternmatcher.MatchInfo
	matched := false
	for end := 0; end < len(path); {
		next := strings.IndexByte(path[end:], '/')
		if next < 0 {
			next = len(path) - end
		}
		var err error
		if matched, info, err = w.matcher.MatchesUsingParentResults(path[:end+next], info); err != nil {
			return false, nil // the engine refuses the pattern, and says so
		}
		end += next + 1
	}
	return matched, nil
}

// ignoresAll reports whether .dockerignore leaves out a folder with everything in it.
func (w *walker) ignoresAll(path string) (bool, error) {
	ignored, err := w.ignores(path)
	if !ignored || err != nil {
		return false, err
	}
	for _, p := range w.matcher.Patterns() {
		if p.Exclusion() && mayMatchBelow(p.String(), path) {
			return false, nil
		}
	}
	return true, nil
}

// mayMatchBelow reports whether an exception can hold for something in the folder at
// path. It may say yes too often: BuildKit's walk then leaves out what does not match.
func mayMatchBelow(pattern, path string) bool {
	plain, rest := pattern, ""
	if i := strings.IndexAny(pattern, `*[]?^\`); i >= 0 {
		plain, rest = pattern[:i], pattern[i:]
	}
	switch {
	case rest == "":
		return strings.HasPrefix(plain, path+"/")
	case !strings.HasPrefix(plain, path+"/") && !strings.HasPrefix(path+"/", plain):
		return false
	}
	return strings.Contains(rest, "**") || strings.Count(pattern, "/") > strings.Count(path, "/")
}

// dockerignore reads the patterns of DOCKERFILE.dockerignore, or else of
// .dockerignore.
func (s *Source) dockerignore(rev string) (*patternmatcher.PatternMatcher, error) {
	name := cmp.Or(s.dockerfile, "Dockerfile") + ".dockerignore"
	content, ok, err := s.File(rev, name, maxIgnore)
	if err == nil && !ok {
		name = ".dockerignore"
		content, _, err = s.File(rev, name, maxIgnore)
	}
	if err == nil {
		err = shortPatterns(name, content)
	}
	if err != nil {
		return nil, err
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(content))
	if err != nil {
		return patternmatcher.New(nil)
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return patternmatcher.New(nil) // as in ignores
	}
	return m, nil
}
