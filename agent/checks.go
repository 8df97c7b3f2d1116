package agent

import (
	"context"
	"dokku/agent/event"
)

// RunChecks runs the app's checks against the processes that run: those that
// match one of only, "web" or "web.1", or all of them.
func (s *Server) RunChecks(ctx context.Context, app string, only []string, log event.Log) error {
	a, err := s.View(app)
	if err != nil {
		return err
	}
	if a.Current == nil {
		return &NotDeployedError{app}
	}
	return s.Check(ctx, a, only, log)
}
