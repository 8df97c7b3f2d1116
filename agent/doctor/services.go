package doctor

import (
	"context"
	"errors"
	"io/fs"

	"dokku/agent/services"
	"dokku/agent/text"
)

// checkServices looks for services that should run and do not, that an operation has left
// half done, or whose last import did not end well.
func (d *examination) checkServices(ctx context.Context) []Finding {
	const check = "services"
	m := &services.Manager{Store: d.Server.Env.Store}
	var list []Finding
	if _, err := services.Kinds(services.KindsDir(m.Store)); err != nil {
		list = append(list, wrong(check, HealthWarning, "correct the file", "%s", err))
	}
	all, err := m.All()
	if err != nil {
		return append(list, wrong(check, HealthWarning, "", "%s", err))
	}
	if len(all) == 0 {
		return list
	}
	if _, err := d.engine(); err != nil {
		return append(list, wrong(check, HealthWarning, service("start", "docker"), "cannot be told while the engine does not answer"))
	}
	if m.Host, err = d.Server.Env.Engine(d.set); err != nil {
		return append(list, wrong(check, HealthWarning, "", "%s", err))
	}
	running := 0
	for _, r := range all {
		f, runs, err := d.checkService(ctx, m, r)
		if err != nil {
			f = append(f, wrong(check, HealthProblem, "", "%s: %s", r, err))
		}
		if list = append(list, f...); runs {
			running++
		}
	}
	if len(list) == 0 {
		return fine(check, "%s", "running: "+text.Plural(running, "service"))
	}
	return list
}

// checkService looks at one service; runs: it runs as it should.
func (d *examination) checkService(ctx context.Context, m *services.Manager, r services.Ref) (list []Finding, runs bool, err error) {
	const check = "services"
	k, err := m.Kind(r.Kind)
	if err != nil {
		return nil, false, err
	}
	s, err := m.Load(k, r.Name)
	if none := new(services.NoServiceError); errors.As(err, &none) || errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil // it is being made or removed
	}
	if err != nil {
		return nil, false, err
	}
	if !s.Importing.IsZero() {
		list = append(list, wrong(check, HealthWarning, "dokku "+r.Kind+":import "+r.Name+" < DUMP", "An import into %s did not end well: a part of it may have been loaded", r))
	}
	i, ok, err := m.Instance(ctx, s)
	if err != nil {
		return list, false, err
	}
	apps, err := d.Server.LinkedApps(r)
	if err != nil {
		return list, false, err
	}
	fix := "dokku " + r.Kind + ":start " + r.Name
	switch {
	case ok && i.Running() && i.Unhealthy == "":
		return list, true, nil
	case s.Stopped && len(apps) == 0, s.Next != nil: // it is being upgraded, or the agent will undo that
		return list, false, nil
	case s.Stopped:
		return append(list, wrong(check, HealthWarning, fix, "%s is stopped, and %s needs it", r, apps[0])), false, nil
	}
	return append(list, wrong(check, HealthProblem, fix+", or see dokku "+r.Kind+":logs "+r.Name, "%s does not run", r)), false, nil
}
