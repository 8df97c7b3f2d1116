package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"dokku/agent/engine"
	"dokku/agent/event"
)

// Reconcile settles what a push has staged, and brings the app to what was
// asked for. It is called after git has decided over a push, by the agent, and
// whenever something may have been interrupted. It has nothing to do, and says
// nothing, when all is as it should be.
func (s *Server) Reconcile(ctx context.Context, app string, log event.Log) error {
	x, err := s.session(ctx, app, "reconcile", log)
	if err != nil {
		return err
	}
	defer x.close()
	if x.accepted == nil { // what does not deploy was accepted too
		if err := x.secure(""); err != nil {
			return err
		}
	}
	return x.reconcile(ctx, false)
}

// tend is what the agent does with an app: it stops what is due to retire, and
// reconciles. left are the one-off containers, which have deadlines and clients.
func (s *Server) tend(ctx context.Context, app string, restore bool, log event.Log) (left []engine.Instance, done bool, err error) {
	if err := s.stopDue(ctx, app); err != nil {
		log.WithApp(app).Warn("cannot stop what retires of %s: %s", app, err)
	}
	return s.tryReconcile(ctx, app, restore, log)
}

// tryReconcile is Reconcile that does not wait: done is false when somebody
// else has the lock, or git has yet to decide.
func (s *Server) tryReconcile(ctx context.Context, app string, restore bool, log event.Log) (left []engine.Instance, done bool, err error) {
	l, ok, err := s.tryLock(app, "the agent")
	if err != nil || !ok {
		return nil, false, err
	}
	defer l.release()
	if a, err := s.Load(app); err == nil && a.State.Staged.ownersTurn() {
		return nil, false, nil
	}
	x, err := s.open(app, l, log)
	if errors.Is(err, errUndecided) {
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err
	}
	x.leaveStops, x.tends = true, true
	err = x.reconcile(ctx, restore)
	return x.oneOffs, true, err
}

// reconcile goes forward to what git has accepted, or converges.
func (x *session) reconcile(ctx context.Context, restore bool) error {
	if x.State.Destroying {
		err := x.destroy(ctx)
		x.noteProblem(err)
		return err
	}
	if x.State.Provisional {
		if x.young() {
			return nil
		}
		// The push may have ended, with its machine, before it could remove what it
		// had started.
		if err := x.converge(ctx, restore); err != nil {
			return err
		}
		return x.dropProvisional()
	}
	if x.State.Restored.starts() {
		err := x.revive(ctx)
		x.noteProblem(err)
		return err
	}
	postdeploy := false
	if st := x.accepted; st != nil {
		// That it is deployed is said at once, or after postdeploy, as in Dokku.
		if postdeploy = x.hasPostdeploy(); !postdeploy {
			x.published = func() { x.deployed(st.Started) }
		}
		x.leaveStops = x.leaveStops || x.agentRuns()
	}
	err := x.converge(ctx, restore)
	if err == nil {
		if err = x.redeployRenamed(ctx); err != nil {
			x.noteProblem(err)
		}
	}
	if err == nil && postdeploy {
		x.postdeploy(ctx)
		x.deployed(x.accepted.Started)
	}
	if err != nil && x.accepted != nil {
		return fmt.Errorf("cannot put v%d live yet, the agent goes on trying: %w\n%s", x.State.Current, err, x.fallback(ctx))
	}
	return err
}

// agentRuns reports whether an agent works on this root.
func (s *Store) agentRuns() bool {
	l, free, err := s.tryLock(agentLock, "looking for the agent")
	if free {
		l.release()
	}
	return err == nil && !free
}

// stopDue stops what is due to retire, without the app's lock: a process may
// take as long as its stop timeout, and nothing that retires is ever wanted
// again. The next converge finds it ended and removes it.
func (s *Env) stopDue(ctx context.Context, app string) error {
	a, err := s.Load(app)
	if err != nil {
		return err
	}
	// Most looks at an app are at one that is being pushed to: they cost nothing.
	pending := false
	for _, at := range a.State.Retiring {
		pending = pending || !at.IsZero() && !at.After(time.Now())
	}
	if !pending {
		return nil
	}
	set, err := s.Settings()
	if err != nil {
		return err
	}
	host, err := s.Engine(set)
	if err != nil {
		return err
	}
	live, ok, err := liveRoute(ctx, s.Proxy(set), a)
	if err != nil {
		return err
	}
	grace := View{a, set}.Grace()
	o, err := observed(ctx, host, a)
	if err != nil {
		return err
	}
	var g errgroup.Group
	for _, i := range o.Instances {
		due, retiring := a.State.Retiring[i.ID]
		if !retiring || due.IsZero() || due.After(time.Now()) || !i.Running() || ok && routed(&live, i.Address) {
			continue
		}
		g.Go(func() error { return host.Stop(ctx, i.ID, grace) })
	}
	return g.Wait()
}

// fallback says what serves while the accepted release does not.
func (x *session) fallback(ctx context.Context) string {
	px := x.Proxy(x.settings)
	live, ok, err := px.Live(ctx, x.Name)
	if err != nil || !ok {
		return "Nothing serves: there is no release before this one to fall back to"
	}
	return fmt.Sprintf("What served before still does: v%d", live.Release)
}
