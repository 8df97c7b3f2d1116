package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/cgroup"
	"dokku/agent/cron"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/plan"
	"dokku/agent/proc"
	"dokku/agent/repo"
	"dokku/agent/store"
	"dokku/agent/vault"
)

const (
	// Tick is the interval at which the agent looks for changed states and due deadlines.
	Tick = time.Second
	// sweepEvery is the interval at which each app is reconciled without any event.
	sweepEvery = 5 * time.Minute
	// stagingEvery is the interval at which the agent looks for folders of killed commands.
	stagingEvery = 10 * time.Second
	// packEvery is the interval at which git may pack an app's repository, packPause the
	// interval while it has more than repo.PackLimit packs.
	packEvery, packPause = time.Hour, time.Minute
	// lookPause is longer than a command holds the agent's lock to see whether it runs.
	lookPause = 20 * time.Millisecond
	// ParallelApps is the number of apps that are reconciled at the same time.
	ParallelApps = 4
	// firstBackoff and maxBackoff bound the pause after a failure.
	firstBackoff = 2 * time.Second
	maxBackoff   = 5 * time.Minute
	// placedBackoff bounds that pause when a process on the swarm is on another node or at
	// another port: requests go where it was.
	placedBackoff = 10 * time.Second
	// settleEvery is the interval at which an app is reconciled whose route may have to change
	// without an event.
	settleEvery = 5 * time.Second
)

// Run runs the agent until ctx is done. The agent finishes or undoes interrupted
// operations, stops retiring containers, and starts all apps when the engine comes
// back. A second agent on the same root is an error.
func Run(ctx context.Context, s *agent.Server, log event.Log) error {
	l, ok, err := s.Env.Store.TryLock(store.AgentLock, "the agent")
	for range 10 {
		if ok || err != nil || ctx.Err() != nil {
			break
		}
		time.Sleep(lookPause)
		l, ok, err = s.Env.Store.TryLock(store.AgentLock, "the agent")
	}
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
	if err := s.TellChanges(ctx, log); err != nil {
		log.Warn("cannot tell what the update changes: %s", err)
	}
	w := &Controller{Server: s, log: log, Apps: map[string]*Watched{}, Slots: make(chan struct{}, ParallelApps), free: make(chan struct{}, 1)}
	events := make(chan engine.Event, 256)
	watching := make(chan error, 1)
	go func() { watching <- host.Watch(ctx, events) }()
	w.recorder = newRecorder(w, host)
	w.Wg.Go(func() { w.recorder.run(ctx) })
	w.keeper = newKeeper(w)
	w.Wg.Go(func() { w.keeper.run(ctx) })
	w.Wg.Go(func() { newRenewer(w).run(ctx) })
	w.Wg.Go(func() { (&pruner{Controller: w}).run(ctx) })
	w.Wg.Go(func() { w.notices(ctx) })
	w.Wg.Go(func() { w.frontDoors(ctx) })
	if s.Env.Firewall != nil {
		w.Wg.Go(func() { w.firewall(ctx) })
	}
	w.Wg.Go(func() { w.nodeService(ctx) })
	w.Wg.Go(func() { (&cron.Scheduler{Server: s, Log: log}).Run(ctx, Tick) })
	w.Wg.Go(func() {
		(&vault.Runner{Jobs: func() ([]vault.Job, error) { return backup.Jobs(s, log) }, Tell: func(e journal.Event) { s.Env.Tell(e, log) }, Log: log}).Run(ctx, Tick)
	})
	w.tell(journal.Agent, "", "the agent started", nil)
	err = w.loop(ctx, events)
	w.Wg.Wait()
	<-watching
	return err
}

// A Controller decides when to reconcile which app.
type Controller struct {
	Server *agent.Server
	log    event.Log
	Slots  chan struct{}
	Wg     sync.WaitGroup

	recorder *recorder
	keeper   *keeper

	// moved: an app or a container has changed since the rules of the firewall were made.
	moved    atomic.Bool
	settings time.Time // of server.json at the last look
	swept    time.Time // when SweepStaging was last called
	groups   cgroup.Sweeper

	mu   sync.Mutex
	Apps map[string]*Watched
	full bool          // an app is due, and all slots were taken
	free chan struct{} // one is free again while an app waits for it
}

// Watched is the schedule of an app. Its loss costs one more look at the app.
type Watched struct {
	busy       bool
	again      bool      // an event came while busy
	Due        time.Time // time of the next look
	startEnded bool      // start ended containers
	changed    time.Time // of state.json at the last look
	packed     time.Time // time of the last packing
	oneOffs    []engine.Instance
	Backoff    time.Duration
	stopping   bool // processes are being stopped that were due to retire
	waits      bool // a look has to follow that
}

func (w *Controller) loop(ctx context.Context, events <-chan engine.Event) error {
	t := time.NewTicker(Tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			w.moved.Store(true)
			if _, service := app.ServiceOf(e.App); service {
				w.keeper.tell(e)
				continue
			}
			if e.Action == engine.ActionConnected {
				w.keeper.tell(e)
			}
			w.note(e)
			w.recorder.tell(e)
		case <-t.C:
		case <-w.free:
		}
		w.checkSettings()
		w.sweepStaging()
		if err := w.look(ctx); err != nil {
			w.log.Warn("%s", err)
		}
	}
}

// checkSettings warns once about a bad edit of server.json.
func (w *Controller) checkSettings() {
	fi, err := os.Stat(w.Server.Env.Store.Own("server.json"))
	if err != nil || fi.ModTime().Equal(w.settings) {
		return
	}
	w.settings = fi.ModTime()
	if _, err := w.Server.Env.Store.StoredSettings(); err != nil {
		w.log.Warn("The agent keeps using the last good settings: %s", err)
	}
	w.Server.Env.Store.Settings() // copies good settings
}

// note makes the app of an event due. When the engine comes back, it makes all apps due
// and has their ended containers started.
func (w *Controller) note(e engine.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Action == engine.ActionConnected {
		w.tell(journal.Agent, "", "the engine is there: what has ended is started", nil)
		names, _ := w.Server.Env.Store.Apps()
		for _, name := range names {
			a := w.app(name)
			a.Due, a.startEnded, a.Backoff, a.again = time.Now(), true, 0, a.busy
		}
		return
	}
	// Creations count too: the engine finishes one even if its client is killed. While
	// the client lives, the app's lock keeps the agent out.
	if e.App != "" {
		a := w.app(w.present(e.App))
		a.again = a.again || a.busy
		pause := a.Backoff
		if e.Placed && (e.Action == engine.ActionMove || e.Action == engine.ActionStart) {
			pause = min(pause, placedBackoff)
		}
		if next := time.Now().Add(pause); next.Before(a.Due) || a.Due.IsZero() {
			a.Due = next
		}
	}
}

// present returns the present name of an app. Containers may have its former name.
func (w *Controller) present(name string) string { return w.Server.Env.Store.Present(name) }

// app returns the schedule of an app. The caller holds w.mu.
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
			w.moved.Store(true)
		}
		// A killed holder of the lock may leave no other trace than the lock.
		if a.Backoff == 0 && (w.Server.Env.Store.LockInUse(name) || a.lostClient()) {
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
			w.full = true
			return nil
		}
	}
	w.full = false
	return nil
}

// ReconcileApp reconciles one app and schedules the next look.
func (w *Controller) ReconcileApp(ctx context.Context, name string, startEnded bool) {
	defer w.Wg.Done()
	w.stopDue(ctx, name)
	left, done, err := w.Server.TryConverge(ctx, name, startEnded, w.log)
	w.mu.Lock()
	defer w.mu.Unlock()
	<-w.Slots
	if w.full {
		select {
		case w.free <- struct{}{}:
		default:
		}
	}
	a := w.app(name)
	a.busy = false
	switch {
	case !done:
		a.Due = time.Now().Add(Tick)
	case err != nil:
		if a.Backoff == 0 && ctx.Err() == nil {
			w.tell(journal.Fail, name, "", err)
		}
		a.Backoff = min(max(2*a.Backoff, firstBackoff), maxBackoff)
		a.Due = time.Now().Add(a.Backoff)
		w.log.WithApp(name).Warn("cannot reconcile %s, next try in %s: %s", name, a.Backoff, err)
	default:
		if a.Backoff != 0 {
			w.tell(journal.Mend, name, "what failed before has worked", nil)
		}
		a.Backoff, a.startEnded = 0, a.startEnded && a.again
		a.oneOffs = left.OneOffs
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

// stopDue stops what is due to retire. Nothing waits for it: meanwhile the route may have to
// change.
func (w *Controller) stopDue(ctx context.Context, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.app(name)
	if a.stopping {
		return
	}
	a.stopping = true
	w.Wg.Go(func() {
		stopped := w.Server.StopDue(ctx, name, w.log)
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case stopped:
			a.Due, a.again = time.Now(), a.busy
		case a.waits && time.Now().Add(Tick).Before(a.Due):
			a.Due = time.Now().Add(Tick)
		}
		a.stopping, a.waits = false, false
	})
}

// tell records an event of the agent's.
func (w *Controller) tell(kind journal.Kind, name, text string, err error) {
	e := journal.Event{Event: kind, App: name, Text: text}
	if err != nil {
		e.Error = err.Error()
	}
	w.Server.Env.Tell(e, w.log)
}

// pack lets git pack the app's repository. It skips a locked app.
func (w *Controller) pack(ctx context.Context, name string) {
	l, ok, err := w.Server.Env.Store.TryLock(name, "packing the repository")
	if err != nil || !ok {
		return
	}
	defer l.Release()
	if _, err := os.Stat(w.Server.Env.Store.Dir(name)); errors.Is(err, fs.ErrNotExist) {
		return // it was destroyed or renamed in the meantime
	}
	if err := repo.Pack(ctx, w.Server.Env.Store.Dir(name)); err != nil {
		w.log.WithApp(name).Warn("%s", err)
	}
}

// lostClient reports whether the client of an attached one-off container has ended. The
// engine sends no event about that.
func (a *Watched) lostClient() bool {
	return slices.ContainsFunc(a.oneOffs, func(i engine.Instance) bool {
		return i.Attached && !proc.ParseOwner(i.Client).Alive()
	})
}

// next returns the time of the next look without any event: the next deadline of a
// retiring or one-off container, the time at which restarts are forgotten, or after
// sweepEvery.
func (w *Controller) next(name string, left agent.Left) time.Time {
	next := time.Now().Add(sweepEvery)
	if left.Settles {
		next = time.Now().Add(settleEvery)
	}
	if at := left.NextReset; !at.IsZero() && at.Before(next) {
		next = at
	}
	for _, i := range left.OneOffs {
		due := i.Deadline
		if i.Kind == engine.KindCron && !due.IsZero() {
			due = due.Add(plan.CronGrace)
		}
		if !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	st, err := w.Server.Env.Store.State(name)
	if err != nil {
		return next
	}
	a, now := w.app(name), time.Now()
	for _, due := range st.Retiring {
		if a.stopping && due.Before(now) {
			a.waits = true
		} else if due.Before(next) {
			next = due
		}
	}
	return next
}
