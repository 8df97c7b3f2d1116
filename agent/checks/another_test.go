package checks

import (
	"testing"
	"time"
)

// TestEndedOnSwarm: a swarm remembers the last restarts alone, so their number stays; but each
// restart makes another container. A process that never restarted may move.
func TestEndedOnSwarm(t *testing.T) {
	made := time.Unix(1000, 0)
	for name, c := range map[string]struct {
		before int
		now    Process
		ended  bool
	}{
		"the same":                {4, Process{Status: StatusRunning, Restarts: 4, Created: made}, false},
		"the history is full":     {4, Process{Status: StatusRunning, Restarts: 4, Created: made.Add(time.Second), ExitCode: 1}, true},
		"another node":            {0, Process{Status: StatusRunning, Created: made.Add(time.Second)}, false},
		"the engine tells no age": {4, Process{Status: StatusRunning, Restarts: 4}, false},
	} {
		if got := ended(Target{Restarts: c.before, Created: made}, c.now); got != "" != c.ended {
			t.Errorf("%s: %q", name, got)
		}
	}
}
