package agent

import (
	"context"

	"dokku/agent/app"
	"dokku/agent/event"
)

// RunChecks runs the app's checks against its running processes: those that match an
// element of only ("web" or "web.1"), or all if there is none.
func (s *Server) RunChecks(ctx context.Context, name string, only []string, log event.Log) error {
	a, err := s.View(name)
	if err != nil {
		return err
	}
	if a.Current == nil {
		return &app.NotDeployedError{App: name}
	}
	return s.Env.Check(ctx, a, only, log)
}
