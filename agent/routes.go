package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

// SetRoutes changes the server's settings of the proxy, for the command op, of which all apps' routes are
// made, and publishes the routes. Settings that the proxy refuses are not stored: it
// tests the first app's route with them, and everything in Refresh.
func (s *Server) SetRoutes(ctx context.Context, op string, log event.Log, change func(*app.Settings)) error {
	before, err := s.Env.Store.Settings()
	if err != nil {
		return err
	}
	after := before
	after.Nginx.Properties = maps.Clone(before.Nginx.Properties)
	change(&after)
	if err := s.tryRoute(ctx, after); err != nil {
		return err
	}
	if err := s.Env.Proxy(after).Refresh(ctx); err != nil {
		return err
	}
	store := func(set *app.Settings) error {
		change(set)
		return nil
	}
	if err := s.Env.Store.UpdateSettings(ctx, store); err != nil {
		return errors.Join(err, s.Env.Proxy(before).Refresh(ctx))
	}
	if after, err = s.Env.Store.Settings(); err != nil {
		return err
	}
	return s.publish(ctx, deploy.Op{Name: op, Changes: deploy.ChangesRoute}, log, func(a *app.App) (bool, error) {
		return s.Env.RouteChanges(ctx, app.View{App: a, Settings: after})
	})
}

// PublishRoute writes the configuration of the app's route again and has the proxy take it.
// It does nothing for an app that is not deployed.
func (s *Server) PublishRoute(ctx context.Context, name string, log event.Log) error {
	a, err := s.Env.Store.Load(name)
	if err != nil || !a.Served() {
		return err
	}
	same := func(*app.State) error { return nil }
	return s.Update(ctx, name, deploy.Op{Name: "proxy:build-config", Changes: deploy.ChangesRoute}, log, same)
}

// tryRoute tests the first route with other settings.
func (s *Server) tryRoute(ctx context.Context, set app.Settings) error {
	apps, err := s.Env.Store.Apps()
	if err != nil {
		return err
	}
	for _, name := range apps {
		a, err := s.Env.Store.Load(name)
		if err != nil {
			return err
		}
		if a.Served() && !a.State.ProxyDisabled {
			return s.Env.StageLive(ctx, app.View{App: a, Settings: set})
		}
	}
	return nil
}

// publish publishes the routes of the deployed apps for which wanted is true, each under
// its lock.
func (s *Server) publish(ctx context.Context, op deploy.Op, log event.Log, wanted func(*app.App) (bool, error)) error {
	apps, err := s.Env.Store.Apps()
	if err != nil {
		return err
	}
	for _, name := range apps {
		a, err := s.Env.Store.Load(name)
		if err != nil {
			return err
		}
		if !a.Served() {
			continue
		}
		ok, err := wanted(a)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		same := func(*app.State) error { return nil }
		if err := s.Update(ctx, name, op, log.WithApp(name), same); err != nil {
			return fmt.Errorf("%s is stored, but the route of %s is not: %w", op.Name, name, err)
		}
	}
	return nil
}

// Inspector returns the proxy as something that people can look into.
func (s *Server) Inspector(set app.Settings) (proxy.Inspector, error) {
	px, ok := s.Env.Proxy(set).(proxy.Inspector)
	if !ok {
		return nil, errors.New("this proxy has no configuration to show")
	}
	return px, nil
}
