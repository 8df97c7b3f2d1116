package agent

import (
	"context"

	"dokku/agent/deploy"
	"dokku/agent/event"
)

// Prepare does everything in a push that can fail, so that git moves the ref only
// when the release is ready to serve. After an error nothing is left of the attempt.
// A push without the deploy branch does nothing.
func (s *Server) Prepare(ctx context.Context, p deploy.Push, log event.Log) error {
	// A push to a locked app fails at once: it does not wait for a running operation.
	if a, err := s.Env.Store.Load(p.App); err == nil && a.State.Locked {
		return deploy.LockedError(p.App)
	}
	return s.Env.With(ctx, p.App, deploy.Op{Name: "a push"}, log, func(x *deploy.Session) error { return x.Prepare(ctx, p) })
}
