package agent

import (
	"context"
	"dokku/agent/engine"
	"fmt"
	"slices"
)

// knowsTypes refuses types that the current release does not have, and counts
// over the server's limit.
func knowsTypes(v View, counts map[string]int) error {
	for t, n := range counts {
		if v.Current != nil && !slices.Contains(v.Current.Control.Procfile.Types(), t) {
			return fmt.Errorf("%s is not a valid process name to scale up", t)
		}
		if n > v.Settings.MaxScale {
			//lint:ignore ST1005 the text is Dokku's
			return fmt.Errorf("Invalid count for process type %s: %d is more than %d, the server's limit", t, n, v.Settings.MaxScale)
		}
	}
	return nil
}

func (x *session) scale(ctx context.Context, counts map[string]int) error {
	if x.Current == nil || x.State.Stopped {
		x.change(func(st *State) { st.scaleTo(counts) })
		return x.save()
	}
	// What an interrupted command has left must not be taken for what runs.
	if err := x.tidy(ctx); err != nil {
		return err
	}
	have, err := x.Env.InstancesOf(ctx, x.view())
	if err != nil {
		return err
	}
	o, err := x.scaling(merged(x.State.Scale, counts))
	if err != nil {
		return err
	}
	if err := o.run(ctx, o.missing(have)); err != nil {
		err = o.report(ctx, err)
		o.undo(ctx)
		return err
	}
	x.change(func(st *State) { st.scaleTo(counts) })
	return x.decide(context.WithoutCancel(ctx), "the processes of "+x.Name+" are set")
}

// scaling is a rollout of what the current release lacks of a formation.
func (x *session) scaling(local map[string]int) (*rollout, error) {
	host, err := x.Env.Engine(x.settings)
	if err != nil {
		return nil, err
	}
	f, _, err := x.Current.Control.Resolve(local)
	return &rollout{session: x, host: host, release: x.Current, formation: f}, err
}

// Instances lists the containers of the app's current release, by name. It
// leaves out those that retire.
func (s *Env) InstancesOf(ctx context.Context, a View) ([]engine.Instance, error) {
	host, err := s.Engine(a.Settings)
	if err != nil {
		return nil, err
	}
	o, err := observed(ctx, host, a.App)
	if err != nil {
		return nil, err
	}
	var list []engine.Instance
	for _, i := range o.Instances {
		_, retiring := a.State.Retiring[i.ID]
		if a.Current != nil && i.Kind == engine.KindDeploy && i.Attempt == a.Current.identity(i.Type).Attempt && !retiring {
			list = append(list, i)
		}
	}
	return list, nil
}
