package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/failpoint"
	"dokku/agent/plan"
	"dokku/agent/proxy"
)

// An Executor carries out a plan. It decides nothing: it stops at the first
// step that fails, and the next converge plans anew.
type Executor struct {
	Session *Session
	host    engine.Host
	proxy   proxy.Proxy
	desired plan.Desired
	world   plan.Observation
}

// execute runs the steps. All marks are recorded before the first call to the
// engine, in the same write that commits.
func (e *Executor) execute(ctx context.Context, steps []plan.Step) error {
	for _, s := range steps {
		if s.Action == plan.ActMark {
			e.setRetiring(s.IDs, time.Time{})
		}
	}
	if err := e.Session.Save(); err != nil {
		return err
	}
	if e.Session.LeaveStops {
		steps = e.Leave(steps)
	}
	notified := false
	var unremoved error
	for len(steps) > 0 {
		if a := steps[0].Action; !notified && a != plan.ActStart && a != plan.ActFree && a != plan.ActMark && a != plan.ActPublish && a != plan.ActWithdraw {
			e.notify(&notified)
		}
		n := parallel(steps)
		err := e.runAll(ctx, steps[:n])
		if err != nil && !removesImage(steps[0]) {
			return err
		}
		unremoved = errors.Join(unremoved, err)
		steps = steps[n:]
	}
	e.notify(&notified)
	if err := e.Session.Save(); err != nil {
		return err
	}
	if err := followBranch(e.Session); err != nil {
		return err
	}
	if err := sweepReleases(e.Session); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.Cleaned); err != nil {
		return err
	}
	return e.tellUnremoved(unremoved)
}

// tellUnremoved says that images are left. All that serves is as it should be by
// then: that is an error only for the agent, which tries again, and where the app
// itself goes, since nobody could find them afterwards.
func (e *Executor) tellUnremoved(err error) error {
	if err == nil || e.Session.ByAgent || e.Session.State.Destroying || e.Session.State.Provisional {
		return err
	}
	e.Session.Log.Warn("Not all old images could be removed, the agent goes on trying: %s", err)
	return nil
}

func removesImage(s plan.Step) bool { return s.Action == plan.ActRemove && s.Kind == engine.ImageKind }

// Leave takes the stops out of a plan and records them as due, for the agent.
// What is left to it stays recorded: a container that is forgotten while the
// agent stops it would be taken for one that may serve again.
func (e *Executor) Leave(steps []plan.Step) []plan.Step {
	var due, left []string
	steps = slices.DeleteFunc(steps, func(s plan.Step) bool {
		// An engine that is busy takes long to remove an image.
		if removesImage(s) && !e.Session.ByAgent && !e.Session.State.Destroying && !e.Session.State.Provisional {
			return true
		}
		if s.Action != plan.ActRetire || !s.Running {
			return false
		}
		left = append(left, s.ID)
		if at, known := e.Session.State.Retiring[s.ID]; !known || at.IsZero() {
			due = append(due, s.ID)
		}
		return true
	})
	if len(left) > 0 {
		// What is left to be stopped may still need its network.
		steps = slices.DeleteFunc(steps, func(s plan.Step) bool { return s.Action == plan.ActRemove && s.Kind == engine.NetworkKind })
	}
	for n := range steps {
		if steps[n].Action == plan.ActForget {
			steps[n].IDs = slices.DeleteFunc(steps[n].IDs, func(id string) bool { return slices.Contains(left, id) })
		}
	}
	steps = slices.DeleteFunc(steps, func(s plan.Step) bool { return s.Action == plan.ActForget && len(s.IDs) == 0 })
	if len(due) > 0 {
		steps = append(steps, plan.Step{Action: plan.ActDue, IDs: due, Cause: "the agent stops them"})
	}
	return steps
}

// notify tells that the new route is live, before the old processes are
// stopped: that may take as long as their stop timeout.
func (e *Executor) notify(done *bool) {
	if !*done && e.Session.published != nil {
		e.Session.published()
		e.Session.published = nil
	}
	*done = true
}

// parallel returns how many of the first steps may run at the same time: starts
// and ends are independent of each other, all others keep their order.
func parallel(steps []plan.Step) int {
	a := steps[0].Action
	if a != plan.ActStart && a != plan.ActFree && a != plan.ActRetire && a != plan.ActStop {
		return 1
	}
	n := 0
	for n < len(steps) && steps[n].Action == a && steps[n].Holder == nil {
		n++
	}
	return max(n, 1)
}

func (e *Executor) runAll(ctx context.Context, steps []plan.Step) error {
	if len(steps) == 1 {
		return e.run(ctx, steps[0])
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, s := range steps {
		g.Go(func() error { return e.run(ctx, s) })
	}
	return g.Wait()
}

func (e *Executor) run(ctx context.Context, s plan.Step) (err error) {
	if s.Action == plan.ActMark {
		return nil
	}
	done := e.Session.Log.Timed(s.String())
	defer func() { done(err) }()
	switch s.Action {
	case plan.ActStart:
		return e.start(ctx, s)
	case plan.ActFree, plan.ActStop:
		return e.host.Stop(ctx, s.ID, e.Session.View().Grace())
	case plan.ActPublish:
		if err := e.proxy.Publish(ctx, *s.Route); err != nil {
			return err
		}
		return failpoint.Reach(failpoint.Published)
	case plan.ActWithdraw:
		if former := e.Session.App.Former(); former != "" {
			if err := e.proxy.Withdraw(ctx, former); err != nil {
				return err
			}
		}
		return e.proxy.Withdraw(ctx, e.Session.Name)
	case plan.ActDeadline:
		e.setRetiring(s.IDs, time.Now().Add(waitToRetire(e.Session.View())))
		return e.Session.Save()
	case plan.ActDue:
		e.setRetiring(s.IDs, time.Now())
		return e.Session.Save()
	case plan.ActForget:
		e.Session.Change(func(st *app.State) {
			for _, id := range s.IDs {
				delete(st.Retiring, id)
			}
		})
		return nil
	case plan.ActRename:
		return e.host.Rename(ctx, s.ID, s.Name)
	case plan.ActRetire:
		if err := e.host.Stop(ctx, s.ID, e.Session.View().Grace()); err != nil {
			return err
		}
		if err := e.host.Remove(ctx, engine.Resource{Kind: engine.Container, ID: s.ID}); err != nil {
			return err
		}
		return failpoint.Reach(failpoint.OldRetired)
	case plan.ActAdopt:
		return e.adopt(ctx, s.ID)
	case plan.ActRemove:
		return e.host.Remove(ctx, engine.Resource{Kind: s.Kind, ID: s.ID, App: s.App})
	}
	return fmt.Errorf("internal error: no such step: %s", s)
}

// start starts a container; if it held the place of one that served, and does
// not start, the other one serves again.
func (e *Executor) start(ctx context.Context, s plan.Step) error {
	spec, err := spec(e.Session.View(), e.Session.Current, s.Process, s.Name, s.Address)
	if err != nil {
		return err
	}
	_, err = e.host.Start(ctx, spec)
	if err == nil || s.Holder == nil {
		return err
	}
	h := s.Holder
	back := engine.Spec{App: h.App, Kind: h.Kind, Type: h.Type, Index: h.Index, Release: h.Release,
		Attempt: h.Attempt, Name: h.Name, Image: h.Image, Address: h.Address, HostPort: h.HostPort}
	if _, berr := e.host.Start(context.WithoutCancel(ctx), back); berr != nil {
		return fmt.Errorf("%w; and %s, which served before, does not start again: %v", err, h.Name, berr)
	}
	return fmt.Errorf("%w; %s of v%d serves again", err, h.Name, h.Release)
}

func (e *Executor) setRetiring(ids []string, due time.Time) {
	e.Session.Change(func(st *app.State) {
		if st.Retiring == nil {
			st.Retiring = map[string]time.Time{}
		}
		for _, id := range ids {
			st.Retiring[id] = due
		}
	})
}
