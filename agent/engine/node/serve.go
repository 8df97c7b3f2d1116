package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"

	"dokku/agent/engine"
)

const (
	// Command is the word by which the program is started as the node service.
	Command = "node"
	// APIPort is the TCP port of each node at which managers reach its engine.
	APIPort = 7947
	// SecretFile is where the service finds its bundle.
	SecretFile = "/run/secrets/dokku-node"
	// LabelPort is the label of a container with the port at which it is served, if it is not the
	// one that it publishes. The published one, NoPort then, has no other purpose than its number on the node.
	LabelPort = "com.dokku.port"
	NoPort    = 1
	// Socket is where it finds the engine.
	Socket = "/var/run/docker.sock"
	// StopGrace is how long connections may go on after the service was told to end: as long
	// as a process may retire.
	StopGrace = time.Hour

	// overlap is how long it goes on to accept connections after it was told to end, so that
	// its successor has begun, and all that came before has been accepted.
	overlap = 3 * time.Second
	// Succeeds is how long after its start a service is the only one of its node that accepts
	// connections: its predecessor is told to end as soon as it runs.
	Succeeds = overlap + 3*time.Second
	// lookEvery is between two looks at the containers without an event.
	lookEvery = 5 * time.Second
	// lookAgain is after a look that has not found all.
	lookAgain = 50 * time.Millisecond
	// retry is between two attempts to reach the engine.
	retry = 250 * time.Millisecond
)

// Service is the program of the node service.
type Service struct {
	// Bundle is what Set.Bundle returns.
	Bundle []byte
	// Engine is the socket of the node's engine.
	Engine string
	// Log gets lines for people.
	Log io.Writer

	docker  *client.Client
	address netip.Addr
	doors   *tls.Config // how processes are served
	api     *relay
	relays  map[netip.AddrPort]*relay // by where they listen
	targets map[netip.AddrPort]netip.AddrPort
	failed  map[netip.AddrPort]string // what has been logged
	found   map[string]netip.Addr     // of containers, by id
	reserve reserve
	last    published
	conns   sync.WaitGroup
}

// Run serves until a signal tells it to end, and then as long as there are connections. Docker
// ends it after StopGrace. SIGPIPE is no such signal: clients go away all the time.
func Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	bundle, err := os.ReadFile(SecretFile)
	if err != nil {
		return fmt.Errorf("cannot read the secret of the node service: %w; the swarm starts this program, see cluster:report", err)
	}
	s := &Service{Bundle: bundle, Engine: Socket, Log: os.Stderr}
	return s.Run(ctx)
}

// Run serves until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	doors, err := serverConfig(s.Bundle, Door, Manager)
	if err != nil {
		return err
	}
	managers, err := serverConfig(s.Bundle, Manager)
	if err != nil {
		return err
	}
	s.doors = connects(doors)
	s.relays, s.targets, s.failed = map[netip.AddrPort]*relay{}, map[netip.AddrPort]netip.AddrPort{}, map[netip.AddrPort]string{}
	s.api = &relay{config: connects(managers), conns: &s.conns, dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.Engine)
	}}
	if s.docker, err = client.NewClientWithOpts(client.WithHost("unix://"+s.Engine), client.WithAPIVersionNegotiation()); err != nil {
		return err
	}
	defer s.docker.Close()
	for ctx.Err() == nil {
		if err := s.follow(ctx); err != nil && ctx.Err() == nil {
			s.logf("cannot follow the engine: %s", err)
		}
		engine.Pause(ctx, retry)
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), overlap)
	for late.Err() == nil { // processes come and go meanwhile
		_, _ = s.look(late)
		engine.Pause(late, retry)
	}
	cancel()
	s.closeAll()
	s.reserve.keep(nil)
	s.api.close()
	s.conns.Wait()
	return nil
}

func (s *Service) logf(format string, words ...any) {
	if s.Log != nil {
		fmt.Fprintf(s.Log, format+"\n", words...)
	}
}

// follow looks at the containers whenever one begins or ends.
func (s *Service) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.settle(ctx); err != nil {
		return err
	}
	wanted := ours()
	wanted.Add("type", string(events.ContainerEventType))
	wanted.Add("event", string(events.ActionStart))
	wanted.Add("event", string(events.ActionDie))
	messages, failed := s.docker.Events(ctx, events.ListOptions{Filters: wanted})
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		whole, err := s.look(ctx)
		if err != nil {
			return err
		}
		var again <-chan time.Time
		if !whole {
			again = time.After(lookAgain)
		}
		select {
		case <-messages:
		case <-again:
		case <-tick.C:
			if err := s.settle(ctx); err != nil {
				return err
			}
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// settle finds the address of the node, and serves managers there.
func (s *Service) settle(ctx context.Context) error {
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	info, err := s.docker.Info(ctx)
	if err != nil {
		return err
	}
	at, err := netip.ParseAddr(info.Swarm.NodeAddr)
	if err != nil {
		return errors.New("the engine is in no swarm")
	}
	if at == s.address {
		return nil
	}
	s.closeAll()
	s.api.close()
	if err := s.api.listen(ctx, netip.AddrPortFrom(at, APIPort)); err != nil {
		return fmt.Errorf("cannot serve managers: %w", err)
	}
	s.address = at
	return nil
}

func (s *Service) closeAll() {
	for at, r := range s.relays {
		r.close()
		delete(s.relays, at)
	}
}

// ours selects the containers that the swarm has placed for apps.
func ours() filters.Args {
	return filters.NewArgs(filters.Arg("label", engine.LabelApp), filters.Arg("label", engine.LabelContainerType+"="+string(engine.KindDeploy)),
		filters.Arg("label", "com.docker.swarm.task.id"))
}

// look serves the processes that run, and no others. whole is false if one is not served yet.
func (s *Service) look(ctx context.Context) (whole bool, err error) {
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	want, whole, err := s.processes(ctx)
	if err != nil {
		return false, err
	}
	for at, r := range s.relays {
		if to, there := want[at]; !there || to != s.targets[at] {
			s.logf("%s ends at %s", s.targets[at], at)
			r.close()
			delete(s.relays, at)
		}
	}
	kept := localPorts().coming(s.last.port)
	for _, at := range slices.SortedFunc(maps.Keys(want), netip.AddrPort.Compare) {
		if s.relays[at] != nil {
			continue
		}
		to := want[at]
		r := &relay{config: s.doors, conns: &s.conns, dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", to.String())
		}}
		if err := r.listen(ctx, at); err != nil {
			// Another program may have a connection from this port for a while. No other one gets
			// the port meanwhile.
			kept[int(at.Port())] = true
			if said := err.Error(); s.failed[at] != said {
				s.failed[at] = said
				s.logf("%s", unserved(to, at, err))
			}
			whole = false
			continue
		}
		s.logf("%s", served(to, at))
		delete(s.failed, at)
		s.relays[at], s.targets[at] = r, to
	}
	s.reserve.keep(kept)
	return whole, nil
}

// processes returns the addresses and ports of the processes that run, by where they are
// served. It takes those that the processes have on this node's own network: the engine's
// proxy at the published port accepts connections also if the process does not. whole is false
// if the engine does not tell yet where one of them is.
func (s *Service) processes(ctx context.Context) (want map[netip.AddrPort]netip.AddrPort, whole bool, err error) {
	list, err := s.docker.ContainerList(ctx, container.ListOptions{Filters: ours()})
	if err != nil {
		return nil, false, err
	}
	if whole, err = s.find(ctx, list); err != nil {
		return nil, false, err
	}
	want = map[netip.AddrPort]netip.AddrPort{}
	for _, c := range list {
		for _, p := range c.Ports {
			if p.Type != "tcp" || p.PublicPort == 0 {
				continue
			}
			s.last = s.last.or(published{c.Created, int(p.PublicPort)})
			if own := s.found[c.ID]; own.IsValid() {
				port := p.PrivatePort
				if hidden, err := strconv.ParseUint(c.Labels[LabelPort], 10, 16); err == nil && port == NoPort {
					port = uint16(hidden)
				}
				want[netip.AddrPortFrom(s.address, uint16(Port(int(p.PublicPort))))] = netip.AddrPortFrom(own, port)
			}
		}
	}
	return want, whole, nil
}

// find notes the addresses of containers, which never change. It does not ask for those that
// are known: while containers come and go, the engine may leave some out of its answer.
func (s *Service) find(ctx context.Context, list []container.Summary) (whole bool, err error) {
	known := map[string]netip.Addr{}
	for _, c := range list {
		if at := s.found[c.ID]; at.IsValid() {
			known[c.ID] = at
		}
	}
	s.found = known
	if len(known) == len(list) {
		return true, nil
	}
	gateway, err := s.docker.NetworkInspect(ctx, engine.GatewayNetwork, network.InspectOptions{})
	if err != nil {
		return false, err
	}
	for _, c := range list {
		if at, err := netip.ParsePrefix(gateway.Containers[c.ID].IPv4Address); err == nil && !known[c.ID].IsValid() {
			known[c.ID] = at.Addr()
		}
	}
	return len(known) == len(list), nil
}
