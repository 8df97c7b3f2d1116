package agent

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// reconcile goes forward to what git has accepted, or converges.
func (x *session) reconcile(ctx context.Context, startEnded bool) error {
	if x.State.Destroying {
		err := x.destroy(ctx)
		x.Env.Store.noteProblem(x.Name, err)
		return err
	}
	if x.State.Provisional {
		if x.Env.Store.young(x.Name) {
			return nil
		}
		// The push may have ended, with its machine, before it could remove what it
		// had started.
		if err := x.converge(ctx, startEnded); err != nil {
			return err
		}
		return x.dropProvisional()
	}
	if x.State.Restored.starts() {
		err := x.revive(ctx)
		x.Env.Store.noteProblem(x.Name, err)
		return err
	}
	postdeploy := false
	if st := x.accepted; st != nil {
		// That it is deployed is said at once, or after postdeploy, as in Dokku.
		if postdeploy = hasPostdeploy(x.view()); !postdeploy {
			x.published = func() { x.deployed(st.Started) }
		}
		x.leaveStops = x.leaveStops || x.Env.Store.agentRuns()
	}
	err := x.converge(ctx, startEnded)
	if err == nil {
		if err = x.redeployRenamed(ctx); err != nil {
			x.Env.Store.noteProblem(x.Name, err)
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

// stopDue stops what is due to retire, without the app's lock: a process may
// take as long as its stop timeout, and nothing that retires is ever wanted
// again. The next converge finds it ended and removes it.
func (s *Env) stopDue(ctx context.Context, app string) error {
	a, err := s.Store.Load(app)
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
	set, err := s.Store.Settings()
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
	px := x.Env.Proxy(x.settings)
	live, ok, err := px.Live(ctx, x.Name)
	if err != nil || !ok {
		return "Nothing serves: there is no release before this one to fall back to"
	}
	return fmt.Sprintf("What served before still does: v%d", live.Release)
}

// Serving returns the number of the release that the proxy leads to now; 0: none,
// or the app is not behind the proxy.
func (s *Env) Serving(ctx context.Context, a *App) (int, error) {
	if a.Current == nil || a.State.ProxyDisabled {
		return 0, nil
	}
	set, err := s.Store.Settings()
	if err != nil {
		return 0, err
	}
	px := s.Proxy(set)
	live, ok, err := px.Live(ctx, a.Name)
	if !ok || err != nil {
		return 0, err
	}
	return live.Release, nil
}
