package agent

import (
	"context"
	"fmt"
	"slices"

	"dokku/agent/event"
)

// SetPorts changes the app's port mappings: change gets what they are, and none
// means the default. Another web port needs new processes, which are gated
// before anything is stored; other ports of the host are there at once. What the
// host cannot listen on is refused first.
func (s *Server) SetPorts(ctx context.Context, app, what string, log event.Log, change func([]PortMap) ([]PortMap, error)) error {
	return s.with(ctx, app, Op{what, ChangesRoute}, log, func(x *session) error {
		want, err := s.wantedPorts(ctx, x.view(), change)
		if err != nil {
			return err
		}
		next := x.State.clone()
		next.Ports = want
		if x.Current != nil && !x.State.Stopped && next.webPort(x.Current.DetectedPort()) != x.Current.Port {
			log.Step("Restarting app %s", app)
			return x.restart(ctx, what, nil, func(st *State) { st.Ports = want })
		}
		return x.update(ctx, Op{"ports:set", ChangesRoute}, func(st *State) error { st.Ports = want; return nil })
	})
}

// CheckPorts returns the error that SetPorts would, as far as it can be known
// without the app's lock. It changes nothing.
func (s *Server) CheckPorts(ctx context.Context, a *App, change func([]PortMap) ([]PortMap, error)) error {
	set, err := s.Store.Settings()
	if err != nil {
		return err
	}
	_, err = s.wantedPorts(ctx, View{a, set}, change)
	return err
}

// wantedPorts applies a change, sorts, and refuses what cannot be.
func (s *Server) wantedPorts(ctx context.Context, v View, change func([]PortMap) ([]PortMap, error)) ([]PortMap, error) {
	have := slices.Clone(v.State.Ports)
	if len(have) == 0 {
		have = []PortMap{{Scheme: "http", Host: v.Settings.Nginx.Port}}
	}
	want, err := change(have)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(want, func(a, b PortMap) int { return a.Host - b.Host })
	for i := 1; i < len(want); i++ {
		if want[i].Host == want[i-1].Host {
			return nil, fmt.Errorf("Host port %d cannot be mapped twice (%s, %s)", want[i].Host, v.shown(want[i-1]), v.shown(want[i]))
		}
	}
	for _, m := range want {
		if err := s.portTaken(ctx, v.Settings, m.Host); err != nil {
			return nil, err
		}
	}
	return want, nil
}
