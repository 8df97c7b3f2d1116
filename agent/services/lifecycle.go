package services

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
)

// Start starts a service that does not run.
func (m *Manager) Start(ctx context.Context, k Kind, name string, log event.Log) error {
	return m.with(ctx, k, name, "start", log, func(s *Service) error { return m.start(ctx, k, s, log) })
}

func (m *Manager) start(ctx context.Context, k Kind, s *Service, log event.Log) error {
	i, ok, err := m.Instance(ctx, s)
	if err != nil {
		return err
	}
	if ok && i.Running() && i.Attempt == s.Container.Attempt && !s.Stopped {
		log.Warn("Service is already started")
		return nil
	}
	log.Result("Starting container")
	if err := m.ensureImage(ctx, k, s.Container.Image, log); err != nil {
		return err
	}
	c := s.Container
	if c.Networks = networks(s.Properties); !slices.Equal(c.Networks, s.Container.Networks) {
		// Networks of SERVICE:set take effect: they are of a new container.
		c.Attempt = app.NewAttempt()
	}
	next := *s
	next.Container, next.Stopped = c, false
	if err := m.save(&next); err != nil {
		return err
	}
	*s = next
	if err := m.run(ctx, k, s); err != nil {
		return err
	}
	log.Result("Container started")
	return nil
}

// Pause stops a service's container. Neither the agent nor a reboot starts it again.
func (m *Manager) Pause(ctx context.Context, k Kind, name string, log event.Log) error {
	return m.with(ctx, k, name, "pause", log, func(s *Service) error { return m.pause(ctx, s, log) })
}

func (m *Manager) pause(ctx context.Context, s *Service, log event.Log) error {
	i, ok, err := m.Instance(ctx, s)
	if err != nil {
		return err
	}
	if !ok || !i.Running() && s.Stopped {
		log.Warn("Service is already paused")
	} else {
		log.Result("Pausing container")
	}
	next := *s
	next.Stopped = true
	if err := m.save(&next); err != nil {
		return err
	}
	*s = next
	if !ok || !i.Running() && i.Status != engine.StatusRestarting {
		return nil
	}
	if err := m.Host.Stop(context.WithoutCancel(ctx), i.ID, grace); err != nil {
		return err
	}
	log.Detail("Container paused")
	return nil
}

// Stop stops a service's container and removes it. The data stay.
func (m *Manager) Stop(ctx context.Context, k Kind, name string, log event.Log) error {
	return m.with(ctx, k, name, "stop", log, func(s *Service) error {
		if err := m.pause(ctx, s, log); err != nil {
			return err
		}
		log.Detail("Removing container")
		return m.removeContainers(context.WithoutCancel(ctx), s, "")
	})
}

// Restart stops a service's container and starts it again.
func (m *Manager) Restart(ctx context.Context, k Kind, name string, log event.Log) error {
	return m.with(ctx, k, name, "restart", log, func(s *Service) error {
		i, ok, err := m.Instance(ctx, s)
		if err != nil {
			return err
		}
		after := context.WithoutCancel(ctx)
		if ok && i.Running() {
			// The record does not say that it is stopped: the agent starts it after a kill.
			log.Result("Pausing container")
			if err := m.Host.Stop(after, i.ID, grace); err != nil {
				return err
			}
			log.Detail("Container paused")
		}
		return m.start(after, k, s, log)
	})
}

// EnsureRunning starts a service that an app needs, and waits until it is ready. One that was
// stopped is only started with paused. It does not wait for an operation on the service.
func (m *Manager) EnsureRunning(ctx context.Context, k Kind, name string, paused bool, log event.Log) error {
	s, err := m.Load(k, name)
	if err != nil || s.Stopped && !paused {
		return err
	}
	i, ok, err := m.Instance(ctx, s)
	if err != nil {
		return err
	}
	if ok && i.Running() {
		return m.awaitReady(ctx, k, s, i)
	}
	if ok && i.Status == engine.StatusRestarting {
		log.Warn("%s service %s is restarting and may cause issues with linked apps", k.Title, name)
		return nil
	}
	l, free, err := m.Store.TryLock(s.Ref().Owner(), k.Name+":start")
	if err != nil || !free {
		return err
	}
	defer l.Release()
	if err := m.settle(ctx, k, name, log); err != nil {
		return err
	}
	l.Abandoned = false
	if s, err = m.Load(k, name); err != nil {
		return err
	}
	log.Warn("%s service %s is not running, issuing service start", k.Title, name)
	return m.start(ctx, k, s, log)
}

// JoinOverlay lets processes that a swarm has placed reach a service by its host name. Later
// containers of the service join the overlay by themselves.
func (m *Manager) JoinOverlay(ctx context.Context, k Kind, name string) error {
	s, err := m.Load(k, name)
	if err != nil {
		return err
	}
	i, _, err := m.Instance(ctx, s)
	if err != nil {
		return err
	}
	if !i.Running() {
		i.ID = ""
	}
	_, err = m.Host.JoinOverlay(ctx, s.Ref().Owner(), i.ID, []string{s.Ref().Host()})
	return err
}

// Expose makes a service reachable at ports of the host. Without ports, it chooses them.
func (m *Manager) Expose(ctx context.Context, k Kind, name string, ports []string, log event.Log) error {
	return m.with(ctx, k, name, "expose", log, func(s *Service) error {
		if len(s.Container.Ports) > 0 {
			return fmt.Errorf("Service %s already exposed on port(s) %s", name, strings.Join(s.Container.Ports, " "))
		}
		if len(ports) == 0 {
			for range k.Ports {
				ports = append(ports, freePort(ports))
			}
		}
		next := s.Container
		var err error
		if next.Ports, err = k.hostPorts(ports); err != nil {
			return err
		}
		if err := m.replace(ctx, k, s, next); err != nil {
			return err
		}
		log.Step("Service %s exposed on port(s) [container->host]: %s", name, k.Exposed(s))
		return nil
	})
}

// hostPorts checks the ports of the host that a person has typed.
func (k Kind) hostPorts(typed []string) (list []string, err error) {
	if len(typed) != len(k.Ports) {
		return nil, fmt.Errorf("%d ports to be exposed need to be provided in the following order: %s", len(k.Ports),
			strings.Trim(fmt.Sprint(k.Ports), "[]"))
	}
	for _, port := range typed {
		if addr, err := netip.ParseAddrPort(port); err == nil && addr.Port() > 0 {
			list = append(list, addr.String())
			continue
		}
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 || slices.Contains(list, strconv.Itoa(n)) {
			//lint:ignore ST1005 a message of SERVICE:expose
			return nil, fmt.Errorf("Invalid port %q: give a port of this host, or ADDRESS:PORT such as 127.0.0.1:%d, each once", event.OneLine(port), k.Ports[0])
		}
		list = append(list, strconv.Itoa(n))
	}
	return list, nil
}

// freePort returns a port of this host on which nothing listens, below those from which the
// kernel takes ports of outgoing connections.
func freePort(taken []string) string {
	for {
		port := strconv.Itoa(10000 + rand.IntN(22000))
		if slices.Contains(taken, port) {
			continue
		}
		if l, err := net.Listen("tcp", ":"+port); err == nil {
			l.Close()
			return port
		}
	}
}

// Exposed says at which ports of the host a service is reached, as Dokku's plugins do; "-"
// for none.
func (k Kind) Exposed(s *Service) string {
	var list []string
	for n, port := range s.Container.Ports {
		list = append(list, fmt.Sprintf("%d->%s", k.Ports[n], port))
	}
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, " ")
}

// Unexpose takes the ports of the host away.
func (m *Manager) Unexpose(ctx context.Context, k Kind, name string, log event.Log) error {
	return m.with(ctx, k, name, "unexpose", log, func(s *Service) error {
		if len(s.Container.Ports) > 0 {
			next := s.Container
			next.Ports = nil
			if err := m.replace(ctx, k, s, next); err != nil {
				return err
			}
		}
		log.Step("Service %s unexposed", name)
		return nil
	})
}

// Isolate takes the rights from a service's container that new services do not have, and limits
// its processes, or gives it those of the engine's defaults again. If the new container does not
// become ready, the former one comes back.
func (m *Manager) Isolate(ctx context.Context, k Kind, name string, on bool, log event.Log) error {
	return m.with(ctx, k, name, "isolate", log, func(s *Service) error {
		switch {
		case on && k.Unrestricted:
			return fmt.Errorf("%s needs the rights of Docker's defaults, says the file of its kind: %s keeps them", k.Title, name)
		case on && s.Container.Restricted:
			log.Step("Service %s is already isolated", name)
			return nil
		case !on && !s.Container.Restricted:
			log.Step("Service %s is not isolated", name)
			return nil
		case on:
			log.Result("Isolating %s", name)
		default:
			log.Result("Giving %s the rights of Docker's defaults, and no limit of processes", name)
		}
		next := s.Container
		next.Restricted = on
		if err := m.replace(ctx, k, s, next); err != nil {
			return err
		}
		log.Result("Done")
		return nil
	})
}

// Set sets or, with an empty value, unsets a property. It takes effect with the next start.
func (m *Manager) Set(ctx context.Context, k Kind, name, property, value string, log event.Log) error {
	return m.with(ctx, k, name, "set", log, func(s *Service) error {
		if s.Properties == nil {
			s.Properties = map[string]string{}
		}
		if s.Properties[property] = value; value == "" {
			delete(s.Properties, property)
		}
		return m.save(s)
	})
}
