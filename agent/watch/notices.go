package watch

import (
	"context"
	"time"

	"dokku/agent"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/notify"
)

// noticesSweep is the interval at which folders of removed hooks are looked for.
const noticesSweep = time.Hour

// NewDeliverer returns what delivers a server's notifications.
func NewDeliverer(s *agent.Server, log event.Log) *notify.Deliverer {
	return &notify.Deliverer{Store: s.Env.Store, Queue: notify.Queue{Dir: s.Env.Store.Notifications()}, Log: log,
		Tell: func(e journal.Event) { s.Env.Tell(e, log) }}
}

// notices delivers notifications until ctx is done. It has a goroutine of its own: no hook
// may delay what the loop does.
func (w *Controller) notices(ctx context.Context) {
	d := NewDeliverer(w.Server, w.log)
	defer d.Wait()
	t := time.NewTicker(Tick)
	defer t.Stop()
	var swept time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := d.Look(ctx)
		if err == nil && time.Since(swept) >= noticesSweep {
			swept, err = time.Now(), d.Sweep()
		}
		if err != nil {
			w.log.Warn("cannot deliver notifications: %s", err)
		}
	}
}
