package deploy

import (
	"context"
	"fmt"
	"slices"

	"dokku/agent/app"
	"dokku/agent/proc"
	"dokku/agent/proxy"
)

// sshPort is where everybody reaches the host.
const sshPort = 22

// PortTaken returns an error when the proxy cannot listen on a port of the host
// for this app. A port that it listens on for another app is free: names tell
// the two apart.
func (s *Env) PortTaken(ctx context.Context, set app.Settings, port int) error {
	if port == set.Nginx.Port {
		return nil
	}
	if port == sshPort {
		return fmt.Errorf("Host port %d is ssh's: choose another one", port)
	}
	mapped, err := s.mapped(ctx, set, port)
	if mapped || err != nil {
		return err
	}
	if proc.Listens(port) {
		return fmt.Errorf("Host port %d is taken: another program on this host listens on it; choose another one, or stop that program", port)
	}
	return nil
}

// mapped reports whether the proxy has a port already, for this app or another
// one. A port that belongs to an app without a proxy is an error.
func (s *Env) mapped(ctx context.Context, set app.Settings, port int) (bool, error) {
	px := s.Proxy(set)
	apps, err := s.Store.Apps()
	if err != nil {
		return false, err
	}
	for _, name := range apps {
		a, err := s.Store.Load(name)
		if err != nil {
			return false, err
		}
		if first := a.State.HostPort; first != 0 && port >= first && port < first+app.PortsPerApp {
			return false, fmt.Errorf("Host port %d belongs to app %s (%d to %d, see proxy:disable): choose another one",
				port, name, first, first+app.PortsPerApp-1)
		}
		live, ok, err := px.Live(ctx, name)
		if err == nil && ok && slices.ContainsFunc(live.Ports, func(p proxy.Port) bool { return p.Host == port }) {
			return true, nil
		}
	}
	return false, nil
}

// checkPorts refuses a deploy whose route the proxy could not listen for.
func (e *Env) checkPorts(ctx context.Context, v app.View) error {
	for _, m := range v.State.Ports {
		if err := e.PortTaken(ctx, v.Settings, m.Host); err != nil {
			return fmt.Errorf("%w (ports:set %s changes the app's ports)", err, v.Name)
		}
	}
	return nil
}
