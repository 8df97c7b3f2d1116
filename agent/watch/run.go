package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"dokku/agent"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/proc"
	"dokku/agent/repo"
	"dokku/agent/store"
)

const (
	// Tick is how often the agent looks for changed states and due deadlines.
	Tick = time.Second
	// sweepEvery is how often each app is looked at although nothing has happened.
	sweepEvery = 5 * time.Minute
	// packEvery is how often git may pack an app's repository, packPause how often
	// while it has more than packLimit packs.
	packEvery, packPause = time.Hour, time.Minute
	// ParallelApps is how many apps are reconciled at the same time.
	ParallelApps = 4
	// firstBackoff and maxBackoff bound the pause after a failure.
	firstBackoff = 2 * time.Second
	maxBackoff   = 5 * time.Minute
)

// Run is the agent: it finishes or undoes what was interrupted, stops what is
// due to retire, starts everything again when the engine comes back, and goes
// on until ctx is done. It is level-triggered: an event only says which app to
// look at. A second agent on the same root is an error.
func Run(ctx context.Context, s *agent.Server, log event.Log) error {
	l, ok, err := s.Env.Store.TryLock(store.AgentLock, "the agent")
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("another agent runs on %s; stop it first", s.Env.Store.Root)
	}
	defer l.Release()
	s.Env.Store.Good = &store.GoodSettings{Path: s.Env.Store.Own(store.GoodSettingsFile)}
	host, err := s.Host()
	if err != nil {
		return err
	}
	s.Env.Store.SweepRoot()
	w := &Controller{Server: s, log: log, Apps: map[string]*Watched{}, Slots: make(chan struct{}, ParallelApps)}
	events := make(chan engine.Event, 256)
	watching := make(chan error, 1)
	go func() { watching <- host.Watch(ctx, events) }()
	err = w.loop(ctx, events)
	w.Wg.Wait()
	<-watching
	return err
}

// A Controller knows when to look at which app.
type Controller struct {
	Server *agent.Server
	log    event.Log
	Slots  chan struct{}
	Wg     sync.WaitGroup

	settings time.Time // server.json as it was last seen

	mu   sync.Mutex
	Apps map[string]*Watched
}

// Watched is what the agent remembers of an app; losing it costs a look.
type Watched struct {
	busy       bool
	again      bool      // something has happened while busy
	Due        time.Time // look again then
	startEnded bool      // start what has ended
	changed    time.Time // state.json as it was last seen
	packed     time.Time // the repository was looked at for packing
	oneOffs    []engine.Instance
	Backoff    time.Duration
}

func (w *Controller) loop(ctx context.Context, events <-chan engine.Event) error {
	t := time.NewTicker(Tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			w.note(e)
		case <-t.C:
		}
		w.lookAtSettings()
		if err := w.look(ctx); err != nil {
			w.log.Warn("%s", err)
		}
	}
}

// lookAtSettings says so, once, when somebody has made server.json unusable.
func (w *Controller) lookAtSettings() {
	fi, err := os.Stat(w.Server.Env.Store.Own("server.json"))
	if err != nil || fi.ModTime().Equal(w.settings) {
		return
	}
	w.settings = fi.ModTime()
	if _, err := w.Server.Env.Store.StoredSettings(); err != nil {
		w.log.Warn("The agent goes on with the settings from before: %s", err)
	}
	w.Server.Env.Store.Settings() // keeps a good one
}

// note makes the app of an event due. When the engine came back, all are, and
// what has ended is started: nobody else does that after a reboot.
func (w *Controller) note(e engine.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Action == engine.ActionConnected {
		names, _ := w.Server.Env.Store.Apps()
		for _, name := range names {
			a := w.app(name)
			a.Due, a.startEnded, a.Backoff, a.again = time.Now(), true, 0, a.busy
		}
		return
	}
	// What is made counts too: the engine finishes making it when whoever asked for
	// it is killed. While its command lives the app's lock keeps the agent out.
	if e.App != "" {
		a := w.app(w.present(e.App))
		a.again = a.again || a.busy
		if next := time.Now().Add(a.Backoff); next.Before(a.Due) || a.Due.IsZero() {
			a.Due = next
		}
	}
}

// present is the name of an app whose container may carry its former one.
func (w *Controller) present(name string) string {
	if _, err := os.Stat(w.Server.Env.Store.File(name, "state.json")); err == nil {
		return name
	}
	if now, err := w.Server.Env.Store.NowCalled(name); err == nil && now != "" {
		return now
	}
	return name
}

// app returns what is known of an app; w.mu is held.
func (w *Controller) app(name string) *Watched {
	if w.Apps[name] == nil {
		w.Apps[name] = &Watched{}
	}
	return w.Apps[name]
}

// look starts to reconcile each app that is due or whose state has changed.
func (w *Controller) look(ctx context.Context) error {
	names, err := w.Server.Env.Store.Apps()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		a := w.app(name)
		if fi, err := os.Stat(w.Server.Env.Store.File(name, "state.json")); err == nil && !fi.ModTime().Equal(a.changed) {
			a.changed = fi.ModTime()
			a.Due = time.Now()
		}
		// Who has the lock may be killed and leave what shows in nothing else.
		if a.Backoff == 0 && (w.Server.Env.Store.LockInUse(name) || a.deserted()) {
			a.Due = time.Now()
		}
		if a.busy || a.Due.After(time.Now()) {
			continue
		}
		select {
		case w.Slots <- struct{}{}:
			a.busy = true
			w.Wg.Add(1)
			go w.ReconcileApp(ctx, name, a.startEnded)
		default:
			return nil
		}
	}
	return nil
}

// ReconcileApp looks at one app and decides when to look again.
func (w *Controller) ReconcileApp(ctx context.Context, name string, startEnded bool) {
	defer w.Wg.Done()
	left, done, err := w.Server.TryReconcile(ctx, name, startEnded, w.log)
	w.mu.Lock()
	defer w.mu.Unlock()
	<-w.Slots
	a := w.app(name)
	a.busy = false
	switch {
	case !done:
		a.Due = time.Now().Add(Tick)
	case err != nil:
		a.Backoff = min(max(2*a.Backoff, firstBackoff), maxBackoff)
		a.Due = time.Now().Add(a.Backoff)
		w.log.WithApp(name).Warn("cannot reconcile %s, next try in %s: %s", name, a.Backoff, err)
	default:
		a.Backoff, a.startEnded = 0, a.startEnded && a.again
		a.oneOffs = left
		a.Due = w.next(name, left)
		if since := time.Since(a.packed); since > packEvery || since > packPause && repo.Packs(w.Server.Env.Store.Dir(name)) > repo.PackLimit {
			a.packed = time.Now()
			w.Wg.Go(func() { w.pack(ctx, name) })
		}
		if a.again {
			a.Due = time.Now()
		}
	}
	a.again = false
}

// pack lets git pack the app's repository, unless somebody is at work there.
func (w *Controller) pack(ctx context.Context, name string) {
	l, ok, err := w.Server.Env.Store.TryLock(name, "packing the repository")
	if err != nil || !ok {
		return
	}
	defer l.Release()
	if _, err := os.Stat(w.Server.Env.Store.Dir(name)); errors.Is(err, fs.ErrNotExist) {
		return // it was destroyed or renamed meanwhile
	}
	if err := repo.Pack(ctx, w.Server.Env.Store.Dir(name)); err != nil {
		w.log.WithApp(name).Warn("%s", err)
	}
}

// deserted reports whether a one-off container has lost its client since it was
// looked at. The engine does not tell when one is killed.
func (a *Watched) deserted() bool {
	return slices.ContainsFunc(a.oneOffs, func(i engine.Instance) bool {
		return i.Attached && !proc.ParseOwner(i.Client).Alive()
	})
}

// next is when the app has to be looked at although nothing happens: when its
// next container is due to retire, the time of one that runs once is over, or
// after sweepEvery.
func (w *Controller) next(name string, oneOffs []engine.Instance) time.Time {
	next := time.Now().Add(sweepEvery)
	for _, i := range oneOffs {
		if !i.Deadline.IsZero() && i.Deadline.Before(next) {
			next = i.Deadline
		}
	}
	a, err := w.Server.Env.Store.Load(name)
	if err != nil {
		return next
	}
	for _, due := range a.State.Retiring {
		if due.Before(next) {
			next = due
		}
	}
	return next
}
