package agent

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/event"
	"dokku/agent/proxy"
)

// PortMap leads a port of the host, where the proxy listens for the app's
// names, to a port of the web processes.
type PortMap struct {
	Scheme string `json:"scheme"` // "http"
	Host   int    `json:"host_port"`
	// Container 0 stands for the port that the image exposes.
	Container int `json:"container_port"`
}

func (m PortMap) String() string { return fmt.Sprintf("%s:%d:%d", m.Scheme, m.Host, m.Container) }

// sshPort is where everybody reaches the host.
const sshPort = 22

// routePorts are the ports of a release's route. The first mapping leads to the
// port at which the release has been gated, whatever was asked for since.
func routePorts(mappings []PortMap, r *Release) []proxy.Port {
	var list []proxy.Port
	for i, m := range mappings {
		p := proxy.Port{Host: m.Host, Container: m.Container}
		if m.Container == 0 {
			p.Container = r.detected()
		}
		if i == 0 || p.Container == r.Port {
			p.Container = 0
		}
		list = append(list, p)
	}
	return list
}

// SetPorts changes the app's port mappings: change gets what they are, and none
// means the default. Another web port needs new processes, which are gated
// before anything is stored; other ports of the host are there at once. What the
// host cannot listen on is refused first.
func (s *Server) SetPorts(ctx context.Context, app, what string, log event.Log, change func([]PortMap) ([]PortMap, error)) error {
	return s.with(ctx, app, Op{what, ChangesRoute}, log, func(x *session) error {
		want, err := x.wantedPorts(ctx, x.view(), change)
		if err != nil {
			return err
		}
		next := x.State.clone()
		next.Ports = want
		if x.Current != nil && !x.State.Stopped && next.webPort(x.Current.detected()) != x.Current.Port {
			log.Step("Restarting app %s", app)
			return x.restart(ctx, what, nil, func(st *State) { st.Ports = want })
		}
		return x.update(ctx, Op{"ports:set", ChangesRoute}, func(st *State) error { st.Ports = want; return nil })
	})
}

// CheckPorts returns the error that SetPorts would, as far as it can be known
// without the app's lock. It changes nothing.
func (s *Server) CheckPorts(ctx context.Context, a *App, change func([]PortMap) ([]PortMap, error)) error {
	v, err := s.viewOf(a)
	if err != nil {
		return err
	}
	_, err = s.wantedPorts(ctx, v, change)
	return err
}

// wantedPorts applies a change, sorts, and refuses what cannot be.
func (s *Env) wantedPorts(ctx context.Context, v View, change func([]PortMap) ([]PortMap, error)) ([]PortMap, error) {
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

// portTaken returns an error when the proxy cannot listen on a port of the host
// for this app. A port that it listens on for another app is free: names tell
// the two apart.
func (s *Env) portTaken(ctx context.Context, set Settings, port int) error {
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
	if listens(port) {
		return fmt.Errorf("Host port %d is taken: another program on this host listens on it; choose another one, or stop that program", port)
	}
	return nil
}

// mapped reports whether the proxy has a port already, for this app or another
// one. A port that belongs to an app without a proxy is an error.
func (s *Env) mapped(ctx context.Context, set Settings, port int) (bool, error) {
	px := s.Proxy(set)
	apps, err := s.Apps()
	if err != nil {
		return false, err
	}
	for _, name := range apps {
		a, err := s.Load(name)
		if err != nil {
			return false, err
		}
		if first := a.State.HostPort; first != 0 && port >= first && port < first+portsPerApp {
			return false, fmt.Errorf("Host port %d belongs to app %s (%d to %d, see proxy:disable): choose another one",
				port, name, first, first+portsPerApp-1)
		}
		live, ok, err := px.Live(ctx, name)
		if err == nil && ok && slices.ContainsFunc(live.Ports, func(p proxy.Port) bool { return p.Host == port }) {
			return true, nil
		}
	}
	return false, nil
}

// checkPorts refuses a deploy whose route the proxy could not listen for.
func (x *session) checkPorts(ctx context.Context) error {
	for _, m := range x.State.Ports {
		if err := x.portTaken(ctx, x.settings, m.Host); err != nil {
			return fmt.Errorf("%w (ports:set %s changes the app's ports)", err, x.Name)
		}
	}
	return nil
}

// listens reports whether any program of this host listens on a TCP port, on
// whatever address. To try and listen would not tell: a plain user may not on
// low ports, taken or not.
func listens(port int) bool {
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			// "sl local_address rem_address st ...": addresses are HEX:PORT, and
			// the state 0A is LISTEN.
			fields := strings.Fields(lines.Text())
			if len(fields) < 4 || fields[3] != "0A" {
				continue
			}
			_, hex, _ := strings.Cut(fields[1], ":")
			if n, err := strconv.ParseUint(hex, 16, 16); err == nil && int(n) == port {
				return true
			}
		}
	}
	return false
}
