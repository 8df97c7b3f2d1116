package agent

import (
	"context"
	"dokku/agent/event"
)

// Prepare does everything of a push that can fail, so that git moves the ref
// only when the release is ready to serve. On error nothing is left of the
// attempt. A push of no ref that deploys does nothing.
func (s *Server) Prepare(ctx context.Context, p Push, log event.Log) error {
	// A push to a locked app is not to wait for whoever is at work there.
	if a, err := s.Store.Load(p.App); err == nil && a.State.Locked {
		return lockedError(p.App)
	}
	return s.with(ctx, p.App, Op{Name: "a push"}, log, func(x *session) error { return x.prepare(ctx, p) })
}
