package source

import (
	"errors"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Boundary returns the commits at which the history of rev ends because a shallow clone
// did not bring their parents along, of those that known does not have.
func (s *Source) Boundary(rev string, known *Source) ([]string, error) {
	start, err := parseHash(rev)
	if err != nil {
		return nil, err
	}
	var ends []string
	q := &commitQueue{seen: map[plumbing.Hash]bool{}}
	q.push(start, time.Time{})
	for h, ok := q.pop(); ok; h, ok = q.pop() {
		if _, err := known.commit(h); err == nil {
			continue
		} else if !errors.Is(err, errMissing) {
			return nil, err
		}
		c, err := s.commit(h)
		if err != nil {
			return nil, err
		}
		shallow := false
		for _, p := range c.ParentHashes {
			if _, err := s.commit(p); err == nil {
				q.push(p, c.Committer.When)
			} else if shallow = errors.Is(err, errMissing); !shallow {
				return nil, err
			}
		}
		if shallow {
			ends = append(ends, h.String())
		}
	}
	return ends, nil
}
