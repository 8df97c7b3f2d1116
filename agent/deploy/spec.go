package deploy

import (
	"maps"
	"net/netip"
	"slices"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/scale"
)

// spec says how to start a process of a release.
func spec(v app.View, r *app.Release, p app.Process, name string, at netip.Addr) (engine.Spec, error) {
	id := r.Identity(p.Type)
	s := engine.Spec{App: v.Name, Kind: engine.KindDeploy, Type: p.Type, Index: p.Index,
		Release: id.Release, Attempt: id.Attempt, Name: name, Image: r.Image,
		Address: at, Port: r.Port, HostPort: p.HostPort,
		RestartPolicy: v.Property(app.PropRestartPolicy), StopTimeout: v.Grace()}
	env := r.Environment(p)
	for _, k := range slices.Sorted(maps.Keys(env)) {
		s.Env = append(s.Env, k+"="+env[k])
	}
	if err := ApplyOptions(v, &s, r); err != nil {
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
