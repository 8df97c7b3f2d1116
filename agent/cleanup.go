package agent

import (
	"context"
	"errors"

	"dokku/agent/deploy"
	"dokku/agent/event"
)

// Cleanup removes and prints the ended containers of an app, one-off containers too,
// and the images that no kept release uses. An app of "" means all apps. It touches
// only resources with this server's labels; the engine's build cache has none.
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

// PurgeCache removes what the builds of an app keep for the next one: the volumes of
// buildpacks. A Dockerfile's steps are in the engine's build cache, which all apps share.
func (s *Server) PurgeCache(ctx context.Context, app string, log event.Log) error {
	return s.Env.With(ctx, app, deploy.Op{Name: "repo:purge-cache"}, log, func(x *deploy.Session) error { return x.PurgeCache(ctx) })
}
