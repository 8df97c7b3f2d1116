package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/store"
)

const (
	// firstPause is the pause after the first failure; it grows four times with each, up to
	// lastPause. maxAge is the age at which a notification is given up.
	firstPause = 5 * time.Second
	lastPause  = 4 * time.Hour
	maxAge     = 24 * time.Hour
	// jitter is the share by which a pause is longer or shorter, so that what failed
	// together is not tried again together.
	jitter = 0.2
	// errorPause is the pause of a hook after an error that is not its own, such as a state
	// that cannot be read.
	errorPause = time.Minute
)

// Deliverer delivers what waits. One process of a server has one.
type Deliverer struct {
	Store *store.Store
	Queue Queue
	Log   event.Log
	// Tell records an event.
	Tell func(journal.Event)
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	mu   sync.Mutex
	busy map[string]bool      // by hook
	held map[string]time.Time // until when a hook waits after an error
	wait sync.WaitGroup
}

func (d *Deliverer) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// Look begins to deliver what is due, and returns at once.
func (d *Deliverer) Look(ctx context.Context) error {
	ids, err := d.Queue.Hooks()
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy == nil {
		d.busy, d.held = map[string]bool{}, map[string]time.Time{}
	}
	for _, id := range ids {
		if names, err := d.Queue.names(id); d.busy[id] || d.held[id].After(d.now()) || err != nil || len(names) == 0 {
			continue
		}
		d.busy[id] = true
		d.wait.Go(func() {
			err := d.hook(ctx, id)
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.busy, id)
			delete(d.held, id)
			if err != nil && ctx.Err() == nil {
				d.held[id] = d.now().Add(errorPause)
				d.Log.Warn("cannot deliver notifications, next try in %s: %s", errorPause, err)
			}
		})
	}
	return nil
}

// Wait waits until all that Look began has ended.
func (d *Deliverer) Wait() { d.wait.Wait() }

// hook delivers what is due for a hook.
func (d *Deliverer) hook(ctx context.Context, id string) error {
	for ctx.Err() == nil {
		list, err := d.Queue.Pending(id)
		if err != nil {
			return err
		}
		n := due(list, d.now())
		if n == nil {
			return nil
		}
		h, private, err := d.find(id, n.App)
		if err != nil {
			return err
		}
		if h == nil {
			return d.Queue.Forget(id)
		}
		if err := d.try(ctx, *h, n, private); err != nil {
			return err
		}
	}
	return nil
}

// find returns a hook by its id; nil: it was removed, or its app was.
func (d *Deliverer) find(id, owner string) (h *app.Hook, private bool, err error) {
	set, err := d.Store.Settings()
	if err != nil {
		return nil, false, err
	}
	hooks := set.Hooks
	if owner != "" {
		a, err := d.Store.Load(owner)
		var none *app.NoAppError
		if errors.As(err, &none) {
			if a, err = d.renamed(owner, id); a == nil {
				return nil, false, err
			}
		}
		if err != nil {
			return nil, false, err
		}
		hooks = a.State.Hooks
	}
	if i := slices.IndexFunc(hooks, func(h app.Hook) bool { return h.ID == id }); i >= 0 {
		return &hooks[i], set.PrivateHooks, nil
	}
	return nil, false, nil
}

// renamed returns the app that has a hook and was called owner; nil: there is none.
func (d *Deliverer) renamed(owner, hook string) (*app.App, error) {
	names, err := d.Store.Apps()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		a, err := d.Store.Load(name)
		if err == nil && slices.ContainsFunc(a.State.Hooks, func(h app.Hook) bool { return h.ID == hook }) {
			return a, nil
		}
	}
	return nil, nil
}

// try makes one attempt and records its outcome.
func (d *Deliverer) try(ctx context.Context, h app.Hook, n *Notification, private bool) error {
	answer, err := Poster{Private: private, Now: d.Now}.Post(ctx, h, n)
	if ctx.Err() != nil {
		return nil // the agent ends; it counts as no attempt
	}
	now := d.now()
	n.Attempts++
	n.Next = now.Add(max(pause(n.Attempts), answer.After))
	given := err != nil && (answer.Gone || n.Next.After(n.Event.Time.Add(maxAge)))
	serr := d.Queue.note(h.ID, func(s *State) {
		s.LastTry, s.Status, s.Error = now.UTC(), answer.Status, ""
		if err == nil {
			s.Delivered = s.LastTry
		} else {
			s.Error = err.Error()
		}
		if given {
			s.Dropped++
		}
	})
	if err == nil || given {
		serr = errors.Join(serr, os.Remove(n.path))
	} else {
		serr = errors.Join(serr, n.save())
	}
	if given {
		d.giveUp(h, n, err)
	}
	if errors.Is(serr, os.ErrNotExist) {
		return nil // the hook was removed meanwhile
	}
	return serr
}

func (d *Deliverer) giveUp(h app.Hook, n *Notification, err error) {
	text := fmt.Sprintf("the notification of a %s to %s was given up", n.Event.Event, h.Shown())
	d.Log.WithApp(n.Event.App).Warn("%s: %s", text, err)
	d.Tell(journal.Event{Event: journal.Notify, App: n.Event.App, Text: text, Error: err.Error()})
}

// pause returns the pause after an attempt.
func pause(attempts int) time.Duration {
	p := firstPause
	for range min(attempts-1, 20) {
		p = min(4*p, lastPause)
	}
	return time.Duration(float64(p) * (1 - jitter + 2*jitter*rand.Float64()))
}

// sweepAge is the age from which files that belong to nothing are removed: a younger one
// may be of a process that is about to go on.
const sweepAge = time.Hour

// Sweep removes the folders of hooks that are gone with their app, and what killed
// processes left.
func (d *Deliverer) Sweep() error {
	ids, err := d.Queue.Hooks()
	if err != nil || len(ids) == 0 {
		return err
	}
	set, err := d.Store.Settings()
	if err != nil {
		return err
	}
	hooks := slices.Clone(set.Hooks)
	names, err := d.Store.Apps()
	if err != nil {
		return err
	}
	for _, name := range names {
		a, err := d.Store.Load(name)
		if err != nil {
			return err
		}
		hooks = append(hooks, a.State.Hooks...)
	}
	for _, id := range ids {
		known := slices.ContainsFunc(hooks, func(h app.Hook) bool { return h.ID == id })
		if err := d.Queue.sweep(id, known, d.now().Add(-sweepAge)); err != nil {
			return err
		}
	}
	return nil
}
