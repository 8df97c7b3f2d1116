package agent

import (
	"context"
	"fmt"
	"slices"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// SetPorts changes the app's own port mappings. change gets a copy of the present ones; an
// empty result means the default one. A different web port needs new processes, which are
// gated before the mappings are stored; a different host port takes effect at once. A
// host port that is taken is an error. op is the command's name.
func (s *Server) SetPorts(ctx context.Context, name, op string, log event.Log, change func([]app.PortMap) ([]app.PortMap, error)) error {
	return s.Env.With(ctx, name, deploy.Op{Name: op, Changes: deploy.ChangesRoute}, log, func(x *deploy.Session) error {
		want, err := s.wantedPorts(ctx, x.View(), change)
		if err != nil {
			return err
		}
		next := x.State.Clone()
		next.Ports = want
		if x.Current != nil && !x.State.Stopped && next.WebPort(x.Current.DetectedPort()) != x.Current.Port {
			log.Step("Restarting app %s", name)
			return x.Restart(ctx, op, nil, func(st *app.State) { st.Ports = want })
		}
		return x.Update(ctx, deploy.Op{Name: "ports:set", Changes: deploy.ChangesRoute}, func(st *app.State) error { st.Ports = want; return nil })
	})
}

// CheckPorts returns the error that SetPorts would return, as far as it shows without
// the app's lock. It changes nothing.
func (s *Server) CheckPorts(ctx context.Context, a *app.App, change func([]app.PortMap) ([]app.PortMap, error)) error {
	set, err := s.Env.Store.Settings()
	if err != nil {
		return err
	}
	_, err = s.wantedPorts(ctx, app.View{App: a, Settings: set}, change)
	return err
}

// wantedPorts applies change and returns the mappings sorted by host port. It refuses
// a host port that is mapped twice or taken.
func (s *Server) wantedPorts(ctx context.Context, v app.View, change func([]app.PortMap) ([]app.PortMap, error)) ([]app.PortMap, error) {
	want, err := change(slices.Clone(v.State.Ports))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(want, func(a, b app.PortMap) int { return a.Host - b.Host })
	for i := 1; i < len(want); i++ {
		if want[i].Host == want[i-1].Host {
			return nil, fmt.Errorf("Host port %d cannot be mapped twice (%s, %s)", want[i].Host, v.Shown(want[i-1]), v.Shown(want[i]))
		}
	}
	next := v.State.Clone()
	next.Ports = want
	if err := deploy.Reachable(v, v.With(next)); err != nil {
		return nil, err
	}
	for _, m := range want {
		if err := s.Env.PortTaken(ctx, v.Settings, m.Host); err != nil {
			return nil, err
		}
	}
	return want, nil
}
