package cron

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/proc"
)

// retryPause is the first pause after a failed call of the engine.
const retryPause = 5 * time.Second

// await waits for the end of a run's container, keeps its log, records how it ended, and
// removes it. A run that is over in the record alone is cleaned up by adoptRuns.
func (s *Scheduler) await(ctx context.Context, name string, i engine.Instance, r *app.CronRun) {
	for pause := retryPause; ctx.Err() == nil; pause = min(2*pause, restPause) {
		host, err := s.Server.Host()
		if err == nil {
			err = s.end(ctx, host, name, i, r)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		s.Log.WithApp(name).Warn("cannot wait for the end of the cron task %s: %s", r.Command, err)
		engine.Pause(ctx, pause)
	}
}

// end is await without a second try.
func (s *Scheduler) end(ctx context.Context, host engine.Host, name string, i engine.Instance, r *app.CronRun) error {
	late, cancel := context.WithDeadline(ctx, i.Deadline)
	last, err := host.Wait(late, i.ID)
	timedOut := late.Err() != nil && ctx.Err() == nil
	cancel()
	if timedOut {
		v, verr := s.Server.View(s.Server.Env.Store.Present(name))
		grace := 30 * time.Second
		if verr == nil {
			grace = v.Grace()
		}
		if err = host.Stop(ctx, i.ID, grace); err == nil {
			last, err = host.Wait(ctx, i.ID)
		}
	}
	kept := &tail{}
	switch {
	case errors.Is(err, engine.ErrNoContainer):
		return s.lost(name, r)
	case err != nil:
		return err
	}
	if err := host.Logs(ctx, i.ID, engine.LogOptions{Tail: logLines}, kept); err != nil && !errors.Is(err, engine.ErrNoContainer) {
		return err
	}
	last.Release = i.Release
	name = s.Server.Env.Store.Present(name)
	cut(s.Server, name, r)
	finish(r, last, time.Now())
	if timedOut {
		r.Outcome = app.RunTimedOut
	}
	if err := s.record(name, r, kept.bytes()); err != nil {
		return err
	}
	if err := host.Remove(ctx, engine.Resource{Kind: engine.Container, ID: i.ID}); err != nil {
		return err
	}
	s.tellRun(name, r)
	s.mail(ctx, name, r, kept.bytes())
	return s.Server.Env.Store.PruneRuns(name)
}

// record stores the end of a run. One of an app that was destroyed meanwhile is forgotten.
func (s *Scheduler) record(name string, r *app.CronRun, log []byte) error {
	err := s.Server.Env.Store.SaveRunLog(name, r.ID, log)
	if err == nil {
		err = s.Server.Env.Store.SaveRun(name, r)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// lost records that the container of a run is gone without a trace. Whoever ends a run records
// that before it removes the container: of one that has ended since r was read, the record
// stays.
func (s *Scheduler) lost(name string, r *app.CronRun) error {
	name = s.Server.Env.Store.Present(name)
	if now, err := s.Server.Env.Store.Run(name, r.ID); err == nil && now.Over() {
		return nil
	}
	r.Outcome, r.Ended = app.RunInterrupted, s.now().UTC()
	err := s.Server.Env.Store.SaveRun(name, r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the app was destroyed
	}
	if err == nil {
		s.tellRun(name, r)
	}
	return err
}

// adoptRuns follows the runs that others have begun: cron:run, and an agent that has ended.
// It records those of which nothing is left, and removes the containers of those that are
// over. again: some have to be looked at later. swept: this was done before, and only runs
// that go on are of interest.
func (s *Scheduler) adoptRuns(ctx context.Context, name string, swept bool) (again bool, err error) {
	runs, err := s.Server.Env.Store.Runs(name)
	if err != nil || len(runs) == 0 {
		return false, err
	}
	self, err := proc.This()
	if err != nil {
		return false, err
	}
	open, alive := map[string]*app.CronRun{}, map[string]bool{}
	for _, r := range runs {
		if !r.Over() && !s.following(r) {
			open[r.ID] = r
			// A scheduled run of this process is one of its schedulers that has ended.
			alive[r.ID] = (r.Minute.IsZero() || r.Owner != self) && r.Owner.Alive()
		}
	}
	if len(open) == 0 && swept {
		return false, nil
	}
	a, err := s.Server.Load(name)
	if err != nil || a.Current == nil {
		return false, err
	}
	host, err := s.Server.Host()
	if err != nil {
		return false, err
	}
	o, err := deploy.Observe(ctx, host, a)
	if err != nil {
		return false, err
	}
	for _, i := range o.Instances {
		if i.Kind != engine.KindCron {
			continue
		}
		r := open[i.CronRun]
		delete(open, i.CronRun)
		switch {
		case r == nil:
			err = errors.Join(err, s.sweep(ctx, host, name, i))
		case i.Attached || i.Status == engine.StatusCreated && alive[r.ID]:
			again = true // its client is about to start it, or waits for it, or the agent's loop removes it
		case i.Status == engine.StatusCreated:
			err = errors.Join(err, host.Remove(ctx, engine.Resource{Kind: engine.Container, ID: i.ID}), s.lost(name, r))
		case s.follow(name, r):
			s.wg.Go(func() {
				defer s.unfollow(r)
				s.await(ctx, name, i, r)
			})
		}
	}
	for _, r := range open {
		if alive[r.ID] {
			again = true
			continue
		}
		err = errors.Join(err, s.lost(name, r))
	}
	return again, err
}

// sweep removes a container whose run is over. It leaves one alone that is followed, or that
// was started since the records were read.
func (s *Scheduler) sweep(ctx context.Context, host engine.Host, name string, i engine.Instance) error {
	r, err := s.Server.Env.Store.Run(name, i.CronRun)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !r.Over() || s.following(r) || i.Attached:
		return nil
	}
	if i.Running() {
		if err := host.Stop(ctx, i.ID, 30*time.Second); err != nil {
			return err
		}
	}
	return host.Remove(ctx, engine.Resource{Kind: engine.Container, ID: i.ID})
}

// printable is a log without what a terminal would act on.
func printable(log []byte) string { return event.PrintableLines(string(bytes.TrimSpace(log))) }
