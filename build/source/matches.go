package source

import (
	"context"
	"fmt"
)

// maxMatches is how often the patterns of a revision may be compared with its files, which
// takes about a minute: a file of 64 KiB can have 30,000 patterns.
const maxMatches = 100_000_000

// spend counts comparisons of patterns with a file. It fails once there were too many.
func (s *Source) spend(file string, patterns int) error {
	if s.matches.Add(int64(patterns)) > maxMatches {
		return fmt.Errorf("%s has too many patterns (%d) for so many files; remove some", file, patterns)
	}
	return nil
}

// checkIgnore refuses a .dockerignore whose patterns BuildKit's walk would compare with the
// files of the tree for too long.
func (s *Source) checkIgnore(ctx context.Context, rev string, files int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m, err := s.dockerignore(rev)
	if err != nil {
		return nil // who needs the file says what is wrong with it
	}
	if n := len(m.Patterns()); int64(n)*int64(files) > maxMatches {
		return fmt.Errorf(".dockerignore has too many patterns (%d) for %d files; remove some", n, files)
	}
	return nil
}
