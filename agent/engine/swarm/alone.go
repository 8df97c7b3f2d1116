package swarm

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"dokku/agent/engine"
)

// aloneFor is how long a server that is in no swarm is not asked again for processes there: its
// engine writes two lines into its log each time.
const aloneFor = time.Minute

// alone reports that the engine was in no swarm when it was last asked, and that nothing can have
// been placed since: the keys of the node service are made before the first process is.
func (e *Engine) alone() bool {
	dir := e.guard.config.Keys.Dir
	e.mu.Lock()
	asked := e.aloneAt
	e.mu.Unlock()
	if dir == "" || asked.IsZero() || time.Since(asked) > aloneFor {
		return false
	}
	_, err := os.Lstat(dir)
	return errors.Is(err, fs.ErrNotExist)
}

// heard notes what the engine has said of its swarm.
func (e *Engine) heard(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.aloneAt = (time.Time{}); errors.Is(err, engine.ErrNoCluster) {
		e.aloneAt = time.Now()
	}
}
