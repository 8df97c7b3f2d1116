package deploy

import (
	"context"
	"fmt"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// KnowsTypes refuses process types that the current release lacks, and counts above the
// server's limit. A stored count of a type that has left the Procfile may be set to 0.
func KnowsTypes(v app.View, counts map[string]int) error {
	asked := v.State.Asked()
	for t, n := range counts {
		_, stored := asked[t]
		if v.Current != nil && !v.Current.Control.Has(t) && (n != 0 || !stored) {
			return fmt.Errorf("%s is not a valid process name to scale up", t)
		}
		if n > v.Settings.MaxScale {
			//lint:ignore ST1005 the text is Dokku's
			return fmt.Errorf("Invalid count for process type %s: %d is more than %d, the server's limit: ask its admin to raise max_scale", t, n, v.Settings.MaxScale)
		}
	}
	return nil
}

// Scale sets the counts of process types. It starts and gates missing processes, then
// commits the counts and retires surplus ones. Without a current release, and while the
// app is stopped, it only stores the counts.
func (x *Session) Scale(ctx context.Context, counts map[string]int) error {
	if err := x.ScalesTo(counts); err != nil {
		return err
	}
	if x.Current == nil || x.State.Stopped {
		x.Change(func(st *app.State) { scaleTo(x, st, counts) })
		return x.Save()
	}
	// The leftovers of an interrupted command have not passed the gate: remove them first.
	if err := x.tidy(ctx); err != nil {
		return err
	}
	have, err := x.Env.InstancesOf(ctx, x.View())
	if err != nil {
		return err
	}
	if x.Current.OnSwarm() {
		if done, err := x.scalePlaced(ctx, counts, have); done || err != nil {
			return err
		}
	}
	o, err := x.scaling(app.Merged(x.State.Scale, counts))
	if err != nil {
		return err
	}
	if err := o.run(ctx, o.missing(have)); err != nil {
		err = o.report(ctx, err)
		o.undo(ctx)
		return err
	}
	x.Change(func(st *app.State) { scaleTo(x, st, counts) })
	return x.Decide(context.WithoutCancel(ctx), "the scale of "+x.Name+" is set")
}

// ScalesTo refuses counts with which the app would run more processes than it may.
func (x *Session) ScalesTo(counts map[string]int) error {
	if x.Current == nil { // the first push knows the types
		return nil
	}
	f, err := x.View().FormationWith(app.Merged(x.State.Asked(), counts))
	if err != nil {
		return err
	}
	return x.checkProcesses(f)
}

// scaleTo stores counts, and forgets those of types that the app no longer has.
func scaleTo(x *Session, st *app.State, counts map[string]int) {
	st.ScaleTo(counts)
	for t := range counts {
		if x.Current != nil && !x.Current.Control.Has(t) {
			delete(st.Scale, t)
		}
	}
}

// scaling returns a rollout of the current release with another local scale.
func (x *Session) scaling(local map[string]int) (*rollout, error) {
	host, err := x.machine()
	if err != nil {
		return nil, err
	}
	f, _, err := x.Current.Control.Resolve(local)
	return &rollout{session: x, host: host, release: x.Current, formation: f}, err
}

// InstancesOf returns the containers of the app's current release, sorted by name,
// without retiring ones.
func (e *Env) InstancesOf(ctx context.Context, a app.View) ([]engine.Instance, error) {
	host, err := e.machine(a.Settings)
	if err != nil {
		return nil, err
	}
	o, err := observePlaced(ctx, host, a)
	if err != nil {
		return nil, err
	}
	var list []engine.Instance
	for _, i := range o.Instances {
		_, retiring := a.State.Retiring[i.ID]
		if a.Current != nil && i.Kind == engine.KindDeploy && i.Attempt == a.Current.Identity(i.Type).Attempt && !retiring {
			list = append(list, i)
		}
	}
	return list, nil
}
