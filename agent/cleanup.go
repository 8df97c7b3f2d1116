package agent

import (
	"context"
	"errors"

	"dokku/agent/deploy"
	"dokku/agent/event"
)

// Cleanup removes what the app, or with "" any app of this server, no longer
// needs: containers that have ended, one-off ones too, and images that no kept
// release runs. It touches nothing that carries another label, nor the engine's
// build cache, which carries none. What it has removed is printed.
func (s *Server) Cleanup(ctx context.Context, app string, log event.Log) error {
	apps := []string{app}
	if app == "" {
		var err error
		if apps, err = s.Env.Store.Apps(); err != nil {
			return err
		}
	}
	var errs []error
	for _, name := range apps {
		errs = append(errs, s.Env.With(ctx, name, deploy.Op{Name: "cleanup"}, log, func(x *deploy.Session) error { return x.Cleanup(ctx) }))
	}
	return errors.Join(errs...)
}
