package watch

import (
	"context"
	"errors"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
)

// oomWindow is how far apart the engine may report that a container's memory ran out, and
// that the container ended.
const oomWindow = 2 * time.Second

// A recorder records the ends of processes for the command logs. It never waits for an
// app's lock: a deploy may hold that for long. What it holds in memory may be lost.
type recorder struct {
	w      *Controller
	host   engine.Host
	events chan engine.Event
	// Of containers whose memory ran out: when the engine said so.
	oom map[string]engine.Event
	// The last end of each container that was killed, of the last oomWindow.
	killed map[string]app.End
	// crashes makes events of the ends.
	crashes *crashes
}

func newRecorder(w *Controller, host engine.Host) *recorder {
	return &recorder{w: w, host: host, events: make(chan engine.Event, 256), oom: map[string]engine.Event{}, killed: map[string]app.End{}, crashes: newCrashes(w, host)}
}

// tell passes an event on. It drops events that come faster than the engine answers.
func (r *recorder) tell(e engine.Event) {
	if e.Action != engine.ActionDie && e.Action != engine.ActionOOM {
		return
	}
	select {
	case r.events <- e:
	default:
	}
}

func (r *recorder) run(ctx context.Context) {
	tick := time.NewTicker(Tick)
	defer tick.Stop()
	for {
		var name string
		var err error
		select {
		case <-ctx.Done():
			return
		case e := <-r.events:
			name, err = r.w.present(e.App), r.take(ctx, e)
		case now := <-tick.C:
			err = errors.Join(r.expire(ctx, now), r.crashes.look(ctx, now))
		}
		if err != nil && ctx.Err() == nil {
			r.w.log.WithApp(name).Warn("cannot record why a process ended: %s", err)
		}
	}
}

// take records an event. The two events of an end by memory come in either order.
func (r *recorder) take(ctx context.Context, e engine.Event) error {
	if e.Action == engine.ActionOOM {
		end, ended := r.killed[e.ID]
		if !ended {
			r.oom[e.ID] = e
			return nil
		}
		delete(r.killed, e.ID)
		end.OOMKilled = true
		return r.w.Server.Env.Store.NoteEnd(r.w.present(e.App), end)
	}
	_, oom := r.oom[e.ID]
	delete(r.oom, e.ID)
	return r.note(ctx, e, func(end *app.End) {
		if end.OOMKilled = end.OOMKilled || oom; !end.OOMKilled && end.ExitCode == 137 {
			r.killed[e.ID] = *end
		}
	})
}

// expire records what is clear after oomWindow: a container whose memory ran out has not
// ended.
func (r *recorder) expire(ctx context.Context, now time.Time) (err error) {
	for id, end := range r.killed {
		if now.Sub(end.At) > oomWindow {
			delete(r.killed, id)
		}
	}
	for id, e := range r.oom {
		if now.Sub(e.At) > oomWindow {
			delete(r.oom, id)
			err = errors.Join(err, r.note(ctx, e, func(end *app.End) { end.OOMKilled, end.Survived = true, true }))
		}
	}
	return err
}

// note records an end, changed by add, unless an operation ended the process.
func (r *recorder) note(ctx context.Context, e engine.Event, add func(*app.End)) error {
	i, err := r.host.Instance(ctx, e.ID)
	if errors.Is(err, engine.ErrNoContainer) {
		return nil
	}
	if err != nil {
		return err
	}
	name := r.w.present(e.App)
	v, err := r.w.Server.View(name)
	var gone *app.NoAppError
	if errors.As(err, &gone) || err == nil && !deploy.Wanted(v, i) {
		return nil
	}
	if err != nil {
		return err
	}
	end := deploy.EndOf(i, e.At, e.ExitCode)
	add(&end)
	r.crashes.ended(name, end)
	return r.w.Server.Env.Store.NoteEnd(name, end)
}
