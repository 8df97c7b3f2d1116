package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/scale"
)

// A rollout starts processes of a release beside what runs, and finds out
// whether they may take over. Until commit nothing that serves has changed;
// undo removes what was started.
type rollout struct {
	*session
	host    engine.Host
	release *Release
	control control
	// formation is what the release runs once it is current.
	formation scale.Formation
	targets   []checks.Target
	// released: the release command has run, and cannot be undone.
	released bool
}

// rollout begins one. Its formation counts what ps:scale --skip-deploy left for
// the next deploy.
func (x *session) rollout(r *Release) (*rollout, error) {
	host, err := x.Host()
	if err != nil {
		return nil, err
	}
	o := &rollout{session: x, host: host, release: r}
	if o.control, err = r.parse(x.set); err != nil {
		return nil, err
	}
	local := x.State.asked()
	var notes []scale.Note
	if o.formation, notes, err = o.control.resolve(local); err != nil {
		return nil, err
	}
	for _, n := range notes {
		if n.Warning {
			x.log.Warn("%s", n.Text)
		} else {
			x.log.Step("%s", n.Text)
		}
	}
	return o, nil
}

// run starts the processes and passes them through the gate. Meanwhile the
// route that they are to get is tested; their addresses are known before they
// start.
func (o *rollout) run(ctx context.Context, procs []Process) error {
	if len(procs) == 0 {
		return o.stage(ctx, nil)
	}
	specs, err := o.specs(ctx, procs)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return o.stage(gctx, specs) })
	g.Go(func() error {
		if err := o.start(gctx, procs, specs); err != nil {
			return err
		}
		return o.gate(gctx)
	})
	return g.Wait()
}

// start starts all processes at the same time, each at an address of its own.
func (o *rollout) start(ctx context.Context, procs []Process, specs []engine.Spec) error {
	done := o.log.Timed("start")
	o.log.Step("Starting %s", names(procs))
	targets := make([]checks.Target, len(specs))
	g, gctx := errgroup.WithContext(ctx)
	for n, spec := range specs {
		g.Go(func() error {
			i, err := o.host.Start(gctx, spec)
			if err != nil {
				return err
			}
			targets[n] = target(i, o.release.Port)
			return nil
		})
	}
	err := g.Wait()
	done(err)
	if err != nil {
		return err
	}
	o.targets = targets
	return nil
}

// specs gives each process an address and a name that nothing has.
func (o *rollout) specs(ctx context.Context, procs []Process) ([]engine.Spec, error) {
	w, err := o.world(ctx, procs)
	if err != nil {
		return nil, err
	}
	taken := taken(w)
	var specs []engine.Spec
	for _, p := range procs {
		at := nextAddress(w.Network, taken)
		if !at.IsValid() {
			return nil, fmt.Errorf("cannot start %s of %s: no address is left in %s", p, o.Name, w.Network.Subnet)
		}
		taken[at] = true
		s, err := o.spec(o.release, p, o.container(p.Type, p.Index)+"."+o.release.Attempt, at)
		if err != nil {
			return nil, err
		}
		specs = append(specs, s)
	}
	return specs, nil
}

// world is what there is before anything of the rollout starts: what tidy saw,
// unless that had no network yet, or something was done since.
func (o *rollout) world(ctx context.Context, procs []Process) (World, error) {
	if o.rest != nil && o.rest.Network.Subnet.IsValid() {
		return *o.rest, nil
	}
	px, err := o.router()
	if err != nil {
		return World{}, err
	}
	return o.observe(ctx, o.host, px, Desired{Want: procs})
}

// stage tests the route that is published once the release is current.
func (o *rollout) stage(ctx context.Context, specs []engine.Spec) error {
	if o.State.ProxyDisabled {
		return nil
	}
	px, err := o.router()
	if err != nil {
		return err
	}
	if err := o.checkPorts(ctx); err != nil {
		return err
	}
	route, err := o.route(o.release)
	if err != nil {
		return err
	}
	for _, s := range specs {
		if s.Type == "web" {
			route.Upstreams = append(route.Upstreams, netip.AddrPortFrom(s.Address, uint16(o.release.Port)))
		}
	}
	done := o.log.Timed("stage proxy")
	err = px.Stage(ctx, *route)
	done(err)
	return err
}

// undo removes what was started, also when ctx has been cancelled.
func (o *rollout) undo(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	if err := o.converge(ctx, false); err != nil {
		o.log.Warn("Not everything of the attempt could be removed, the agent goes on trying: %s", err)
	}
}

// missing are the processes of the rollout's formation that are not in have.
func (o *rollout) missing(have []engine.Instance) []Process {
	var procs []Process
	for _, p := range o.processes(o.formation, o.State.ProxyDisabled) {
		if !slices.ContainsFunc(have, func(i engine.Instance) bool { return i.Type == p.Type && i.Index == p.Index }) {
			procs = append(procs, p)
		}
	}
	return procs
}

// all are the processes of the rollout's formation. None is published on the
// host: a host port cannot be held twice, so it changes hands after the gate.
func (o *rollout) all() []Process { return o.processes(o.formation, false) }

func names(procs []Process) string {
	var list []string
	for _, p := range procs {
		list = append(list, p.String())
	}
	return strings.Join(list, " ")
}

// redeploy replaces all processes with those of a new release that runs what
// the current one runs, with the present settings. The release becomes current
// with one rename; change is part of it.
func (x *session) redeploy(ctx context.Context, r *Release, change func(*State)) (err error) {
	before := x.State.clone()
	change(&x.State)
	o, err := x.rollout(r)
	if err != nil {
		x.State = before
		return err
	}
	if err := o.run(ctx, o.all()); err != nil {
		x.State = before
		err = o.report(ctx, err)
		o.undo(ctx)
		return err
	}
	if err := x.saveRelease(x.Name, r); err != nil {
		x.State = before
		o.undo(ctx)
		return err
	}
	x.commit(r)
	return x.converge(context.WithoutCancel(ctx), false)
}
