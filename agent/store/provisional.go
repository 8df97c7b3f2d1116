package store

import (
	"os"
	"time"
)

// ProvisionalAge is how old an app must be before anybody but the push that
// made it takes it away: that push may not have started its git yet.
const ProvisionalAge = time.Minute

// Young reports whether the app was made only just now.
func (s *Store) Young(app string) bool {
	fi, err := os.Stat(s.File(app, "state.json"))
	return err == nil && time.Since(fi.ModTime()).Abs() < ProvisionalAge
}
