package watch

import (
	"context"
	"time"

	"dokku/agent/frontdoor"
	"dokku/agent/journal"
)

// doorsEvery is the interval at which the agent asks the front doors whether they serve what
// they should.
const doorsEvery = 30 * time.Second

// awayEvery is the interval while one of them does not answer: when it is back, it serves what
// it had, and changes may have gone on without it.
const awayEvery = 5 * time.Second

// frontDoors looks at the front doors until ctx is done. An app whose route one of them
// lacks is due.
func (w *Controller) frontDoors(ctx context.Context) {
	var seen frontdoor.Watched
	for {
		due, up, err := seen.Look(ctx, w.Server)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.log.Warn("%s", err)
			w.tell(journal.Fail, "", "front doors", err)
		}
		for _, name := range up {
			w.tell(journal.Mend, "", "front door "+name+" answers again", nil)
		}
		w.mu.Lock()
		for _, name := range due {
			a := w.app(name)
			a.Due, a.again = time.Now(), a.busy
		}
		w.mu.Unlock()
		pause := doorsEvery
		if seen.Down() {
			pause = awayEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
