package deploy

import (
	"context"
	"slices"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/failpoint"
	"dokku/agent/inspect"
	"dokku/agent/plan"
	"dokku/agent/proc"
	"dokku/agent/store"
	"dokku/scale"
)

// Desired returns the desired state of an app for Plan.
func Desired(s *store.Store, v app.View) (plan.Desired, error) {
	d := plan.Desired{App: v.Name, Stopped: v.State.Stopped,
		Retiring: v.State.Retiring, Images: map[string]bool{}, Former: v.Former()}
	if v.Current != nil {
		d.Image = v.Current.Image
	}
	kept, err := s.KeptReleases(v)
	if err != nil {
		return d, err
	}
	for _, r := range kept {
		d.Releases = append(d.Releases, r.Number)
		d.Images[r.Image] = true
		if r.SourceImage != "" {
			d.Images[r.SourceImage] = true
		}
	}
	if v.Served() && !v.State.ProxyDisabled {
		d.Route, d.Listener = routeOf(s, v, v.Current), v.State.Listener()
	}
	if v.Current == nil {
		return d, nil
	}
	d.Release, d.Attempt, d.Port, d.Network = v.Current.Number, v.Current.Attempt, v.Current.Port, true
	d.Kept, d.Scheduled = v.Current.Kept, v.Current.OnSwarm()
	f, err := v.FormationWith(v.State.Scale)
	if err != nil {
		return d, err
	}
	d.Want = processes(v, nil, f, v.State.ProxyDisabled)
	d.MostRetiring = mostRetiring(v, f)
	return d, err
}

// processes lists the instances of a formation, sorted by type and index. next is the
// release that is about to take over; nil: none is. bound gives web its host ports.
func processes(v app.View, next *app.Release, f scale.Formation, bound bool) []app.Process {
	// Invalid settings disable nothing here; a deploy refuses them.
	exclusive := exclusiveTypes(v, next)
	set, _ := inspect.CheckSettings(v)
	var list []app.Process
	for _, e := range f {
		for i := 1; i <= e.Count; i++ {
			late := set.Disables(e.Type)
			p := app.Process{Type: e.Type, Index: i, Alone: late || exclusive[e.Type], Late: late}
			if bound && e.Type == "web" {
				p.HostPort = v.State.HostPort + i - 1
			}
			list = append(list, p)
		}
	}
	return list
}

// Clients reports of each client of a one-off container, by its label, whether it
// lives.
func Clients(instances []engine.Instance) map[string]bool {
	alive := map[string]bool{}
	for _, i := range plan.OneOffs(instances) {
		if _, known := alive[i.Client]; !known {
			alive[i.Client] = proc.ParseOwner(i.Client).Alive()
		}
	}
	return alive
}

// network returns the app's bridge network. It creates a missing one.
func network(ctx context.Context, host engine.Networks, app string, seen []engine.Network) (engine.Network, error) {
	seen = slices.DeleteFunc(slices.Clone(seen), func(n engine.Network) bool { return n.App != app || n.Overlay })
	if len(seen) == 1 {
		return seen[0], nil
	}
	n, err := host.Network(ctx, app)
	if err == nil {
		err = failpoint.Reach(failpoint.NetworkMade)
	}
	return n, err
}
