package deploy

import (
	"context"
	"errors"
	"fmt"

	"dokku/agent/app"
	"dokku/agent/services"
)

// checkLinks refuses links to services that do not exist.
func (e *Env) checkLinks(v app.View, links []app.Link) error {
	m := &services.Manager{Store: e.Store}
	for _, link := range links {
		k, err := m.Kind(link.Kind)
		if err == nil {
			_, err = m.Load(k, link.Name)
		}
		if none := new(services.NoServiceError); errors.As(err, &none) {
			return fmt.Errorf("%w, and %s is linked to it: make it with dokku %s:create %s, or unlink it with dokku %[3]s:unlink %[4]s %[2]s",
				err, v.Name, link.Kind, link.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// startLinks starts the services that an app needs and that do not run, and waits until they
// can be used: an app looks for its database first of all. A service that somebody has stopped
// stays so for the agent; a deploy or a start of the app starts it, as in Dokku.
// The processes of a swarm reach it over the service's overlay.
func (x *Session) startLinks(ctx context.Context, r *app.Release) error {
	if len(r.Links) == 0 {
		return nil
	}
	host, err := x.Env.Engine(x.Settings)
	if err != nil {
		return err
	}
	m := &services.Manager{Store: x.Env.Store, Host: host}
	var failed error
	for _, link := range r.Links {
		k, err := m.Kind(link.Kind)
		if err == nil {
			err = m.EnsureRunning(ctx, k, link.Name, !x.ByAgent, x.Log)
		}
		if err == nil && r.OnSwarm() {
			err = m.JoinOverlay(ctx, k, link.Name)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("cannot start %s: %w", link, err))
		}
	}
	return failed
}
