package agent

import (
	"context"
	"fmt"
	"net"

	"dokku/agent/app"
)

// allotPort returns the first port of a range of host ports that no other app has.
// The caller holds the lock of the server's settings.
func (s *Server) allotPort(ctx context.Context, appName string) (int, error) {
	apps, err := s.Env.Store.Apps()
	if err != nil {
		return 0, err
	}
	taken := map[int]bool{}
	for _, name := range apps {
		a, err := s.Env.Store.Load(name)
		if err != nil {
			return 0, err
		}
		taken[a.State.HostPort] = true
		for _, m := range a.State.Ports {
			taken[m.Host-(m.Host-app.FirstHostPort)%app.PortsPerApp] = true
		}
	}
	for p := app.FirstHostPort; p+app.PortsPerApp <= 32768; p += app.PortsPerApp {
		if !taken[p] && portFree(ctx, p) {
			return p, nil
		}
	}
	return 0, fmt.Errorf("cannot give %s a host port: all of %d-32767 are taken", appName, app.FirstHostPort)
}

func portFree(ctx context.Context, port int) bool {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
