package agent

import (
	"context"
	"errors"
	"fmt"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/firewall"
)

// SetIsolation isolates an app's containers from the host and other apps, or gives them the
// rights and limits of the engine's defaults again. A running app gets new containers, gated
// like a restart: they start beside the old ones, and if they do not pass their checks, nothing
// has changed.
func (s *Server) SetIsolation(ctx context.Context, name string, on bool, log event.Log) error {
	op, to := "isolation:enable", app.IsolationNow
	if !on {
		op, to = "isolation:disable", app.IsolationOff
	}
	return s.Env.With(ctx, name, deploy.Op{Name: op}, log, func(x *deploy.Session) error {
		if x.State.Isolation == to {
			return nil
		}
		apply := func(st *app.State) { st.Isolation = to }
		next := x.State.Clone()
		apply(&next)
		v := x.View().With(next)
		// A stopped app would find out at its next start only.
		if err := v.CheckContainers(v.ContainerOptions()); err != nil {
			return err
		}
		return configure(ctx, x, op, true, log, apply)
	})
}

// SetHostAccess changes what an app's containers reach of the host: app.NetworkHostPorts and
// app.NetworkMetadata. It takes effect at once; "" closes.
func (s *Server) SetHostAccess(ctx context.Context, name, property, value string, log event.Log) error {
	err := s.Update(ctx, name, deploy.Op{Name: "network:set"}, log, func(st *app.State) error {
		if value == "" {
			delete(st.Network, property)
			return nil
		}
		if st.Network == nil {
			st.Network = map[string]string{}
		}
		st.Network[property] = value
		return nil
	})
	if err != nil {
		return err
	}
	err = s.Filter(ctx, false)
	if errors.Is(err, firewall.ErrMissing) || errors.Is(err, engine.ErrUnreachable) {
		return nil // nothing is closed, or nothing runs
	}
	if err != nil {
		return fmt.Errorf("the change of %s is stored, but the firewall does not follow yet; the agent will retry: %w", property, err)
	}
	return nil
}
