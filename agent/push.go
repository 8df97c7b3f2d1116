package agent

import (
	"context"
	"errors"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// Prepare does everything in a push that can fail, so that git moves the ref only
// when the release is ready to serve. After an error nothing is left of the attempt.
// A push without the deploy branch does nothing.
func (s *Server) Prepare(ctx context.Context, p deploy.Push, log event.Log) error {
	// A push to a locked app fails at once: it does not wait for a running operation.
	if a, err := s.Env.Store.Load(p.App); err == nil && a.State.Locked && !p.Options.Plan {
		err := deploy.LockedError(p.App)
		s.Env.Refused(p, err, log)
		return err
	}
	if err := s.Env.CheckBudgets(ctx, p); err != nil {
		s.Env.Refused(p, err, log)
		return err
	}
	op := deploy.Op{Name: "a push", NoWait: p.Options.NoWait}
	if v, err := s.View(p.App); err == nil && p.Options.Cancel && deploy.Deploying(v, p) {
		op.Replaces = &app.Cancel{By: s.Env.By, Command: "git push -o cancel"}
	}
	logged := false
	turn, begun := s.Env.Turn(ctx, p, &op, log)
	err := s.Env.With(turn, p.App, op, log, func(x *deploy.Session) error {
		begun()
		err := x.Prepare(ctx, p)
		logged = x.Logged()
		return err
	})
	begun()
	var by *deploy.CancelledError
	if err != nil && !logged {
		if errors.As(context.Cause(turn), &by) {
			err = by
		}
		if overtaken := new(deploy.OvertakenError); !errors.As(err, &overtaken) { // its process pushes again
			s.Env.Refused(p, err, log)
		}
	}
	return err
}

// Detach judges a push that goes on without its pusher, and begins the record of its
// deploy. What goes on is package sources' part.
func (s *Server) Detach(ctx context.Context, p deploy.Push, log event.Log) (*app.Deploy, error) {
	if err := s.Env.CheckBudgets(ctx, p); err != nil {
		s.Env.Refused(p, err, log)
		return nil, err
	}
	d, err := s.Env.Detach(ctx, p, log)
	if err != nil {
		s.Env.Refused(p, err, log)
	}
	return d, err
}
