package cron

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/oneoff"
	"dokku/agent/proc"
	"dokku/agent/store"
	"dokku/scale"
)

const (
	// clockBack is how far a clock may be set back so that tasks wait for it: see doc.go.
	clockBack = 3 * time.Hour
	// mostMissed bounds the count of missed runs.
	mostMissed = 10_000
	// adoptPause is the interval at which runs are looked at that somebody else began.
	adoptPause = 5 * time.Second
	// restPause is the interval without any, and after a failed look.
	restPause = time.Minute
	// prunePause is the interval at which old records are removed. The end of a run removes
	// them too, but tasks that never start leave a record each minute.
	prunePause = time.Hour
)

// A Scheduler runs the tasks of all apps that are due. Its loss costs nothing: the files
// have all that counts. Only one goroutine calls Look.
type Scheduler struct {
	Server *agent.Server
	Log    event.Log
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Sendmail is the program that sends mail; "": the server's.
	Sendmail string

	apps map[string]*schedule
	wg   sync.WaitGroup

	mu sync.Mutex
	// follows has the runs that this scheduler waits for, by ID and task: the app of each, and
	// the key of its task.
	follows map[string]followed
}

type followed struct{ app, key string }

// schedule is what a scheduler knows about an app.
type schedule struct {
	stamp string // of the files at the last look
	// looked is the last look: all that was due then is handled.
	looked time.Time
	pruned time.Time // when its records of runs were last looked through for old ones
	view   app.View
	tasks  []*timed
	runs   string    // the folder of runs at the last look
	adopt  time.Time // when to look for runs of others
	pause  time.Time // when to read its files again after a failure
	swept  bool      // what a former agent left is followed or removed
}

// timed is a task that runs when it is due.
type timed struct {
	app.CronTask
	mark time.Time // the last minute that was handled, or since when it is scheduled
	next time.Time
}

func (s *Scheduler) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// Run looks at each tick until ctx is done. The runs that are under way go on then.
func (s *Scheduler) Run(ctx context.Context, tick time.Duration) {
	t := time.NewTicker(tick)
	defer t.Stop()
	defer s.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.Look(ctx)
		}
	}
}

// Wait waits until no run is followed any more.
func (s *Scheduler) Wait() { s.wg.Wait() }

// Look starts what is due, and follows the runs that others began.
func (s *Scheduler) Look(ctx context.Context) {
	names, err := s.Server.Env.Store.Apps()
	if err != nil {
		return // the agent's loop says so
	}
	apps := map[string]*schedule{}
	for _, name := range names {
		a := s.apps[name]
		if a == nil {
			a = &schedule{adopt: s.now()}
		}
		apps[name] = a
		if now := s.now(); over(a.pause, now) {
			s.lookAt(ctx, name, a, now)
		}
	}
	s.apps = apps
}

// over reports whether a pause until a time is over. A clock that was set back prolongs none.
func over(until, now time.Time) bool { return !now.Before(until) || until.Sub(now) > restPause }

// warn logs an error about an app's tasks. An app that was just destroyed is none.
func (s *Scheduler) warn(ctx context.Context, name string, err error) {
	var none *app.NoAppError
	if err != nil && ctx.Err() == nil && !errors.As(err, &none) {
		s.Log.WithApp(name).Warn("cron tasks of %s: %s", name, err)
	}
}

func (s *Scheduler) lookAt(ctx context.Context, name string, a *schedule, now time.Time) {
	st := s.Server.Env.Store
	if stamp := modified(st.File(name, "state.json")) + modified(st.Own("server.json")); stamp != a.stamp {
		if err := s.read(name, a, now); err != nil {
			s.warn(ctx, name, err)
			a.pause = now.Add(restPause)
			return
		}
		a.stamp = stamp
	}
	if changed := modified(st.File(name, store.CronDir)); changed != a.runs {
		a.runs, a.adopt = changed, now
	}
	if over(a.adopt, now) {
		again, err := s.adoptRuns(ctx, name, a.swept)
		if a.adopt = now.Add(restPause); err == nil && again {
			a.adopt = now.Add(adoptPause)
		}
		s.warn(ctx, name, err)
		a.swept = a.swept || err == nil
	}
	if since := now.Sub(a.pruned); since >= prunePause || since < 0 {
		a.pruned = now
		s.warn(ctx, name, st.PruneRuns(name))
	}
	for _, t := range a.tasks {
		s.warn(ctx, name, s.due(ctx, name, a, t, now))
	}
	a.looked = now
}

// modified returns a text that differs once a file or a folder has changed.
func modified(path string) string {
	fi, err := os.Stat(path)
	if err != nil {
		return ""
	}
	node := uint64(0)
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		node = st.Ino
	}
	return fmt.Sprintf("%d/%d/%d ", fi.ModTime().UnixNano(), node, fi.Size())
}

// read reads the app's tasks, and what was handled of them.
func (s *Scheduler) read(name string, a *schedule, now time.Time) error {
	v, err := s.Server.View(name)
	if err != nil {
		return err
	}
	runs, err := s.Server.Env.Store.Runs(name)
	if err != nil {
		return err
	}
	last, err := s.Server.Env.Store.CronSince(name)
	if err != nil {
		return err
	}
	marks := map[string]time.Time{}
	mark := func(key string, at time.Time) {
		if at.After(marks[key]) && at.Sub(now) <= clockBack {
			marks[key] = at
		}
	}
	for _, r := range runs {
		mark(r.Key, r.Minute)
	}
	for _, t := range a.tasks {
		mark(t.Key, t.mark)
		mark(t.Key, a.looked)
	}
	since := app.CronSince{Version: last.Version, Zone: v.CronZone().String(), Since: map[string]time.Time{}}
	a.view, a.tasks = v, nil
	for _, task := range v.CronTasks() {
		if !task.Runs() || v.State.Destroying {
			continue
		}
		begun, known := last.Since[task.Key]
		if !known || last.Zone != since.Zone || begun.Sub(now) > clockBack {
			begun = now.UTC()
		}
		since.Since[task.Key] = begun
		t := &timed{CronTask: task, mark: marks[task.Key]}
		if begun.After(t.mark) {
			t.mark = begun
		}
		t.next = task.When.Next(t.mark, v.CronZone())
		a.tasks = append(a.tasks, t)
	}
	if since.Same(last) || len(since.Since)+len(last.Since) == 0 {
		return nil
	}
	return s.Server.Env.Store.SaveCronSince(name, since)
}

// due runs a task that is due, and records what was missed of it.
func (s *Scheduler) due(ctx context.Context, name string, a *schedule, t *timed, now time.Time) error {
	zone := a.view.CronZone()
	if back := t.mark.Sub(now); back > clockBack {
		s.tell(name, fmt.Sprintf("the clock was set back by %s: %s goes on from now", back.Round(time.Minute), t.Command), nil)
		t.mark = now
		t.next = t.When.Next(now, zone)
	}
	if t.next.IsZero() || now.Before(t.next) {
		return nil
	}
	minute, missed, before := t.next, 0, time.Time{}
	for n := t.When.Next(minute, zone); !n.IsZero() && !n.After(now) && missed < mostMissed; n = t.When.Next(n, zone) {
		before, minute = minute, n
		missed++
	}
	if now.Sub(minute) >= time.Minute {
		before = minute
		missed++
		minute = time.Time{}
		t.mark = now
	} else {
		t.mark = minute
	}
	t.next = t.When.Next(t.mark, zone)
	if missed > 0 {
		if err := s.missed(name, t, before, missed, now); err != nil {
			return err
		}
	}
	if minute.IsZero() {
		return nil
	}
	return s.begin(ctx, name, a.view, t, minute, now)
}

// missed records runs that did not take place.
func (s *Scheduler) missed(name string, t *timed, minute time.Time, count int, now time.Time) error {
	r := app.NewCronRun(t.CronTask, minute, now, "")
	r.Outcome, r.Missed, r.Ended = app.RunMissed, count, now.UTC()
	free, err := s.Server.Env.Store.ClaimRun(name, r)
	if free {
		s.tellRun(name, r)
	}
	return err
}

// begin runs a task, unless the minute has a record.
func (s *Scheduler) begin(ctx context.Context, name string, view app.View, t *timed, minute, now time.Time) error {
	r := app.NewCronRun(t.CronTask, minute, now, "")
	var err error
	if r.Owner, err = proc.This(); err != nil {
		return err
	}
	r.By = "agent"
	full := s.room(view, t)
	if !s.follow(name, r) {
		return nil
	}
	if full != nil {
		defer s.unfollow(r)
		r.Outcome, r.Error, r.Ended = app.RunNotStarted, full.Error(), now.UTC()
		free, err := s.Server.Env.Store.ClaimRun(name, r)
		if free {
			s.tellRun(name, r)
		}
		return err
	}
	free, err := s.Server.Env.Store.ClaimRun(name, r)
	if err != nil || !free {
		s.unfollow(r)
		if err != nil {
			s.tell(name, r.Command+" was not started", err)
		}
		return err
	}
	s.wg.Go(func() {
		defer s.unfollow(r)
		i, err := start(ctx, s.Server, name, r, Request{TTL: app.CronTTL, By: r.By}, s.Log.WithApp(name), nil)
		if err == nil {
			s.await(ctx, name, i, r)
			return
		}
		if ctx.Err() != nil {
			return // the next agent finds out what became of it
		}
		if err := unfinished(s.Server, name, r, err); err != nil {
			s.Log.WithApp(name).Warn("cannot record a run of %s: %s", r.Command, err)
		}
		s.tellRun(name, r)
	})
	return nil
}

// follow claims a run for a goroutine of this scheduler.
func (s *Scheduler) follow(name string, r *app.CronRun) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.follows == nil {
		s.follows = map[string]followed{}
	}
	key := r.ID + " " + r.Task
	_, was := s.follows[key]
	s.follows[key] = followed{name, r.Key}
	return !was
}

// room returns an error if as many runs go on as may. The runs that a task replaces do not
// count. Whoever starts a container looks at the engine too (package oneoff), but would not
// see those that begin in the same minute.
func (s *Scheduler) room(v app.View, t *timed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	own, all := 0, 0
	for _, f := range s.follows {
		if f.app == v.Name && f.key == t.Key && t.Policy == scale.PolicyReplace {
			continue
		}
		if all++; f.app == v.Name {
			own++
		}
	}
	return oneoff.Room(v, own, all)
}

func (s *Scheduler) unfollow(r *app.CronRun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.follows, r.ID+" "+r.Task)
}

func (s *Scheduler) following(r *app.CronRun) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, is := s.follows[r.ID+" "+r.Task]
	return is
}

// tellRun records an event about a run that somebody should look at.
func (s *Scheduler) tellRun(name string, r *app.CronRun) {
	if r.Failed() {
		s.tell(name, r.Command, errors.New(r.Text()))
	}
}

func (s *Scheduler) tell(name, text string, err error) {
	e := journal.Event{Event: journal.Cron, App: s.Server.Env.Store.Present(name), Text: text}
	if err != nil {
		e.Error = err.Error()
	}
	s.Server.Env.Tell(e, s.Log)
}
