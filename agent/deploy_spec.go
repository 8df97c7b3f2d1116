package agent

import (
	"maps"
	"net/netip"
	"slices"

	"dokku/agent/engine"
	"dokku/scale"
)

// spec says how to start a process of a release.
func spec(v View, r *Release, p Process, name string, at netip.Addr) (engine.Spec, error) {
	id := r.identity(p.Type)
	s := engine.Spec{App: v.Name, Kind: engine.KindDeploy, Type: p.Type, Index: p.Index,
		Release: id.Release, Attempt: id.Attempt, Name: name, Image: r.Image,
		Address: at, Port: r.Port, HostPort: p.HostPort,
		RestartPolicy: v.Property(propRestartPolicy), StopTimeout: v.Grace()}
	env := r.environment(p)
	for _, k := range slices.Sorted(maps.Keys(env)) {
		s.Env = append(s.Env, k+"="+env[k])
	}
	if err := applyOptions(v, &s, r); err != nil {
		return s, err
	}
	command := r.Control.Command(p.Type)
	if r.Control.Procfile == nil && p.Type == scale.Web {
		command = r.StartCommand
	}
	if command == "" {
		return s, nil
	}
	var err error
	s.Command, err = scaleCommand(command, env)
	return s, err
}
