package agent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dokku/agent/engine"
	"dokku/agent/proxy"
)

// converge brings what runs to what the app's state asks for. It saves the
// state first: with that, whatever was decided is decided.
func (x *session) converge(ctx context.Context, startEnded bool) error {
	err := x.tryConverge(ctx, startEnded)
	if ctx.Err() == nil {
		x.Env.Store.noteProblem(x.Name, err)
	}
	if err == nil {
		x.lock.abandoned = false
	}
	return err
}

// decide converges after a change of the state. Once that is saved it stands,
// whatever fails afterwards, and whoever asked for it has to know: decided says
// what does.
func (x *session) decide(ctx context.Context, decided string) error {
	x.decided = false
	err := x.converge(ctx, false)
	if err == nil || !x.decided {
		return err
	}
	return fmt.Errorf("%s, but not everything follows yet; the agent goes on trying: %w", decided, err)
}

func (x *session) tryConverge(ctx context.Context, startEnded bool) error {
	d, err := desiredOf(x.Env.Store, x.view())
	if err != nil {
		return err
	}
	d.StartEnded = startEnded
	if x.lock.abandoned || startEnded {
		x.Env.Store.sweepTemporary(x.Env.Store.file(x.Name), x.Env.Store.file(x.Name, "releases"))
		if err := sweepRepository(x.Dir, Owner{}); err != nil {
			x.log.Warn("Cannot clear away what an interrupted push left: %s", err)
		}
		if err := harden(x.Env.Store.disk, x.Dir, false); err != nil {
			x.log.Warn("%s", err)
		}
	}
	host, err := x.Env.Engine(x.settings)
	if err != nil {
		return x.saveAnd(err)
	}
	px := x.Env.Proxy(x.settings)
	for {
		w, err := x.observe(ctx, host, px, d)
		if err != nil {
			return x.saveAnd(err)
		}
		x.forgetFormer(w)
		e := &executor{session: x, host: host, proxy: px, desired: d, world: w}
		steps := Plan(d, w)
		if x.rest = nil; len(steps) == 0 {
			x.rest = &w
		}
		if err := e.execute(ctx, steps); err != nil {
			return err
		}
		// What was started under another name, because its own was taken, gets that
		// now. A process that ends as soon as it is started again gets no third try.
		started := slices.ContainsFunc(steps, func(s Step) bool { return s.Action == ActStart })
		if !started {
			return nil
		}
		d.StartEnded, d.Retiring = false, x.State.Retiring
	}
}

// tidy converges before an operation begins. Nobody waits for what still has to
// stop, as long as there is an agent to stop it.
func (x *session) tidy(ctx context.Context) error {
	defer func(was bool) { x.leaveStops = was }(x.leaveStops)
	x.leaveStops = x.Env.Store.agentRuns()
	done := x.log.Timed("converge")
	err := x.converge(ctx, false)
	done(err)
	return err
}

// saveAnd saves the state although err ends the operation: what git accepted is
// current even while the engine cannot be reached.
func (x *session) saveAnd(err error) error {
	if serr := x.save(); serr != nil {
		return serr
	}
	return err
}

// observe looks at everything of the app that exists.
func (x *session) observe(ctx context.Context, host engine.Host, px proxy.Proxy, d Desired) (w Observation, err error) {
	if w.Observed, err = observed(ctx, host, x.App); err != nil {
		return w, err
	}
	live, ok, err := liveRoute(ctx, px, x.App)
	if err != nil {
		return w, err
	}
	if ok {
		w.Live = &live
	}
	w.Now, w.Clients = time.Now(), clients(w.Instances)
	x.oneOffs = oneOffs(w.Instances)
	if len(d.Want) > 0 {
		w.Network, err = network(ctx, host, x.Name, w.Networks)
	}
	return w, err
}

// sweepReleases removes the records of releases that are not kept, among them
// those of a rejected push.
func (x *session) sweepReleases() error {
	numbers, err := x.Env.Store.releaseNumbers(x.Name)
	if err != nil {
		return err
	}
	kept := x.view().KeptReleases(numbers)
	for _, n := range numbers {
		if !slices.Contains(kept, n) {
			if err := x.Env.Store.removeRelease(x.Name, n); err != nil {
				return err
			}
		}
	}
	return nil
}
