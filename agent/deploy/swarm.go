package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/scale"
)

// place makes a Spec one of the swarm's, in the group that begins with first.
func (x *Session) place(ctx context.Context, r *app.Release, s *engine.Spec, first, count int) error {
	auth, err := x.registryAuth(ctx)
	if err != nil {
		return err
	}
	s.Placement = &engine.Placement{First: first, Count: count, Image: r.Remote, Auth: auth,
		Constraints: r.Swarm.Constraints, Preferences: r.Swarm.Preferences, MaxPerNode: r.Swarm.MaxPerNode}
	if s.Type != scale.Web {
		s.Port = 0 // nothing connects to it from outside
	}
	return nil
}

// placedSpecs returns the Specs of processes for the swarm. Those of one type that follow each
// other become a group.
func (o *rollout) placedSpecs(ctx context.Context, procs []app.Process) ([]engine.Spec, error) {
	x := o.session
	var specs []engine.Spec
	for _, p := range procs {
		first := p.Index
		for slices.ContainsFunc(procs, func(q app.Process) bool { return q.Type == p.Type && q.Index == first-1 }) {
			first--
		}
		s, err := x.specOf(ctx, o.release, p, x.Container(p.Type, p.Index), first, 0)
		if err != nil {
			return nil, err
		}
		specs = append(specs, s)
	}
	return specs, nil
}

// together makes the processes that start at the same time one step for the swarm.
func together(specs []engine.Spec) {
	type group struct {
		typ   string
		first int
	}
	counts := map[group]int{}
	for _, s := range specs {
		if s.Placement != nil {
			g := group{s.Type, s.Placement.First}
			counts[g] = max(counts[g], s.Slot())
		}
	}
	for _, s := range specs {
		if s.Placement != nil {
			s.Placement.Count = counts[group{s.Type, s.Placement.First}]
		}
	}
}

// swarmReady refuses a release that the swarm cannot run, before anything is built or started,
// and warns of what is different there.
func (x *Session) swarmReady(ctx context.Context, r *app.Release) error {
	if !r.OnSwarm() {
		return nil
	}
	host, err := x.Env.Engine(x.Settings)
	if err == nil {
		err = Manages(ctx, host)
	}
	v := x.View()
	if err == nil && !v.HasRegistry() {
		err = NoRegistryError(x.Name)
	}
	const alone = "To run it on this server alone: dokku scheduler:set %[1]s selected " + app.SchedulerLocal
	if err != nil {
		return fmt.Errorf("cannot run %[1]s on a swarm: %[2]w\n"+alone, x.Name, err)
	}
	errs := []error{x.swarmPorts(r), x.swarmMounts(r), x.swarmNetworks(ctx, host, r), x.swarmChecks(r), x.swarmSpecs(r)}
	if v.State.ProxyDisabled {
		errs = append(errs, errors.New("its proxy is disabled, and a process of a swarm cannot be bound to a port of this server: dokku proxy:enable "+x.Name))
	}
	var bad []string
	for _, err := range errs {
		if err != nil {
			bad = append(bad, err.Error())
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("cannot run %[1]s on a swarm: %[2]s\n"+alone, x.Name, strings.Join(bad, "\n"))
}

// Manages returns an error, with what helps, unless the engine can change its swarm.
func Manages(ctx context.Context, host engine.Clusters) error {
	c, err := host.Cluster(ctx)
	switch {
	case errors.Is(err, engine.ErrNoCluster):
		return fmt.Errorf("%w: to make it the first manager of one: dokku cluster:init", err)
	case errors.Is(err, engine.ErrNoQuorum):
		return fmt.Errorf("%w: see dokku cluster:report", err)
	case err == nil && c.Role != engine.RoleManager:
		return fmt.Errorf("%w, and a manager alone can have it run processes: docker node promote NODE, on a manager", engine.ErrNoManager)
	}
	return err
}

// NoRegistryError refuses an app of a swarm whose images go to no registry.
func NoRegistryError(name string) error {
	return fmt.Errorf("the nodes of a swarm pull the images of %s from a registry, and none is set: dokku registry:set %[1]s server REGISTRY, "+
		"or for one on this server: sudo dokku registry:serve", name)
}

// swarmPorts refuses ports that nodes do not publish. r.Port is 0 before the build.
func (x *Session) swarmPorts(r *app.Release) error {
	ports := map[int]bool{}
	for _, m := range x.State.Ports {
		if m.Container != 0 || r.Port != 0 {
			m.Container = max(m.Container, 0)
			if m.Container == 0 {
				m.Container = r.DetectedPort()
			}
			ports[m.Container] = true
		}
	}
	if r.Port != 0 && len(ports) > 0 {
		ports[r.Port] = true
	}
	if len(ports) < 2 {
		return nil
	}
	return fmt.Errorf("its port mappings lead to several ports of web, and nodes publish one of them: dokku ports:set %s, see dokku ports:report %[1]s", x.Name)
}

// swarmMounts refuses folders of this server, and warns of volumes.
func (x *Session) swarmMounts(r *app.Release) error {
	var folders, volumes []string
	mounts := slices.Clone(r.Mounts)
	if c, err := r.Containers(""); err == nil {
		for _, m := range c.Mounts {
			mounts = append(mounts, app.Mount{Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
		}
	}
	for _, m := range mounts {
		source, err := x.Settings.Source(m, false) // no folder is mounted there
		switch {
		case err != nil:
			return err
		case !m.In(app.MountDeploy, m.ProcessType):
		case strings.HasPrefix(source, "/"):
			folders = append(folders, source)
		default:
			volumes = append(volumes, source)
		}
	}
	if len(volumes) > 0 {
		x.warn("Each node has a volume " + strings.Join(volumes, ", ") + " of its own: a process that moves to another node finds another content")
	}
	if len(folders) == 0 {
		return nil
	}
	return fmt.Errorf("it mounts %s of this server, which other nodes do not have: dokku storage:unmount %s, and keep the files in a database or an object store, or see dokku storage:report %[2]s",
		strings.Join(folders, ", "), x.Name)
}

// swarmNetworks refuses networks that do not reach the other nodes.
func (x *Session) swarmNetworks(ctx context.Context, host engine.Networks, r *app.Release) error {
	if len(r.Networks) == 0 {
		return nil
	}
	all, err := SharedNetworks(ctx, host)
	if err != nil {
		return err
	}
	for _, n := range all {
		if slices.Contains(r.Networks, n.Name) && n.Driver != "overlay" {
			return fmt.Errorf("it joins the network %s, which is on this server alone: make an overlay (docker network create --driver overlay --attachable NAME), "+
				"and dokku network:set %s attach-post-create NAME", n.Name, x.Name)
		}
	}
	return nil
}

// swarmChecks refuses checks that nobody can make of a process on another node.
func (x *Session) swarmChecks(r *app.Release) error {
	plan, _, err := x.checkPlan(r, nil)
	if err != nil {
		return nil // whoever reads the files says so
	}
	for typ, list := range plan.Checks {
		for _, c := range list {
			switch {
			case c.Kind == checks.Uptime, c.Kind == checks.Command:
			case typ != scale.Web:
				return fmt.Errorf("app.json has a check of %s that connects to it, and nodes publish the port of web alone: check its uptime instead", typ)
			case c.Port != 0 && r.Port != 0 && c.Port != r.Port:
				return fmt.Errorf("app.json has a check of web at port %d, and nodes publish port %d alone: leave out its port", c.Port, r.Port)
			}
		}
	}
	return nil
}

// swarmSpecs refuses the options that no process of a swarm can have.
func (x *Session) swarmSpecs(r *app.Release) error {
	for _, typ := range r.Control.Procfile.Types() {
		s := engine.Spec{App: x.Name, Kind: engine.KindDeploy, Type: typ, Index: 1, Name: typ, Placement: &engine.Placement{Image: "any"}}
		if err := ApplyOptions(x.View(), &s, r); err != nil {
			return err
		}
		s.Image, s.Mounts = "any", slices.DeleteFunc(s.Mounts, engine.Mount.Bind) // see swarmMounts
		if err := s.Check(); err != nil {
			return err
		}
	}
	return nil
}

// JoinOverlay lets a one-off container reach what the processes of its release reach: it joins
// the app's network on the swarm, if there is one.
func JoinOverlay(ctx context.Context, host engine.Networks, s *engine.Spec, r *app.Release) error {
	if !r.OnSwarm() {
		return nil
	}
	all, err := host.AllNetworks(ctx)
	if err != nil {
		return err
	}
	name := engine.OverlayName(s.App)
	if slices.ContainsFunc(all, func(n engine.NetworkInfo) bool { return n.Name == name }) {
		s.Joins = append(s.Joins, name)
	}
	return nil
}

// needsPush reports whether the release's image has to go to a registry, or to another one.
func (x *Session) needsPush(r *app.Release) bool {
	repo, _, _ := cutLast(x.View().RemoteImage(r), ":")
	return r.OnSwarm() && !strings.HasPrefix(r.Remote, repo+"@")
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// scaledApart returns the types of which other counts need another group, by a new release: a
// group that serves cannot lose single processes, a start in one that retires would find what
// is about to end, and a swarm counts the processes of a node (max-per-node) in each group.
func scaledApart(v app.View, have []engine.Instance, retiring []engine.Instance, then scale.Formation) (types []string) {
	spans := map[string][2]int{} // of the groups
	for _, i := range have {
		s, known := spans[i.Group]
		if !known {
			s = [2]int{i.Index, i.Index}
		}
		spans[i.Group] = [2]int{min(s[0], i.Index), max(s[1], i.Index)}
	}
	for _, e := range then {
		cut := slices.ContainsFunc(have, func(i engine.Instance) bool {
			s := spans[i.Group]
			return i.Type == e.Type && s[0] <= e.Count && e.Count < s[1]
		})
		grows := false
		for index := 1; index <= e.Count; index++ {
			grows = grows || !slices.ContainsFunc(have, func(i engine.Instance) bool { return i.Type == e.Type && i.Index == index })
		}
		late := grows && slices.ContainsFunc(retiring, func(i engine.Instance) bool {
			return i.Placed() && i.Type == e.Type && v.Current.Identity(e.Type) == app.Identity{Release: i.Release, Attempt: i.Attempt}
		})
		if cut || late || grows && v.Current.Swarm.MaxPerNode > 0 && slices.ContainsFunc(have, func(i engine.Instance) bool { return i.Type == e.Type }) {
			types = append(types, e.Type)
		}
	}
	return types
}

// scalePlaced sets the counts of an app on a swarm. It is false where the present groups can
// just grow or end, as the containers of this machine do.
func (x *Session) scalePlaced(ctx context.Context, counts map[string]int, have []engine.Instance) (done bool, err error) {
	host, err := x.machine()
	if err != nil {
		return true, err
	}
	seen, err := observePlaced(ctx, host, x.View())
	if err != nil {
		return true, err
	}
	retiring := slices.DeleteFunc(seen.Instances, func(i engine.Instance) bool { _, is := x.State.Retiring[i.ID]; return !is })
	then, err := x.View().FormationWith(app.Merged(x.State.Scale, counts))
	if err != nil {
		return true, err
	}
	apart := scaledApart(x.View(), have, retiring, then)
	if len(apart) == 0 {
		return false, nil
	}
	x.Log.Step("Starting all of %s anew, since a swarm chooses itself which processes of a group it ends", strings.Join(apart, " "))
	kept := map[string]app.Identity{}
	for _, e := range then {
		if !slices.Contains(apart, e.Type) {
			kept[e.Type] = x.Current.Identity(e.Type)
		}
	}
	return true, x.restart(ctx, "ps:scale", kept, func(st *app.State) { scaleTo(x, st, counts) }, func(o *rollout) []app.Process {
		return append(o.all(), slices.DeleteFunc(o.missing(have), func(p app.Process) bool { return slices.Contains(apart, p.Type) })...)
	})
}

// observePlaced observes an app, and fails if nobody sees its processes on the swarm.
func observePlaced(ctx context.Context, host engine.Processes, v app.View) (engine.Observed, error) {
	o, err := Observe(ctx, host, v.App)
	if err == nil && v.Current.OnSwarm() && o.Unseen != nil {
		err = fmt.Errorf("the processes of %s on the swarm cannot be seen: %w; what runs goes on", v.Name, o.Unseen)
	}
	return o, err
}

// between is the time of an event as far as the clock of another server can be believed: it was
// between two moments of this one.
func between(from, at, to time.Time) time.Time {
	if at.Before(from) {
		return from
	}
	if at.After(to) {
		return to
	}
	return at
}
