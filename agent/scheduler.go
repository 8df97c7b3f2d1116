package agent

import (
	"context"
	"fmt"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// SetScheduler sets the scheduler of an app, app.SchedulerLocal or app.SchedulerSwarm; "" is the
// server's. A running app moves at once, gated like a restart, unless restart is false: new
// processes start beside the old ones, and the proxy switches once they have passed their
// checks. If they do not, nothing has changed.
func (s *Server) SetScheduler(ctx context.Context, name, value string, restart bool, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "scheduler:set"}, log, func(x *deploy.Session) error {
		apply := func(st *app.State) {
			st.Scheduler = app.Merged(st.Scheduler, map[string]string{app.PropScheduler: value})
			if value == "" {
				delete(st.Scheduler, app.PropScheduler)
			}
		}
		next := x.State.Clone()
		apply(&next)
		v := x.View().With(next)
		onSwarm := v.Scheduler() == app.SchedulerSwarm
		if onSwarm {
			if err := s.CheckSwarm(ctx, x.Settings); err != nil {
				return err
			}
		}
		moves := x.Current != nil && onSwarm != x.Current.OnSwarm()
		switch {
		case moves && !x.State.Stopped && restart:
			log.Step("Moving app %s to %s", name, v.Scheduler())
			return x.Restart(ctx, "scheduler:set", nil, apply)
		case moves:
			log.Step("%s runs by %s from its next deploy or start on", name, v.Scheduler())
		}
		if onSwarm && !v.HasRegistry() {
			log.Warn("%s", deploy.NoRegistryError(name))
		}
		x.Change(apply)
		return x.Save()
	})
}

// CheckSwarm returns an error, with what helps, unless this server can have a swarm run
// processes.
func (s *Server) CheckSwarm(ctx context.Context, set app.Settings) error {
	host, err := s.Env.Engine(set)
	if err == nil {
		err = deploy.Manages(ctx, host)
	}
	if err != nil {
		return fmt.Errorf("cannot select %s: %w", app.SchedulerSwarm, err)
	}
	return nil
}
