package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"dokku/agent/app"
	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/agent/failpoint"
	"dokku/agent/plan"
	"dokku/scale"
)

// A rollout starts processes of a release beside the running ones and checks whether
// they may replace those. Until the commit the serving processes and their route stay;
// undo removes the new ones.
type rollout struct {
	session *Session
	host    machine
	release *app.Release
	// formation is the release's formation once it is current.
	formation scale.Formation
	targets   []checks.Target
	image     engine.ImageInfo // see imageInfo
	// finds: the web port is not known yet, see findPort.
	finds bool
	// ran are the commands that have run (release, predeploy) and cannot be undone.
	ran []string
	// cut is the command that was running when the deploy was cancelled; "": none.
	cut string
	// ahead are the changes that storeAhead has stored.
	ahead []func(*app.State)
	// stopped are the processes of exclusive types that the rollout has ended.
	stopped []app.Process
}

// rollout begins the rollout of a release. Its formation includes the scale that
// ps:scale --skip-deploy set for the next deploy.
func (x *Session) rollout(r *app.Release) (*rollout, error) {
	host, err := x.machine()
	if err != nil {
		return nil, err
	}
	o := &rollout{session: x, host: host, release: r}
	var notes []scale.Note
	if o.formation, notes, err = x.View().FormationOf(r); err != nil {
		return nil, err
	}
	for _, n := range notes {
		if n.Warning {
			x.warn(n.Text)
		} else {
			x.Log.Step("%s", n.Text)
		}
	}
	return o, nil
}

// run starts the processes and gates them. Meanwhile it tests their route: their
// addresses are known before they start. Exclusive types come last.
func (o *rollout) run(ctx context.Context, procs []app.Process) error {
	if err := o.session.Env.checkOptions(ctx, o.session.View(), o.release.ContainerOptions); err != nil {
		return err
	}
	if err := o.ready(ctx); err != nil {
		return err
	}
	if err := o.session.startLinks(ctx, o.release); err != nil {
		o.session.warn(err.Error())
	}
	procs = o.withoutLate(procs)
	if len(procs) == 0 {
		return o.stage(ctx, nil)
	}
	specs, err := o.specs(ctx, procs)
	if err != nil {
		return err
	}
	finds, err := o.findsPort(ctx, specs)
	if err != nil {
		return err
	}
	beside, alone := divide(procs, specs)
	staged := func(ctx context.Context) error { return o.stage(ctx, specs) }
	start := func(ctx context.Context) error { return o.startRounds(ctx, beside) }
	if o.finds = finds; !finds {
		if err := both(ctx, staged, start); err != nil {
			return err
		}
		return o.takeOver(ctx, alone)
	}
	// The route has to wait for the port.
	if err := start(ctx); err != nil {
		return err
	}
	if err := o.takeOver(ctx, alone); err != nil {
		return err
	}
	return staged(ctx)
}

// both calls do and other at the same time. The first error ends the other one.
func both(ctx context.Context, do, other func(context.Context) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return do(gctx) })
	g.Go(func() error { return other(gctx) })
	return g.Wait()
}

// divide returns the specs of the processes that start beside others of their type, and of
// those that run alone.
func divide(procs []app.Process, specs []engine.Spec) (beside, alone []engine.Spec) {
	for n, p := range procs {
		if p.Alone {
			alone = append(alone, specs[n])
		} else {
			beside = append(beside, specs[n])
		}
	}
	return beside, alone
}

// startRounds starts and gates the processes, round by round.
func (o *rollout) startRounds(ctx context.Context, specs []engine.Spec) error {
	for _, round := range o.rounds(specs) {
		if err := o.start(ctx, round); err != nil {
			return err
		}
		if err := o.gate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// deploy runs the commands that a new image runs once, and then starts all processes.
func (o *rollout) deploy(ctx context.Context) error {
	if err := o.runRelease(ctx); err != nil {
		return err
	}
	idle(o.session, o.release, o.formation)
	if err := o.runFirst(ctx); err != nil {
		return err
	}
	return o.run(ctx, o.all())
}

// withoutLate drops the processes that start only once the release is current.
func (o *rollout) withoutLate(procs []app.Process) []app.Process {
	var rest, late []app.Process
	for _, p := range procs {
		if p.Late {
			late = append(late, p)
		} else {
			rest = append(rest, p)
		}
	}
	if len(late) > 0 {
		o.session.Log.Warn("Zero downtime is disabled for %s: stopped and started without checks once the deploy is accepted", names(late))
	}
	return rest
}

// rounds divides the processes so that a round starts at most max_parallel (app.json)
// of each type. A round starts after the one before has passed the gate.
func (o *rollout) rounds(specs []engine.Spec) [][]engine.Spec {
	var rounds [][]engine.Spec
	before := map[string]int{}
	for _, s := range specs {
		n := 0
		if most := o.release.Control.AppJSON.Formation[s.Type].MaxParallel; most > 0 {
			n = before[s.Type] / most
		}
		before[s.Type]++
		for len(rounds) <= n {
			rounds = append(rounds, nil)
		}
		rounds[n] = append(rounds[n], s)
	}
	return rounds
}

// start starts processes in parallel, each at its own address.
func (o *rollout) start(ctx context.Context, specs []engine.Spec) error {
	var procs []app.Process
	for _, s := range specs {
		procs = append(procs, app.Process{Type: s.Type, Index: s.Index})
	}
	done := o.session.Log.Timed("start")
	o.session.Log.Step("Starting %s", names(procs))
	defer o.session.Log.Busy("starting %s", names(procs))()
	together(specs)
	o.session.filter(ctx, o.host, o.release, false)
	targets, err := o.startAll(ctx, specs)
	for try := 1; errors.Is(err, engine.ErrPortTaken) && try < mostStarts; try++ {
		o.session.Log.Step("Starting %s again, at other ports: %s", names(procs), err)
		targets, err = o.startAll(ctx, specs)
	}
	done(err)
	if err != nil {
		return o.session.untrusted(err)
	}
	o.session.filter(ctx, o.host, o.release, true)
	o.targets = targets
	return nil
}

// mostStarts is how often processes start before it counts that others have their ports.
const mostStarts = 3

// startAll starts processes side by side. The first error ends the other starts.
func (o *rollout) startAll(ctx context.Context, specs []engine.Spec) ([]checks.Target, error) {
	targets := make([]checks.Target, len(specs))
	g, gctx := errgroup.WithContext(ctx)
	for n, spec := range specs {
		g.Go(func() error {
			begun := time.Now()
			i, err := o.host.Start(gctx, spec)
			if err != nil {
				return err
			}
			if i.Placed() {
				i.Started = between(begun, i.Started, time.Now())
			}
			targets[n] = target(i, o.release.Port, o.session.View().HasTLS())
			return nil
		})
	}
	return targets, g.Wait()
}

// specs returns the Specs of processes, each with a free address and a unique name.
func (o *rollout) specs(ctx context.Context, procs []app.Process) ([]engine.Spec, error) {
	if o.release.OnSwarm() {
		return o.placedSpecs(ctx, procs)
	}
	w, err := o.observed(ctx, procs)
	if err != nil {
		return nil, err
	}
	taken := plan.Taken(w)
	var specs []engine.Spec
	for _, p := range procs {
		at := plan.NextAddress(w.Network, taken)
		if !at.IsValid() {
			return nil, fmt.Errorf("cannot start %s of %s: no address is left in %s: lower the counts (dokku ps:scale %[2]s)", p, o.session.Name, w.Network.Subnet)
		}
		taken[at] = true
		s, err := spec(o.session.View(), o.release, p, o.session.Container(p.Type, p.Index)+"."+o.release.Attempt, at)
		if err != nil {
			return nil, err
		}
		specs = append(specs, s)
	}
	return specs, nil
}

// observed returns the app's observed state before the rollout starts anything. It
// reuses tidy's observation if that had a network and no step followed.
func (o *rollout) observed(ctx context.Context, procs []app.Process) (plan.Observation, error) {
	if w := o.session.converged; w != nil && w.Network.Subnet.IsValid() {
		return *w, nil
	}
	px := o.session.Env.Proxy(o.session.Settings)
	return o.session.observe(ctx, o.host, px, plan.Desired{Want: procs})
}

// unplaced stands for the address of a process that the swarm has yet to place. No host has it
// (RFC 5737), and no proxy takes it for another kind of address.
var unplaced = netip.AddrFrom4([4]byte{192, 0, 2, 1})

// stage tests the route that the release gets once it is current. Of processes of a swarm it is
// tested with other addresses: these change nothing about whether the proxy takes it.
func (o *rollout) stage(ctx context.Context, specs []engine.Spec) error {
	if o.session.State.ProxyDisabled {
		return nil
	}
	px := o.session.Env.Proxy(o.session.Settings)
	if err := o.session.Env.checkPorts(ctx, o.session.View()); err != nil {
		return err
	}
	route := routeOf(o.session.Env.Store, o.session.View(), o.release)
	for n, s := range specs {
		switch {
		case s.Type != scale.Web:
		case s.Placement != nil:
			route.Upstreams = append(route.Upstreams, netip.AddrPortFrom(unplaced, uint16(n+1)))
		default:
			route.Upstreams = append(route.Upstreams, netip.AddrPortFrom(s.Address, uint16(o.release.Port)))
		}
	}
	if at := o.session.State.Listener(); at.IsValid() {
		route.Upstreams, route.Entrance = []netip.AddrPort{at}, nil
	}
	defer o.session.Log.Busy("testing the route")()
	done := o.session.Log.Timed("stage proxy")
	err := px.Stage(ctx, *route)
	done(err)
	if err == nil {
		err = failpoint.Reach(failpoint.ProxyStaged)
	}
	return err
}

// undo removes the resources of a failed rollout, even if ctx is cancelled.
func (o *rollout) undo(ctx context.Context) {
	patience := 2*time.Minute + o.session.View().Grace() // an exclusive type waits for the end of the rejected processes
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := failpoint.Reach(failpoint.UndoBegins)
	if o.session.Env.Store.AgentRuns() { // a rejected worker may need its stop timeout
		defer func(was bool) { o.session.LeaveStops, o.session.undoing = was, false }(o.session.LeaveStops)
		o.session.LeaveStops, o.session.undoing = true, true
	}
	if len(o.stopped) > 0 && o.session.Current != nil && !o.session.State.Stopped {
		o.session.Log.Step("Starting %s of v%d again", names(o.stopped), o.session.Current.Number)
	}
	if err == nil {
		err = o.session.Converge(ctx, false)
	}
	if err != nil {
		o.session.Log.Warn("Some resources of the failed deploy could not be removed; the agent will retry: %s", err)
	}
}

// missing returns the processes of the rollout's formation that have lacks.
func (o *rollout) missing(have []engine.Instance) []app.Process {
	var procs []app.Process
	for _, p := range processes(o.session.View(), o.release, o.formation, o.session.State.ProxyDisabled) {
		if !slices.ContainsFunc(have, func(i engine.Instance) bool { return i.Type == p.Type && i.Index == p.Index }) {
			procs = append(procs, p)
		}
	}
	return procs
}

// all returns the processes of the rollout's formation without the kept types. None has
// a host port: two containers cannot hold one, so it changes hands after the gate.
func (o *rollout) all() []app.Process {
	return slices.DeleteFunc(processes(o.session.View(), o.release, o.formation, false), func(p app.Process) bool {
		_, kept := o.release.Kept[p.Type]
		return kept
	})
}

// names joins the names of processes: "web.1 web.2".
func names(procs []app.Process) string {
	var list []string
	for _, p := range procs {
		list = append(list, p.String())
	}
	return strings.Join(list, " ")
}

// describe notes in the release what its deploy changed and ran.
func (o *rollout) describe() {
	o.release.Changes, o.release.Ran = app.Changes(o.session.Current, o.release), o.ran
	o.release.Before, o.release.Deploy = o.session.State.Current, o.session.deployLog
}

// promote makes a release current if prove, which starts and gates its processes,
// returns no error. One rename commits the release together with change. If prove
// fails, nothing has changed.
func (x *Session) promote(ctx context.Context, r *app.Release, change func(*app.State), prove func(*rollout) error) (err error) {
	before := x.State.Clone()
	change(&x.State)
	o, err := x.rollout(r)
	if err != nil {
		x.State = before
		return err
	}
	if err := prove(o); err != nil {
		x.State = before
		o.keepAhead()
		err = o.report(ctx, err)
		o.undo(ctx)
		return err
	}
	o.describe()
	if err = x.Env.Store.SaveRelease(x.Name, r); err == nil {
		err = failpoint.Reach(failpoint.ReleaseWritten)
	}
	if err != nil {
		x.State = before
		o.keepAhead()
		o.undo(ctx)
		return err
	}
	x.commit(r)
	return x.Decide(context.WithoutCancel(ctx), fmt.Sprintf("v%d of %s is current now", r.Number, x.Name))
}
