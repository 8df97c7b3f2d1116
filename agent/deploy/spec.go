package deploy

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/engine"
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
	start := r.Exec(argv)
	s.Entrypoint, s.Command = start.Entrypoint, start.Command
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

// ApplyOptions adds the release's mounts, networks, limits and choice of an init to a Spec.
func ApplyOptions(v app.View, s *engine.Spec, r *app.Release) error {
	for _, m := range r.Mounts {
		source, err := v.Settings.Source(m)
		if err != nil {
			return err
		}
		s.Mounts = append(s.Mounts, engine.Mount{Source: source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	s.NoInit = r.NoInit
	s.LogSize = r.LogSize
	s.Joins = slices.Clone(r.Networks)
	// Nothing connects to a one-off container.
	if s.Kind == engine.KindDeploy && len(s.Joins) > 0 {
		s.Aliases = []string{strings.TrimSuffix(v.Name+"."+s.Type+"."+r.NetworkTLD, ".")}
	}
	l, err := app.LimitsOf(r.Resources, s.Type)
	s.Limits = engine.Limits(l)
	return err
}

// checkOptions refuses mounts and networks that a container could not get, before
// anything is built or started.
func (e *Env) checkOptions(ctx context.Context, v app.View, a app.ContainerOptions) error {
	for _, m := range a.Mounts {
		if _, err := v.Settings.Source(m); err != nil {
			return err
		}
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
