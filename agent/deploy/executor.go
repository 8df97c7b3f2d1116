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

// An executor carries out a plan and decides nothing. It stops at the first step that
// fails; the next converge makes a new plan.
type executor struct {
	session *Session
	host    machine
	proxy   proxy.Proxy
	kept    []int // releases
}

// execute runs the steps. The write that commits also records all marks, before the
// first call to the engine.
func (e *executor) execute(ctx context.Context, steps []plan.Step) error {
	for _, s := range steps {
		if s.Action == plan.ActMark {
			e.setRetiring(s.IDs, time.Time{})
		}
	}
	if err := e.session.Save(); err != nil {
		return err
	}
	if e.session.LeaveStops {
		steps = e.leave(steps)
	}
	notified := false
	var unremoved, unforgotten, untagged error
	for len(steps) > 0 {
		if a := steps[0].Action; !notified && a != plan.ActStart && a != plan.ActFree && a != plan.ActYield && a != plan.ActMark && a != plan.ActPublish && a != plan.ActWithdraw {
			e.notify(&notified)
		}
		n := parallel(steps)
		err := e.runAll(ctx, steps[:n])
		switch {
		case err == nil:
		case removesImage(steps[0]):
			unremoved = errors.Join(unremoved, err)
		case steps[0].Action == plan.ActTag:
			untagged = err
		case steps[0].Action == plan.ActReset:
			unforgotten = errors.Join(unforgotten, err)
		default:
			return err
		}
		steps = steps[n:]
	}
	e.notify(&notified)
	if err := e.session.Save(); err != nil {
		return err
	}
	if err := followBranch(e.session); err != nil {
		return err
	}
	if err := sweepReleases(e.session, e.kept); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.Cleaned); err != nil {
		return err
	}
	return errors.Join(e.leaveUndone("Some old images could not be removed", unremoved),
		e.leaveUndone("The image could not get the name "+engine.Latest(e.session.Name), untagged),
		e.leaveUndone("Earlier restarts could not be forgotten", unforgotten))
}

// leaveUndone warns about what the app serves as desired without. It is an error only for
// the agent, which retries, and for an app that goes away, because nothing would find its
// images later.
func (e *executor) leaveUndone(what string, err error) error {
	if err == nil || e.session.ByAgent || e.session.State.Destroying || e.session.State.Provisional {
		return err
	}
	e.session.Log.Warn("%s; the agent will retry: %s", what, err)
	return nil
}

func removesImage(s plan.Step) bool { return s.Action == plan.ActRemove && s.Kind == engine.ImageKind }

// leave takes the stops out of a plan and records them as due, for the agent. The
// containers stay recorded as retiring: a container without that entry could be chosen
// to serve while the agent stops it.
func (e *executor) leave(steps []plan.Step) []plan.Step {
	var due, left []string
	steps = slices.DeleteFunc(steps, func(s plan.Step) bool {
		// A busy engine takes long to remove an image.
		if removesImage(s) && !e.session.undoing && !e.session.ByAgent && !e.session.State.Destroying && !e.session.State.Provisional {
			return true
		}
		if s.Action != plan.ActRetire || !s.Running || s.Kill {
			return false
		}
		left = append(left, s.ID)
		if at, known := e.session.State.Retiring[s.ID]; !known || at.IsZero() {
			due = append(due, s.ID)
		}
		return true
	})
	if len(left) > 0 {
		// The containers that the agent stops may still need their network.
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

// notify reports that the new route is live, before old processes stop: they may take
// their whole stop timeout.
func (e *executor) notify(done *bool) {
	if !*done && e.session.published != nil {
		e.session.published()
		e.session.published = nil
	}
	*done = true
}

// parallelSteps is how many starts or ends run at the same time.
const parallelSteps = 16

// parallel returns the number of first steps that may run at the same time. Starts are
// independent of each other, and so are ends, of both kinds; all other steps keep their
// order.
func parallel(steps []plan.Step) int {
	group := func(s plan.Step) plan.Action {
		switch s.Action {
		case plan.ActStart, plan.ActFree, plan.ActYield, plan.ActRetire:
			return s.Action
		case plan.ActStop:
			return plan.ActRetire
		}
		return ""
	}
	n := 0
	for n < len(steps) && group(steps[n]) == group(steps[0]) && group(steps[n]) != "" && steps[n].Holder == nil {
		n++
	}
	return max(n, 1)
}

func (e *executor) runAll(ctx context.Context, steps []plan.Step) error {
	if steps[0].Action == plan.ActStart {
		e.session.filter(ctx, e.host, e.session.Current, false)
		defer e.session.filter(ctx, e.host, e.session.Current, true)
	}
	if len(steps) == 1 {
		return e.run(ctx, steps[0])
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelSteps)
	for _, s := range steps {
		g.Go(func() error { return e.run(ctx, s) })
	}
	return g.Wait()
}

func (e *executor) run(ctx context.Context, s plan.Step) (err error) {
	if s.Action == plan.ActMark {
		return nil
	}
	done := e.session.Log.Timed(s.String())
	defer func() {
		if done(err); err == nil {
			e.session.act(s)
		}
	}()
	defer e.session.Log.BusyWith(s.Doing)()
	switch s.Action {
	case plan.ActStart:
		return e.start(ctx, s)
	case plan.ActFree, plan.ActStop:
		return e.host.Stop(ctx, s.ID, e.session.View().Grace())
	case plan.ActPublish:
		if err := e.proxy.Publish(ctx, *s.Route); err != nil {
			return err
		}
		return failpoint.Reach(failpoint.Published)
	case plan.ActWithdraw:
		if former := e.session.App.Former(); former != "" {
			if err := e.proxy.Withdraw(ctx, former); err != nil {
				return err
			}
		}
		return e.proxy.Withdraw(ctx, e.session.Name)
	case plan.ActDeadline:
		e.setRetiring(s.IDs, time.Now().Add(e.session.waitToRetire(s)))
		return e.session.Save()
	case plan.ActDue:
		e.setRetiring(s.IDs, time.Now())
		return e.session.Save()
	case plan.ActForget:
		e.session.Change(func(st *app.State) {
			for _, id := range s.IDs {
				delete(st.Retiring, id)
			}
		})
		return nil
	case plan.ActReset:
		return e.host.ForgetRestarts(ctx, s.ID)
	case plan.ActRename:
		return e.host.Rename(ctx, s.ID, s.Name)
	case plan.ActYield, plan.ActRetire:
		if !s.Kill { // Remove kills
			if err := e.host.Stop(ctx, s.ID, e.session.View().Grace()); err != nil {
				return err
			}
		}
		if err := e.host.Remove(ctx, engine.Resource{Kind: engine.Container, ID: s.ID}); err != nil {
			return err
		}
		return failpoint.Reach(failpoint.OldRetired)
	case plan.ActTag:
		return e.host.Tag(ctx, s.ID, s.Name)
	case plan.ActAdopt:
		return e.adopt(ctx, s.ID)
	case plan.ActRemove:
		return e.host.Remove(ctx, engine.Resource{Kind: s.Kind, ID: s.ID, App: s.App})
	}
	return fmt.Errorf("internal error: no such step: %s", s)
}

// start starts a container. If that fails and the container took its host port from
// another one, start starts the other one again.
func (e *executor) start(ctx context.Context, s plan.Step) error {
	x := e.session
	spec, err := x.specOf(ctx, x.Current, s.Process, s.Name, s.First, s.Count)
	spec.Address = s.Address
	if err != nil {
		return err
	}
	_, err = e.host.Start(ctx, spec)
	if errors.Is(err, engine.ErrNoImage) {
		if err = x.Env.FetchImage(ctx, x.View(), x.Current, x.Log); err == nil {
			_, err = e.host.Start(ctx, spec)
		}
	}
	if err == nil || s.Holder == nil {
		return err
	}
	h := s.Holder
	back := engine.Spec{App: h.App, Kind: h.Kind, Type: h.Type, Index: h.Index, Release: h.Release,
		Attempt: h.Attempt, Name: h.Name, Image: h.Image, Address: h.Address, HostPort: h.HostPort}
	if _, berr := e.host.Start(context.WithoutCancel(ctx), back); berr != nil {
		return fmt.Errorf("%w; and %s, which served before, cannot be started again: %v", err, h.Name, berr)
	}
	return fmt.Errorf("%w; %s of v%d serves again", err, h.Name, h.Release)
}

// setRetiring records containers as retiring, to be stopped from due on.
func (e *executor) setRetiring(ids []string, due time.Time) {
	e.session.Change(func(st *app.State) { st.Retire(ids, due) })
}
