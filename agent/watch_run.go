package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"dokku/agent/engine"
	"dokku/agent/event"
)

const (
	// tick is how often the agent looks for changed states and due deadlines.
	tick = time.Second
	// sweepEvery is how often each app is looked at although nothing has happened.
	sweepEvery = 5 * time.Minute
	// packEvery is how often git may pack an app's repository, packPause how often
	// while it has more than packLimit packs.
	packEvery, packPause = time.Hour, time.Minute
	// parallelApps is how many apps are reconciled at the same time.
	parallelApps = 4
	// firstBackoff and maxBackoff bound the pause after a failure.
	firstBackoff = 2 * time.Second
	maxBackoff   = 5 * time.Minute
)

// Run is the agent: it finishes or undoes what was interrupted, stops what is
// due to retire, starts everything again when the engine comes back, and goes
// on until ctx is done. It is level-triggered: an event only says which app to
// look at. A second agent on the same root is an error.
func Run(ctx context.Context, s *Server, log event.Log) error {
	l, ok, err := s.Store.tryLock(agentLock, "the agent")
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("another agent runs on %s; stop it first", s.Store.Root)
	}
	defer l.release()
	s.Store.good = &goodSettings{path: s.Store.own(goodSettingsFile)}
	host, err := s.Host()
	if err != nil {
		return err
	}
	s.Store.sweepRoot()
	w := &controller{Server: s, log: log, apps: map[string]*watched{}, slots: make(chan struct{}, parallelApps)}
	events := make(chan engine.Event, 256)
	watching := make(chan error, 1)
	go func() { watching <- host.Watch(ctx, events) }()
	err = w.loop(ctx, events)
	w.wg.Wait()
	<-watching
	return err
}

// A controller knows when to look at which app.
type controller struct {
	Server *Server
	log    event.Log
	slots  chan struct{}
	wg     sync.WaitGroup

	settings time.Time // server.json as it was last seen

	mu   sync.Mutex
	apps map[string]*watched
}

// watched is what the agent remembers of an app; losing it costs a look.
type watched struct {
	busy       bool
	again      bool      // something has happened while busy
	due        time.Time // look again then
	startEnded bool      // start what has ended
	changed    time.Time // state.json as it was last seen
	packed     time.Time // the repository was looked at for packing
	oneOffs    []engine.Instance
	backoff    time.Duration
}

func (w *controller) loop(ctx context.Context, events <-chan engine.Event) error {
	t := time.NewTicker(tick)
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
func (w *controller) lookAtSettings() {
	fi, err := os.Stat(w.Server.Store.own("server.json"))
	if err != nil || fi.ModTime().Equal(w.settings) {
		return
	}
	w.settings = fi.ModTime()
	if _, err := w.Server.Store.storedSettings(); err != nil {
		w.log.Warn("The agent goes on with the settings from before: %s", err)
	}
	w.Server.Store.Settings() // keeps a good one
}

// note makes the app of an event due. When the engine came back, all are, and
// what has ended is started: nobody else does that after a reboot.
func (w *controller) note(e engine.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Action == engine.ActionConnected {
		names, _ := w.Server.Store.Apps()
		for _, name := range names {
			a := w.app(name)
			a.due, a.startEnded, a.backoff, a.again = time.Now(), true, 0, a.busy
		}
		return
	}
	// What is made counts too: the engine finishes making it when whoever asked for
	// it is killed. While its command lives the app's lock keeps the agent out.
	if e.App != "" {
		a := w.app(w.present(e.App))
		a.again = a.again || a.busy
		if next := time.Now().Add(a.backoff); next.Before(a.due) || a.due.IsZero() {
			a.due = next
		}
	}
}

// present is the name of an app whose container may carry its former one.
func (w *controller) present(name string) string {
	if _, err := os.Stat(w.Server.Store.file(name, "state.json")); err == nil {
		return name
	}
	if now, err := w.Server.Store.nowCalled(name); err == nil && now != "" {
		return now
	}
	return name
}

// app returns what is known of an app; w.mu is held.
func (w *controller) app(name string) *watched {
	if w.apps[name] == nil {
		w.apps[name] = &watched{}
	}
	return w.apps[name]
}

// look starts to reconcile each app that is due or whose state has changed.
func (w *controller) look(ctx context.Context) error {
	names, err := w.Server.Store.Apps()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		a := w.app(name)
		if fi, err := os.Stat(w.Server.Store.file(name, "state.json")); err == nil && !fi.ModTime().Equal(a.changed) {
			a.changed = fi.ModTime()
			a.due = time.Now()
		}
		// Who has the lock may be killed and leave what shows in nothing else.
		if a.backoff == 0 && (w.Server.Store.lockInUse(name) || a.deserted()) {
			a.due = time.Now()
		}
		if a.busy || a.due.After(time.Now()) {
			continue
		}
		select {
		case w.slots <- struct{}{}:
			a.busy = true
			w.wg.Add(1)
			go w.reconcileApp(ctx, name, a.startEnded)
		default:
			return nil
		}
	}
	return nil
}

// reconcileApp looks at one app and decides when to look again.
func (w *controller) reconcileApp(ctx context.Context, name string, startEnded bool) {
	defer w.wg.Done()
	left, done, err := w.Server.Tend(ctx, name, startEnded, w.log)
	w.mu.Lock()
	defer w.mu.Unlock()
	<-w.slots
	a := w.app(name)
	a.busy = false
	switch {
	case !done:
		a.due = time.Now().Add(tick)
	case err != nil:
		a.backoff = min(max(2*a.backoff, firstBackoff), maxBackoff)
		a.due = time.Now().Add(a.backoff)
		w.log.WithApp(name).Warn("cannot reconcile %s, next try in %s: %s", name, a.backoff, err)
	default:
		a.backoff, a.startEnded = 0, a.startEnded && a.again
		a.oneOffs = left
		a.due = w.next(name, left)
		if since := time.Since(a.packed); since > packEvery || since > packPause && packs(w.Server.Store.dir(name)) > packLimit {
			a.packed = time.Now()
			w.wg.Go(func() { w.pack(ctx, name) })
		}
		if a.again {
			a.due = time.Now()
		}
	}
	a.again = false
}

// pack lets git pack the app's repository, unless somebody is at work there.
func (w *controller) pack(ctx context.Context, name string) {
	l, ok, err := w.Server.Store.tryLock(name, "packing the repository")
	if err != nil || !ok {
		return
	}
	defer l.release()
	if _, err := os.Stat(w.Server.Store.dir(name)); errors.Is(err, fs.ErrNotExist) {
		return // it was destroyed or renamed meanwhile
	}
	if err := packRepository(ctx, w.Server.Store.dir(name)); err != nil {
		w.log.WithApp(name).Warn("%s", err)
	}
}

// deserted reports whether a one-off container has lost its client since it was
// looked at. The engine does not tell when one is killed.
func (a *watched) deserted() bool {
	return slices.ContainsFunc(a.oneOffs, func(i engine.Instance) bool {
		return i.Attached && !parseOwner(i.Client).Alive()
	})
}

// next is when the app has to be looked at although nothing happens: when its
// next container is due to retire, the time of one that runs once is over, or
// after sweepEvery.
func (w *controller) next(name string, oneOffs []engine.Instance) time.Time {
	next := time.Now().Add(sweepEvery)
	for _, i := range oneOffs {
		if !i.Deadline.IsZero() && i.Deadline.Before(next) {
			next = i.Deadline
		}
	}
	a, err := w.Server.Store.Load(name)
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
