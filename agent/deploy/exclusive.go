package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/failpoint"
	"dokku/agent/plan"
	"dokku/agent/store"
	"dokku/scale"
)

// exclusiveTypes returns the process types that the current release or the next one, which
// may be nil, calls exclusive. While one of them says so, the other one's processes may not
// run beside its own. An invalid setting counts as none: a deploy refuses it.
func exclusiveTypes(v app.View, next *app.Release) map[string]bool {
	types := map[string]bool{}
	for _, r := range []*app.Release{v.Current, next} {
		if r == nil {
			continue
		}
		set, _ := v.Rollovers(r)
		for typ, rollover := range set {
			types[typ] = types[typ] || rollover == scale.Exclusive
		}
	}
	return types
}

// takeOver replaces the processes of exclusive types: it ends the old ones, then starts
// and gates the new ones. Everything else that can fail comes before it, so that the gap
// is short, and seldom in vain.
func (o *rollout) takeOver(ctx context.Context, specs []engine.Spec) error {
	if len(specs) > 0 {
		if err := o.makeWay(ctx, specs); err != nil {
			return err
		}
		if err := o.startRounds(ctx, specs); err != nil {
			return err
		}
	}
	return failpoint.Reach(failpoint.AllHealthy)
}

// makeWay ends the containers beside which processes may not start. They are recorded as
// retiring before the first one ends: whatever happens then, the next plan takes them for
// missing, and unless the new release is current, starts others of theirs in their place.
func (o *rollout) makeWay(ctx context.Context, specs []engine.Spec) error {
	x, first := o.session, map[string]app.Process{}
	for _, s := range slices.Backward(specs) {
		first[s.Type] = app.Process{Type: s.Type, Index: s.Index}
	}
	seen, err := observePlaced(ctx, o.host, x.View())
	if err != nil {
		return err
	}
	var old, serving []app.Process
	var steps []plan.Step
	var ids []string
	for _, i := range seen.Instances {
		to, alone := first[i.Type]
		if !alone || i.Kind != engine.KindDeploy || !plan.MayRun(i) || x.runs(o.release, i) { // ps:scale adds to these
			continue
		}
		if i.Status == engine.StatusLost {
			return fmt.Errorf("cannot run %[1]s.%[2]d anew: nobody can tell whether it has ended, since its node %[3]s does not answer; "+
				"bring that back, or take it out if it is off: docker node rm --force %[3]s", i.Type, i.Index, i.Node)
		}
		old = append(old, app.Process{Type: i.Type, Index: i.Index})
		if x.Current != nil && x.runs(x.Current, i) {
			serving = append(serving, old[len(old)-1])
		}
		steps, ids = append(steps, plan.Yield(i, to)), append(ids, i.ID)
	}
	if len(old) == 0 {
		return nil
	}
	now := time.Now()
	if err := o.storeAhead(func(st *app.State) { st.Retire(ids, now) }); err != nil {
		return err
	}
	o.stopped = serving
	x.Log.Step("Stopping %s first: the rollover is exclusive", names(distinct(old)))
	if _, web := first[scale.Web]; web {
		x.Log.Warn("No request is answered until the new web processes have passed their checks")
	}
	return (&executor{session: x, host: o.host}).runAll(ctx, steps)
}

// distinct leaves out the repeated names of processes of which older containers still run.
func distinct(procs []app.Process) []app.Process {
	procs = slices.SortedFunc(slices.Values(procs), func(a, b app.Process) int { return cmp.Or(cmp.Compare(a.Type, b.Type), a.Index-b.Index) })
	return slices.Compact(procs)
}

// runs reports whether a container is a process of a release that has not begun to retire.
func (x *Session) runs(r *app.Release, i engine.Instance) bool {
	_, retiring := x.State.Retiring[i.ID]
	return !retiring && r.Identity(i.Type) == app.Identity{Release: i.Release, Attempt: i.Attempt}
}

// storeAhead stores a change of the state at once, because it holds whatever becomes of
// the deploy. Changes that are not committed yet stay out of the file.
func (o *rollout) storeAhead(change func(*app.State)) error {
	x := o.session
	stored, err := x.Env.Store.Load(x.Name)
	if err != nil {
		return err
	}
	change(&stored.State)
	err = x.Env.Store.SaveState(x.Name, &stored.State)
	var unsynced *store.UnsyncedError
	if err == nil || errors.As(err, &unsynced) {
		o.ahead = append(o.ahead, change)
		change(&x.State)
	}
	return err
}

// keepAhead puts what was stored ahead into the session's state: a failed deploy restores
// the former settings, but what has happened has happened.
func (o *rollout) keepAhead() {
	for _, change := range o.ahead {
		change(&o.session.State)
	}
}
