package deploy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/plan"
	"dokku/agent/proc"
	"dokku/agent/proxy"
	"dokku/agent/repo"
	"dokku/agent/store"
)

// Converge makes the engine and the proxy match the app's state. It saves the state
// first, which commits every change of it. startEnded starts ended processes again.
func (x *Session) Converge(ctx context.Context, startEnded bool) error {
	err := x.tryConverge(ctx, startEnded)
	if ctx.Err() == nil {
		x.Env.Store.NoteProblem(x.Name, err)
	}
	if err == nil {
		x.Lock.Abandoned = false
	}
	return err
}

// Decide converges after a change of the state. Once the change is saved it stands,
// even if a later step fails; then the error begins with decided, which names the
// change.
func (x *Session) Decide(ctx context.Context, decided string) error {
	x.decided = false
	err := x.Converge(ctx, false)
	if err == nil || !x.decided {
		return err
	}
	return fmt.Errorf("%s, but the app has not converged yet; the agent will retry: %w", decided, err)
}

func (x *Session) tryConverge(ctx context.Context, startEnded bool) error {
	d, err := Desired(x.Env.Store, x.View())
	if err != nil {
		return err
	}
	d.StartEnded = startEnded
	if startEnded && x.Current != nil && !x.State.Stopped {
		if err := x.startLinks(ctx, x.Current); err != nil {
			x.warn(err.Error())
		}
	}
	if x.Lock.Abandoned || startEnded {
		x.Env.Store.SweepTemporary(x.Env.Store.File(x.Name), x.Env.Store.File(x.Name, "releases"), x.Env.Store.File(x.Name, "deploys"),
			x.Env.Store.File(x.Name, store.RegistryDir), x.Env.Store.File(x.Name, store.CronDir))
		x.Env.Store.SweepCopies(x.Env.Store.File(x.Name, "manifest"))
		x.Env.Store.Disk.RemoveAll(x.gitDir())
		if err := repo.Sweep(x.Dir, proc.Owner{}); err != nil {
			x.Log.Warn("Cannot remove the leftovers of an interrupted push: %s", err)
		}
		if err := repo.Harden(x.Env.Store.Disk, x.Dir, false); err != nil {
			x.Log.Warn("%s", err)
		}
		x.endInterrupted()
	}
	host, err := x.machine()
	if err != nil {
		return x.saveAnd(err)
	}
	px := x.Env.Proxy(x.Settings)
	defer x.Log.Busy("reconciling %s", x.Name)()
	for {
		w, err := x.observe(ctx, host, px, d)
		if err != nil {
			return x.saveAnd(err)
		}
		x.dropFormer(w)
		e := &executor{session: x, host: host, proxy: px, kept: d.Releases}
		steps := plan.Plan(d, w)
		x.Settles = x.Settles || plan.Settles(d, w, steps)
		if x.converged = nil; len(steps) == 0 {
			x.converged = &w
		}
		if err := e.execute(ctx, steps); err != nil {
			return err
		}
		// A container may have started under another name because its own was taken; the
		// next round renames it. A process that ends right after its restart is not
		// started a third time.
		started := slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Action == plan.ActStart })
		if !started {
			x.noteContainers(d, w)
			if x.Lock.Abandoned || startEnded {
				x.sweepBuilds(ctx, host)
			}
			return nil
		}
		d.StartEnded, d.Retiring = false, x.State.Retiring
	}
}

// sweepBuilds removes what interrupted builds of the app have left beside containers. Nobody
// builds the app: its lock is ours.
func (x *Session) sweepBuilds(ctx context.Context, host engine.Caches) {
	if err := host.RemoveScratch(ctx, x.Name); err != nil {
		x.Log.Warn("The agent will retry: %s", err)
	}
}

// tidy converges before an operation begins. If an agent runs, it leaves stops to the
// agent and does not wait for them.
func (x *Session) tidy(ctx context.Context) error {
	defer func(was bool) { x.LeaveStops = was }(x.LeaveStops)
	x.LeaveStops = x.Env.Store.AgentRuns()
	done := x.Log.Timed("converge")
	err := x.Converge(ctx, false)
	done(err)
	return err
}

// finish does what settle decided or a killed holder left, before an operation begins. The
// rest of an accepted deploy is not the operation's: a later end of it is recorded as its own,
// and a client that goes away does not cut off postdeploy.
func (x *Session) finish(ctx context.Context) error {
	st := x.Accepted
	if st == nil {
		return x.tidy(ctx)
	}
	defer func(base event.Log, leave bool) {
		x.base, x.LeaveStops, x.Accepted, x.published = base, leave, nil, nil
		x.logRelease(x.State.Current)
	}(x.base, x.LeaveStops)
	x.Log.Step("Finishing the deploy of %s, which git has accepted", app.Short(st.New))
	return x.Reconcile(context.WithoutCancel(ctx), false)
}

// saveAnd saves the state although err ends the operation: a release that git accepted
// is current even while the engine is unreachable.
func (x *Session) saveAnd(err error) error {
	if serr := x.Save(); serr != nil {
		return serr
	}
	return err
}

// observe returns the observed state of the app. It creates the app's network if d
// wants processes.
func (x *Session) observe(ctx context.Context, host machine, px proxy.Proxy, d plan.Desired) (w plan.Observation, err error) {
	if w.Observed, err = observePlaced(ctx, host, x.View()); err != nil {
		return w, err
	}
	live, ok, err := Live(ctx, px, x.App)
	if err != nil {
		return w, err
	}
	if ok {
		w.Live = &live
	}
	w.Now, w.Clients = time.Now(), Clients(w.Instances)
	x.OneOffs, x.NextReset = plan.OneOffs(w.Instances), plan.NextReset(w)
	if len(d.Want) > 0 {
		w.Network, err = network(ctx, host, x.Name, w.Networks)
	}
	return w, err
}

// sweepReleases removes the records of releases that are not kept, such as the record of
// a rejected push. Of those that served a summary stays.
func sweepReleases(x *Session, kept []int) error {
	numbers, err := x.Env.Store.ReleaseNumbers(x.Name)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if slices.Contains(kept, n) {
			continue
		}
		// A record that cannot be read leaves nothing.
		if r, err := x.Env.Store.Release(x.Name, n); err == nil && served(x, n, numbers) {
			if err := x.Env.Store.SavePast(x.Name, r.Summary()); err != nil {
				return err
			}
		}
		if err := x.Env.Store.RemoveRelease(x.Name, n); err != nil {
			return err
		}
	}
	return nil
}

// served reports whether a stored release was ever current. A rejected one may have a
// lower number than the current one, if its record could not be removed at once.
func served(x *Session, n int, stored []int) bool {
	if n >= x.State.Current {
		return n == x.State.Current
	}
	// A pinned release may outlive those that followed it. A rejected one goes before any
	// later one does, since records are removed in ascending order.
	if past, err := x.Env.Store.Past(x.Name, x.State.Current, 1); err == nil && len(past) > 0 && past[0].Number > n {
		return true
	}
	for _, later := range stored {
		if later <= n || later > x.State.Current {
			continue
		}
		if r, err := x.Env.Store.Release(x.Name, later); err == nil && (r.Before == n || r.Before == 0) {
			return true
		}
	}
	return false
}
