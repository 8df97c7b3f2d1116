package watch

import (
	"context"
	"errors"
	"time"

	"dokku/agent/engine"
	"dokku/agent/journal"
	"dokku/agent/services"
)

// A keeper keeps the services running and finishes or undoes what killed operations left of
// them. It has a goroutine of its own: an app's deploy may wait for a service.
type keeper struct {
	*Controller
	events chan engine.Event
	kept   map[services.Ref]*keptService
}

// keptService is the schedule of a service. Its loss costs one more look.
type keptService struct {
	due     time.Time
	backoff time.Duration
	failed  bool
}

func newKeeper(w *Controller) *keeper {
	return &keeper{Controller: w, events: make(chan engine.Event, 64), kept: map[services.Ref]*keptService{}}
}

// tell passes an event on. A dropped one costs a delay until the next look.
func (k *keeper) tell(e engine.Event) {
	select {
	case k.events <- e:
	default:
	}
}

func (k *keeper) run(ctx context.Context) {
	tick := time.NewTicker(Tick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-k.events:
			k.note(e)
			continue
		case <-tick.C:
		}
		if err := k.look(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("cannot look after the services: %s", err)
		}
	}
}

// note makes the service of an event due, or all when the engine comes back.
func (k *keeper) note(e engine.Event) {
	for r, s := range k.kept {
		if e.Action == engine.ActionConnected || r.Owner() == e.App {
			s.due = time.Now().Add(s.backoff)
		}
	}
}

func (k *keeper) look(ctx context.Context) error {
	m, err := k.Server.Services()
	if err != nil {
		return err
	}
	all, err := m.All()
	if err != nil {
		return err
	}
	for _, r := range all {
		s := k.kept[r]
		if s == nil {
			s = &keptService{}
			k.kept[r] = s
		}
		if now := time.Now(); s.due.After(now) && (s.backoff != 0 || !m.Store.LockInUse(r.Owner()) && !m.Pending(r)) {
			continue
		}
		k.settle(ctx, m, r, s)
	}
	return ctx.Err()
}

// settle brings one service to rest, and schedules the next look.
func (k *keeper) settle(ctx context.Context, m *services.Manager, r services.Ref, s *keptService) {
	acted, done, err := m.Settle(ctx, r, k.log)
	if done && err == nil {
		err = k.Server.StartWaiting(ctx, r, k.log)
	}
	switch {
	case !done:
		s.due = time.Now().Add(Tick)
	case err != nil && ctx.Err() == nil:
		s.backoff = min(max(2*s.backoff, firstBackoff), maxBackoff)
		s.due = time.Now().Add(s.backoff)
		k.log.Warn("cannot bring %s to rest, next try in %s: %s", r, s.backoff, err)
		if !s.failed && !errors.Is(err, engine.ErrUnreachable) {
			s.failed = true
			k.Controller.tell(journal.Fail, "", r.String(), err)
		}
	default:
		s.backoff, s.due = 0, time.Now().Add(sweepEvery)
		if m.Pending(r) { // an app has yet to leave its network
			s.due = time.Now().Add(stagingEvery)
			s.backoff = stagingEvery
		}
		if acted || s.failed {
			s.failed = false
			k.Controller.tell(journal.Mend, "", r.String()+" runs again", nil)
		}
	}
}
