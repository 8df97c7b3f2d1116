package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/plan"
	"dokku/agent/proxy"
)

// settleRename finishes a committed rename in the state, and drops the record of one
// that was not committed.
func (x *Session) settleRename() {
	r := x.State.Renamed
	switch {
	case r == nil:
	case r.From == x.Name:
		x.Change(func(st *app.State) { st.Renamed = nil })
	case r.Domains != nil:
		x.Change(func(st *app.State) {
			st.Domains, st.Renamed = r.Domains, &app.Renamed{From: r.From, Redeploy: r.Redeploy}
		})
	}
}

// redeployRenamed replaces the processes that carry the former name. It tries once: if
// the new processes do not come up, the old ones still serve.
func (x *Session) redeployRenamed(ctx context.Context) error {
	r := x.State.Renamed
	if r == nil || !r.Redeploy {
		return nil
	}
	x.Log.Step("Restarting app %s", x.Name)
	err := x.Restart(ctx, "apps:rename", nil, func(*app.State) {})
	var rejected *rejection
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &rejected):
		return fmt.Errorf("%s is called %s now and its old processes serve, but they could not be replaced yet; "+
			"the agent will retry: %w", r.From, x.Name, err)
	}
	x.Change(func(st *app.State) { st.Renamed = &app.Renamed{From: r.From} })
	return x.saveAnd(fmt.Errorf("%s is called %s now and its old processes serve: new ones did not come up: %w\n"+
		"To try again: dokku ps:restart %[2]s", r.From, x.Name, err))
}

// Observe returns the app's resources, including those with its former name.
func Observe(ctx context.Context, host engine.Processes, a *app.App) (engine.Observed, error) {
	o, err := host.Observe(ctx, a.Name)
	former := a.Former()
	if former == "" || err != nil {
		return o, err
	}
	f, err := host.Observe(ctx, former)
	o.Instances = append(o.Instances, f.Instances...)
	slices.SortFunc(o.Instances, func(a, b engine.Instance) int { return cmp.Compare(a.Name, b.Name) })
	o.Networks = append(o.Networks, f.Networks...)
	o.Images = append(o.Images, f.Images...)
	return o, err
}

// Live returns the app's route, or the route of its former name until the new one
// replaces it.
func Live(ctx context.Context, px proxy.Proxy, a *app.App) (proxy.Route, bool, error) {
	r, ok, err := px.Live(ctx, a.Name)
	if former := a.Former(); former != "" && !ok && err == nil {
		return px.Live(ctx, former)
	}
	return r, ok, err
}

// dropFormer ends a rename once no resource carries the former name.
func (x *Session) dropFormer(w plan.Observation) {
	former := x.App.Former()
	if former == "" || x.State.Renamed.Redeploy || w.Live != nil && w.Live.App == former {
		return
	}
	left := slices.ContainsFunc(w.Instances, func(i engine.Instance) bool { return i.App == former }) ||
		slices.ContainsFunc(w.Networks, func(n engine.Network) bool { return n.App == former }) ||
		slices.ContainsFunc(w.Images, func(i engine.Image) bool { return i.App == former })
	if !left {
		x.Change(func(st *app.State) { st.Renamed = nil })
	}
}

// adopt gives an image the app's name in place of the former one. A crash in between
// leaves both names, and the next converge continues.
func (e *executor) adopt(ctx context.Context, id string) error {
	if err := e.host.Tag(ctx, id, ImageTag(e.session.Name, id)); err != nil {
		return err
	}
	return e.host.Remove(ctx, engine.Resource{Kind: engine.ImageKind, ID: id, App: e.session.App.Former()})
}
