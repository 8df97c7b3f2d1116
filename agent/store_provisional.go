package agent

import (
	"os"
	"time"
)

// provisionalAge is how old an app must be before anybody but the push that
// made it takes it away: that push may not have started its git yet.
const provisionalAge = time.Minute

// young reports whether the app was made only just now.
func (s *Store) young(app string) bool {
	fi, err := os.Stat(s.file(app, "state.json"))
	return err == nil && time.Since(fi.ModTime()).Abs() < provisionalAge
}
