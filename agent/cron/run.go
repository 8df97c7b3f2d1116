package cron

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/oneoff"
	"dokku/agent/proc"
	"dokku/scale"
)

// BusyError says that a task still runs whose concurrency policy is forbid. The text is
// Dokku's.
type BusyError struct{ App, ID string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s currently has a cron lock in place for %s. Exiting...", e.App, e.ID)
}

// errUnscheduled says that the task is not one of the current release, or in maintenance.
var errUnscheduled = errors.New("the task is not scheduled any more")

// A Request is a run that a person asks for.
type Request struct {
	Task app.CronTask
	TTL  time.Duration
	By   string
}

// RunDetached starts a run and returns its container. The agent waits for its end.
func RunDetached(ctx context.Context, s *agent.Server, name string, q Request, log event.Log) (engine.Instance, error) {
	r, err := claim(s, name, q, false)
	if err != nil {
		return engine.Instance{}, err
	}
	i, err := start(ctx, s, name, r, q, log, nil)
	if err != nil {
		return i, errors.Join(err, unfinished(s, name, r, err))
	}
	return i, nil
}

// RunAttached runs a task to its end, with the streams of its caller.
func RunAttached(ctx context.Context, s *agent.Server, name string, q Request, st engine.Streams, log event.Log) (engine.Instance, error) {
	r, err := claim(s, name, q, true)
	if err != nil {
		return engine.Instance{}, err
	}
	kept := &tail{}
	st.Stdout, st.Stderr = io.MultiWriter(st.Stdout, kept), io.MultiWriter(st.Stderr, kept)
	last, err := start(ctx, s, name, r, q, log, &st)
	if err == nil {
		cut(s, name, r)
		finish(r, last, time.Now())
		err = s.Env.Store.SaveRunLog(name, r.ID, kept.bytes())
		return last, errors.Join(err, s.Env.Store.SaveRun(name, r))
	}
	s.Env.Store.SaveRunLog(name, r.ID, kept.bytes())
	return last, errors.Join(err, unfinished(s, name, r, err))
}

// claim records a run that a person asks for.
func claim(s *agent.Server, name string, q Request, attached bool) (*app.CronRun, error) {
	self, err := proc.This()
	if err != nil {
		return nil, err
	}
	r := app.NewCronRun(q.Task, time.Time{}, time.Now(), strings.ToLower(rand.Text()[:6]))
	r.By, r.Owner, r.Attached = q.By, self, attached
	_, err = s.Env.Store.ClaimRun(name, r)
	return r, err
}

// unfinished records that a run has ended without an exit code.
func unfinished(s *agent.Server, name string, r *app.CronRun, cause error) error {
	var busy *BusyError
	r.Ended, r.Outcome, r.Error = time.Now().UTC(), app.RunNotStarted, event.OneLine(cause.Error())
	switch {
	case errors.As(cause, &busy):
		r.Outcome, r.Error = app.RunSkipped, "the run before it has not ended"
	case errors.Is(cause, errUnscheduled):
		r.Outcome = app.RunSkipped
	case errors.Is(cause, context.Canceled), errors.Is(cause, context.DeadlineExceeded):
		r.Outcome = app.RunInterrupted
	}
	return s.Env.Store.SaveRun(name, r)
}

// cut takes over who has stopped a run, as others have recorded it.
func cut(s *agent.Server, name string, r *app.CronRun) {
	if now, err := s.Env.Store.Run(name, r.ID); err == nil {
		r.Replaced, r.Stopped = now.Replaced, now.Stopped
	}
}

// Stop stops a run that goes on. It is recorded first, so that nobody takes the end of the
// container for a failure.
func Stop(ctx context.Context, s *agent.Server, name string, r *app.CronRun) error {
	v, err := s.View(name)
	if err != nil {
		return err
	}
	host, err := s.Env.Engine(v.Settings)
	if err != nil {
		return err
	}
	o, err := deploy.Observe(ctx, host, v.App)
	if err != nil {
		return err
	}
	for _, i := range o.Instances {
		if i.Kind != engine.KindCron || i.CronRun != r.ID || !i.Running() {
			continue
		}
		now, err := s.Env.Store.Run(name, r.ID)
		if err != nil {
			return err
		}
		if !now.Over() {
			now.Stopped = true
			if err := s.Env.Store.SaveRun(name, now); err != nil {
				return err
			}
		}
		return host.Stop(ctx, i.ID, v.Grace())
	}
	return ErrNotRunning
}

// ErrNotRunning says that the container of a run does not run.
var ErrNotRunning = errors.New("it does not run")

// finish fills in how a container ended.
func finish(r *app.CronRun, last engine.Instance, now time.Time) {
	r.Ended, r.ExitCode, r.OOMKilled, r.Release = now.UTC(), last.ExitCode, last.OOMKilled, last.Release
	switch {
	case r.Replaced:
		r.Outcome = app.RunReplaced
	case r.Stopped:
		r.Outcome = app.RunStopped
	case last.ExitCode != 0 || last.OOMKilled:
		r.Outcome = app.RunFailed
	default:
		r.Outcome = app.RunDone
	}
}

// start starts the container of a claimed run, of the release that is current then. With
// streams it returns at the container's end.
func start(ctx context.Context, s *agent.Server, name string, r *app.CronRun, q Request, log event.Log, st *engine.Streams) (i engine.Instance, err error) {
	for range 3 { // a deploy may replace the release meanwhile
		if i, err = startIn(ctx, s, name, r, q, log, st); !errors.Is(err, oneoff.ErrReplaced) {
			break
		}
	}
	return i, err
}

func startIn(ctx context.Context, s *agent.Server, name string, r *app.CronRun, q Request, log event.Log, st *engine.Streams) (engine.Instance, error) {
	v, err := s.View(name)
	if err != nil {
		return engine.Instance{}, err
	}
	t, ok := byKey(v, r.Key)
	if !ok || !r.Minute.IsZero() && !t.Runs() {
		return engine.Instance{}, errUnscheduled
	}
	free := func() {}
	if t.Policy != scale.PolicyAllow {
		if free, err = alone(ctx, s, v, t, log); err != nil {
			return engine.Instance{}, err
		}
	}
	defer func() { free() }()
	env := (&app.Release{Config: v.Config(), Revision: v.Current.Revision, RevEnvVar: v.Current.RevEnvVar}).Environment(app.Process{Type: "cron"})
	words, err := scale.CronWords(t.Command, env)
	if err != nil {
		return engine.Instance{}, err
	}
	o := oneoff.OneOff{Words: words, TTL: q.TTL, By: q.By,
		Cron: &oneoff.Cron{ID: t.ID, Policy: string(t.Policy), Run: r.ID, Release: v.Current.Number}}
	if st == nil {
		return oneoff.RunDetached(ctx, s, name, o, log)
	}
	streams, begun := *st, st.Started
	streams.Started = func(i engine.Instance) {
		free()
		free = func() {}
		if begun != nil {
			begun(i)
		}
	}
	o.TTY = st.TTY
	return oneoff.RunAttached(ctx, s, name, o, streams, log)
}

// byKey returns the task of the current release with a key.
func byKey(v app.View, key string) (app.CronTask, bool) {
	for _, t := range v.CronTasks() {
		if t.Key == key {
			return t, true
		}
	}
	return app.CronTask{}, false
}

// alone waits for the other starters of the app's tasks, and then does what the policy of a
// task asks for while it runs. The caller calls free once its container runs.
func alone(ctx context.Context, s *agent.Server, v app.View, t app.CronTask, log event.Log) (free func(), err error) {
	l, err := s.Env.Store.LockApp(ctx, "_cron-"+v.Name, "starting a cron task", log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.Release()
		}
	}()
	host, err := s.Env.Engine(v.Settings)
	if err != nil {
		return nil, err
	}
	o, err := deploy.Observe(ctx, host, v.App)
	if err != nil {
		return nil, err
	}
	for _, i := range o.Instances {
		if i.Kind != engine.KindCron || !i.Running() || app.RunKey(i.CronRun) != t.Key {
			continue
		}
		if t.Policy == scale.PolicyForbid {
			return nil, &BusyError{v.Name, t.ID}
		}
		log.Warn("Replacing running container for %s", t.ID)
		if old, err := s.Env.Store.Run(v.Name, i.CronRun); err == nil && !old.Over() {
			old.Replaced = true
			if err := s.Env.Store.SaveRun(v.Name, old); err != nil {
				return nil, err
			}
		}
		if err := host.Stop(ctx, i.ID, v.Grace()); err != nil {
			return nil, err
		}
	}
	return l.Release, nil
}
