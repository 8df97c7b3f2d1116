package deploy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/build/options"
	"dokku/scale"
)

// spec returns the Spec of one process of a release.
func spec(v app.View, r *app.Release, p app.Process, name string, at netip.Addr) (engine.Spec, error) {
	id := r.Identity(p.Type)
	env := r.Environment(p)
	s := engine.Spec{App: v.Name, Kind: engine.KindDeploy, Type: p.Type, Index: p.Index,
		Release: id.Release, Attempt: id.Attempt, Name: name, Image: r.Image, Env: pairs(env),
		Address: at, Port: r.Port, HostPort: p.HostPort,
		RestartPolicy: v.Property(app.PropRestartPolicy), StopTimeout: v.Grace()}
	if r.BindAll && p.Type == scale.Web && p.HostPort == 0 && !r.OnSwarm() {
		s.Publish = []engine.Published{{Port: r.Port}}
	}
	if err := ApplyOptions(v, &s, r); err != nil {
		return s, err
	}
	if start, ok := r.Start(p.Type); ok {
		s.Entrypoint, s.Command = start.Entrypoint, start.Command
		return s, nil
	}
	command := r.Control.Command(p.Type)
	if command == "" && p.Type == scale.Web {
		command = r.StartCommand
	}
	if command == "" {
		return s, nil
	}
	argv, err := arguments(command, env)
	if err != nil && command == r.StartCommand { // a property is checked when it is set, a config variable is not
		err = fmt.Errorf("%w; correct web's start command: dokku ps:set %s start-cmd COMMAND, or DOKKU_START_CMD in its config", err, v.Name)
	}
	start := r.Exec(argv)
	s.Entrypoint, s.Command = start.Entrypoint, start.Command
	return s, err
}

// specOf is spec, on the scheduler of the release. first and count are the group on a swarm.
func (x *Session) specOf(ctx context.Context, r *app.Release, p app.Process, name string, first, count int) (engine.Spec, error) {
	s, err := spec(x.View(), r, p, name, netip.Addr{})
	if err == nil && r.OnSwarm() {
		err = x.place(ctx, r, &s, first, count)
	}
	return s, err
}

// pairs returns an environment as sorted NAME=VALUE pairs.
func pairs(env map[string]string) []string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	return list
}

// arguments splits a Procfile command into a container's arguments and expands its
// variables.
func arguments(command string, env map[string]string) ([]string, error) {
	argv, _, err := scale.Command(command, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	return argv, err
}

// ApplyOptions adds the release's mounts, networks, limits, choice of an init and docker
// options to a Spec. A one-off container has the present docker options of the phase run.
func ApplyOptions(v app.View, s *engine.Spec, r *app.Release) error {
	phase := app.MountRun
	if s.Kind == engine.KindDeploy || s.Kind == engine.KindRelease {
		phase = app.MountDeploy
	}
	mounts := slices.DeleteFunc(slices.Clone(r.Mounts), func(m app.Mount) bool { return !m.In(phase, s.Type) })
	s.NoInit = r.NoInit
	s.LogSize = r.LogSize
	docker, err := dockerOptions(v, s, r)
	if err != nil {
		return err
	}
	for _, m := range docker.Mounts {
		mounts = append(mounts, app.Mount{Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	for _, m := range mounts {
		source, err := v.Settings.Source(m, r.Isolation != nil)
		if err != nil {
			return err
		}
		s.Mounts = append(s.Mounts, engine.Mount{Source: source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	s.Restricted, s.Filtered = r.Isolation != nil, r.Filtered()
	s.Joins = slices.Clone(r.Networks)
	// Nothing connects to a one-off container.
	if s.Kind == engine.KindDeploy && len(s.Joins) > 0 {
		s.Aliases = []string{strings.TrimSuffix(v.Name+"."+s.Type+"."+r.NetworkTLD, ".")}
	}
	network := engine.NetworkName
	if r.OnSwarm() && s.Kind == engine.KindDeploy {
		network = engine.OverlayName
	}
	for _, link := range r.Links {
		s.Joins = append(s.Joins, network(link.Owner()))
	}
	l, err := r.Limits(s.Type, docker)
	s.Limits = engine.Limits(l)
	return err
}

// dockerOptions adds the options of docker-options to a Spec, except for mounts. A command
// that runs once for a release has those of all process types; nothing restarts it.
func dockerOptions(v app.View, s *engine.Spec, r *app.Release) (c options.Container, err error) {
	switch s.Kind {
	case engine.KindDeploy:
		c, err = r.Containers(s.Type)
		s.RestartPolicy = cmp.Or(c.Restart, s.RestartPolicy)
	case engine.KindRelease:
		c, err = r.Containers("")
	default:
		c, err = v.OneOffs()
	}
	s.NoInit = s.NoInit && !c.Init
	s.LogSize = cmp.Or(c.LogSize, s.LogSize)
	s.Options = engine.Options(c.Settings)
	return c, err
}

// checkOptions refuses mounts, networks and docker options that a container could not get, before
// anything is built or started.
func (e *Env) checkOptions(ctx context.Context, v app.View, a app.ContainerOptions) error {
	if err := v.CheckOptions(a); err != nil {
		return err
	}
	if err := v.CheckContainers(a); err != nil {
		return err
	}
	if err := e.checkLinks(v, a.Links); err != nil {
		return err
	}
	if len(a.Networks) == 0 {
		return nil
	}
	host, err := e.machine(v.Settings)
	if err != nil {
		return err
	}
	if err := Joinable(ctx, host, a.Networks); err != nil {
		return fmt.Errorf("%w; see dokku network:report %s", err, v.Name)
	}
	return nil
}

// SharedNetworks lists the engine's networks that are not an app's own.
func SharedNetworks(ctx context.Context, host engine.Networks) ([]engine.NetworkInfo, error) {
	all, err := host.AllNetworks(ctx)
	return slices.DeleteFunc(all, func(n engine.NetworkInfo) bool { return n.App != "" }), err
}

// Joinable returns a *NoNetworkError unless every name is a shared network.
func Joinable(ctx context.Context, host engine.Networks, names []string) error {
	all, err := SharedNetworks(ctx, host)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(n engine.NetworkInfo) bool { return n.Name == name }) {
			return &NoNetworkError{name}
		}
	}
	return nil
}

// NoNetworkError says that the engine has no such shared network.
type NoNetworkError struct{ Name string }

func (e *NoNetworkError) Error() string {
	return fmt.Sprintf("Network %s does not exist: make it with dokku network:create %[1]s", e.Name)
}
