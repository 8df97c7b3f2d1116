package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/go-units"

	"dokku/agent/app"
	"dokku/agent/certs"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/build/registry"
)

const (
	// readyLimit is how long a service may take until it is ready: it may have to set up or
	// to recover its data.
	readyLimit = 5 * time.Minute
	firstProbe = 50 * time.Millisecond
	lastProbe  = time.Second
	// logTail is how many lines of the log an error has.
	logTail = 20
)

// run makes the service's container run as its record says, and waits until it is ready.
// Other containers of the service are stopped first: only one may have the data.
func (m *Manager) run(ctx context.Context, k Kind, s *Service) error {
	if err := m.network(ctx, s.Ref()); err != nil {
		return err
	}
	image, err := m.Host.Image(ctx, s.Container.Image)
	if errors.Is(err, engine.ErrNoImage) {
		return fmt.Errorf("%w: load it on the server (docker load, docker pull %s), then dokku %s:start %s", err, s.Container.Image, s.Kind, s.Name)
	}
	if err != nil {
		return err
	}
	if err := m.removeContainers(ctx, s, s.Container.Attempt); err != nil {
		return err
	}
	spec := m.spec(k, s, image.ID)
	o, err := m.observe(ctx, s.Ref())
	if err != nil {
		return err
	}
	for _, n := range o.Networks {
		if n.Overlay { // apps on a swarm reach it there
			spec.Joins = append(spec.Joins, n.Name)
		}
	}
	i, err := m.Host.Start(ctx, spec)
	if err != nil {
		return err
	}
	return m.awaitReady(ctx, k, s, i)
}

// spec describes the service's container.
func (m *Manager) spec(k Kind, s *Service, image string) engine.Spec {
	c, r := s.Container, s.Ref()
	spec := engine.Spec{App: r.Owner(), Kind: engine.KindService, Type: k.Name, Index: 1, Attempt: c.Attempt,
		Name: r.ContainerName(), Hostname: r.ContainerName(), Names: []string{r.Host()}, Image: image,
		// The engine brings it back after a reboot, unless somebody has stopped it.
		RestartPolicy: "unless-stopped", StopTimeout: grace,
		Mounts: k.volumes(c), Joins: slices.Clone(c.Networks), Aliases: []string{r.Host()},
		Options: engine.Options{ShmSize: c.ShmSize, Labels: map[string]string{"dokku": "service", "dokku.service": k.Name}},
	}
	text := m.texts(k, s)
	spec.Env = slices.Concat(text.pairs(k.Env), c.Env)
	if spec.Command = append(text.list(k.Command), strings.Fields(c.Options)...); len(spec.Command) == 0 {
		spec.Command = nil
	}
	if len(k.Config.Files) > 0 {
		spec.Mounts = append(spec.Mounts, engine.Mount{Source: m.ConfigDir(r), Target: k.Config.Path, ReadOnly: true})
	}
	if c.Restricted {
		spec.Restricted, spec.Limits.Pids = true, pidsLimit
	}
	if c.Memory > 0 {
		spec.Limits.Memory = int64(c.Memory+k.Overhead) * units.MiB
	}
	for n, port := range c.Ports {
		spec.Publish = append(spec.Publish, published(k.Ports[n], port))
	}
	return spec
}

// pidsLimit is how many processes and threads a restricted service has at the same time.
const pidsLimit = 4096

// published is a port of a container at "PORT" or "ADDRESS:PORT" of the host.
func published(port int, at string) engine.Published {
	p := engine.Published{Port: port}
	if addr, err := netip.ParseAddrPort(at); err == nil {
		p.Host, p.HostPort = addr.Addr(), int(addr.Port())
		return p
	}
	p.HostPort, _ = strconv.Atoi(at)
	return p
}

// texts are the values of a service's placeholders.
type texts map[string]string

func (m *Manager) texts(k Kind, s *Service) texts {
	t := texts{"name": s.Name, "host": s.Ref().Host(), "hostname": s.Ref().ContainerName(), "port": strconv.Itoa(k.Ports[0]), "scheme": k.Scheme,
		"database": s.Database, "password": s.Password, "root_password": s.RootPassword, "memory": strconv.Itoa(s.Container.Memory),
		"source": s.Ref().source()}
	t["user"] = t.fill(k.User)
	return t
}

func (t texts) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string { return t[strings.Trim(name, "{}")] })
}

func (t texts) list(list []string) (filled []string) {
	for _, text := range list {
		filled = append(filled, t.fill(text))
	}
	return filled
}

// pairs returns variables as sorted NAME=value pairs.
func (t texts) pairs(env map[string]string) (list []string) {
	for name, text := range env {
		list = append(list, name+"="+t.fill(text))
	}
	slices.Sort(list)
	return list
}

// URL is the address of a service for apps. An app may ask for another scheme.
func (m *Manager) URL(k Kind, s *Service, scheme string) string {
	t := m.texts(k, s)
	if scheme != "" {
		t["scheme"] = scheme
	}
	return t.fill(k.URL)
}

// awaitReady waits until a container can be used. The error has the last lines of the log.
func (m *Manager) awaitReady(ctx context.Context, k Kind, s *Service, i engine.Instance) error {
	limited, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	begun := i.Restarts
	for pause := firstProbe; ; pause = min(2*pause, lastProbe) {
		why, err := m.probe(limited, k, s, i.ID)
		if why == "" && err == nil {
			return nil
		}
		if now, gone := m.Host.Instance(limited, i.ID); gone == nil && (!now.Running() || now.Restarts > begun) {
			return m.failed(ctx, s, i.ID, fmt.Sprintf("it ended with exit code %d", now.ExitCode))
		} else if gone != nil && limited.Err() == nil {
			return gone
		}
		if err != nil && !errors.Is(err, engine.ErrNotRunning) && limited.Err() == nil {
			return err
		}
		engine.Pause(limited, pause)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case limited.Err() != nil:
			return m.failed(ctx, s, i.ID, fmt.Sprintf("it is not ready after %s: %s", readyLimit, why))
		}
	}
}

// failed is the error about a container that does not become ready.
func (m *Manager) failed(ctx context.Context, s *Service, id, why string) error {
	var log bytes.Buffer
	m.Host.Logs(ctx, id, engine.LogOptions{Tail: logTail}, &log) // without it, the error has less to tell
	text := fmt.Sprintf("%s does not start: %s", s.Ref(), why)
	if log.Len() > 0 {
		text += fmt.Sprintf("\nStart of %s container output\n%s\nEnd of %[1]s container output", s.Name, printable(log.String()))
	}
	return errors.New(text)
}

// printable returns what a program has printed, for a terminal.
func printable(text string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		lines = append(lines, event.Printable(strings.TrimRight(line, "\r\n")))
	}
	return strings.Join(lines, "\n")
}

// probe asks whether a container can be used: why is "" if so. An image without the tool
// that tells is ready once it listens.
func (m *Manager) probe(ctx context.Context, k Kind, s *Service, id string) (why string, err error) {
	if len(k.Ready.Command) > 0 {
		out, exit, err := m.exec(ctx, k, s, id, k.Ready)
		switch {
		case err != nil && !errors.Is(err, engine.ErrNoCommand):
			return "", err
		case err == nil && exit == 0:
			return "", nil
		case err == nil && exit != 126 && exit != 127:
			return fmt.Sprintf("%s ends with exit code %d: %s", k.Ready.Command[0], exit, printable(out)), nil
		}
	}
	sockets, err := m.Host.Listening(ctx, id)
	if err != nil {
		return "", err
	}
	for _, a := range sockets {
		if int(a.Port()) == k.Ports[0] && !a.Addr().IsLoopback() {
			return "", nil
		}
	}
	return fmt.Sprintf("it does not listen on port %d", k.Ports[0]), nil
}

// exec runs a command of the kind and returns what it prints, and its exit code.
func (m *Manager) exec(ctx context.Context, k Kind, s *Service, id string, e Exec) (string, int, error) {
	out := &tail{}
	argv, env, err := m.command(k, s, e)
	if err != nil {
		return "", 0, err
	}
	exit, err := m.Host.ExecAttached(ctx, id, argv, env, engine.Streams{Stdout: out, Stderr: out})
	return out.String(), exit, err
}

// command returns a command of the kind for a service, and its variables.
func (m *Manager) command(k Kind, s *Service, e Exec) (argv, env []string, err error) {
	t := m.texts(k, s)
	if slices.ContainsFunc(values(e.Env), func(text string) bool { return strings.Contains(text, "{tls_") }) {
		pair, err := certs.SelfSigned([]string{s.Ref().Host()}, time.Now())
		if err != nil {
			return nil, nil, err
		}
		t["tls_key"], t["tls_certificate"] = string(pair.Key), string(pair.Chain)
	}
	return t.list(e.Command), append(t.pairs(e.Env), "LANG=C.UTF-8", "LC_ALL=C.UTF-8"), nil
}

// Console returns the command that connects a person with a service.
func (m *Manager) Console(k Kind, s *Service) (argv, env []string, err error) {
	if len(k.Console.Command) == 0 {
		//lint:ignore ST1005 the text is that of Dokku's plugins
		return nil, nil, fmt.Errorf("Not yet implemented: %s has no console; use dokku %s:enter %s", k.Title, k.Name, s.Name)
	}
	return m.command(k, s, k.Console)
}

// tail keeps the last bytes that are written to it.
type tail struct{ data []byte }

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - tailSize; over > 0 {
		t.data = slices.Delete(t.data, 0, over)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.data) }

// ensureImage makes sure that the engine has an image, and pulls it if need be.
func (m *Manager) ensureImage(ctx context.Context, k Kind, image string, log event.Log) error {
	_, err := m.Host.Image(ctx, image)
	if !errors.Is(err, engine.ErrNoImage) {
		return err
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return fmt.Errorf("cannot use %q as an image: %w", event.OneLine(image), err)
	}
	server := reference.Domain(named)
	login, err := registry.Find(ctx, []string{m.Store.DockerConfig(), ""}, server)
	if err != nil {
		return err
	}
	done := log.Busy("pulling %s", image)
	err = m.Host.Pull(ctx, image, engine.RegistryAuth{Server: server, User: login.User, Secret: login.Secret}, nil)
	done()
	if err != nil {
		return fmt.Errorf("%s image %s pull failed: %w\nIf the server cannot reach the registry: docker save %[2]s | ssh SERVER docker load\n"+
			"If the registry asks for a login: dokku registry:login --global %[4]s USER PASSWORD", k.Title, image, err, server)
	}
	return nil
}

// Linked reports whether an app uses the service.
func (r Ref) Linked(st *app.State) bool { return slices.Contains(st.Links, r.Link()) }
