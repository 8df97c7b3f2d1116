package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/patternmatcher"
)

// maxMatches is how often the patterns of a revision may be compared with its files, which
// takes about a minute: a file of 64 KiB can have 30,000 patterns.
const maxMatches = 100_000_000

// MaxPattern is the length in bytes of the longest pattern. A comparison cannot be interrupted, and
// takes as long as the pattern's length times the path's.
const MaxPattern = 1 << 10

// A longPatternError names a pattern that is longer than MaxPattern.
type longPatternError struct {
	file string
	line int // 1-based
	size int
}

func (e *longPatternError) Error() string {
	return fmt.Sprintf("%s:%d: the pattern has %d bytes, more than %d; write a shorter one", e.file, e.line, e.size, MaxPattern)
}

// shortPatterns returns an error for the first line of a file that is longer than a pattern may be.
func shortPatterns(file string, content []byte) error {
	n := 0
	for line := range bytes.Lines(content) {
		n++
		if line = bytes.TrimSpace(line); len(line) > MaxPattern && line[0] != '#' {
			return &longPatternError{file, n, len(line)}
		}
	}
	return nil
}

// A Weight is what a list of patterns costs to compare.
type Weight struct{ patterns, stars int }

// usualStars is how many stars a pattern has that people write, such as **/a/*.log.
const usualStars = 3

// Weigh returns the weight of patterns. A comparison follows the path once for each star.
func Weigh(patterns ...string) (w Weight) {
	w.patterns = len(patterns)
	for _, p := range patterns {
		w.stars += max(0, strings.Count(p, "*")-strings.Count(p, "**")-usualStars)
	}
	return w
}

// With returns the cost of comparing the patterns with a path of some bytes: one for each that is usual.
func (w Weight) With(path int) int { return w.patterns + w.stars*path/16 }

// Spent returns the error about the patterns of a file once comparing them has cost too much, else nil.
func Spent(file string, w Weight, cost int64) error {
	if cost > maxMatches {
		return fmt.Errorf("%s has too many patterns (%d) for so many files; remove some", file, w.patterns)
	}
	return nil
}

// spend counts what comparing patterns with a path some times costs. It fails once that was too much.
func (s *Source) spend(file string, w Weight, path, times int) error {
	return Spent(file, w, s.matches.Add(int64(w.With(path)*times)))
}

// weigh returns the weight of a matcher's patterns.
func weigh(m *patternmatcher.PatternMatcher) Weight {
	var list []string
	for _, p := range m.Patterns() {
		list = append(list, p.String())
	}
	return Weigh(list...)
}

// checkIgnore refuses a .dockerignore whose patterns BuildKit's walk would compare with the
// files of the tree for too long.
func (s *Source) checkIgnore(ctx context.Context, rev string, files []Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m, err := s.dockerignore(rev)
	if errors.As(err, new(*longPatternError)) {
		return err
	}
	if err != nil {
		return nil // who needs the file says what is wrong with it
	}
	cost, w := int64(0), weigh(m)
	for _, f := range files {
		cost += int64(w.With(len(f.Path)))
	}
	if cost > maxMatches {
		return fmt.Errorf(".dockerignore has too many patterns (%d) for %d files; remove some", w.patterns, len(files))
	}
	return nil
}
