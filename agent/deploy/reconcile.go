package deploy

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"dokku/agent/app"
	"dokku/agent/plan"
)

// Reconcile goes forward to what git has accepted, or converges.
func (x *Session) Reconcile(ctx context.Context, startEnded bool) error {
	if x.State.Destroying {
		err := x.Destroy(ctx)
		x.Env.Store.NoteProblem(x.Name, err)
		return err
	}
	if x.State.Provisional {
		if x.Env.Store.Young(x.Name) {
			return nil
		}
		// The push may have ended, with its machine, before it could remove what it
		// had started.
		if err := x.Converge(ctx, startEnded); err != nil {
			return err
		}
		return x.DropProvisional()
	}
	if x.State.Restored.Starts() {
		err := x.Revive(ctx)
		x.Env.Store.NoteProblem(x.Name, err)
		return err
	}
	postdeploy := false
	if st := x.Accepted; st != nil {
		// That it is deployed is said at once, or after postdeploy, as in Dokku.
		if postdeploy = hasPostdeploy(x.View()); !postdeploy {
			x.published = func() { x.deployed(st.Started) }
		}
		x.LeaveStops = x.LeaveStops || x.Env.Store.AgentRuns()
	}
	err := x.Converge(ctx, startEnded)
	if err == nil {
		if err = x.redeployRenamed(ctx); err != nil {
			x.Env.Store.NoteProblem(x.Name, err)
		}
	}
	if err == nil && postdeploy {
		x.postdeploy(ctx)
		x.deployed(x.Accepted.Started)
	}
	if err != nil && x.Accepted != nil {
		return fmt.Errorf("cannot put v%d live yet, the agent goes on trying: %w\n%s", x.State.Current, err, fallback(ctx, x))
	}
	return err
}

// StopDue stops what is due to retire, without the app's lock: a process may
// take as long as its stop timeout, and nothing that retires is ever wanted
// again. The next converge finds it ended and removes it.
func (e *Env) StopDue(ctx context.Context, name string) error {
	a, err := e.Store.Load(name)
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
	set, err := e.Store.Settings()
	if err != nil {
		return err
	}
	host, err := e.machine(set)
	if err != nil {
		return err
	}
	live, ok, err := Live(ctx, e.Proxy(set), a)
	if err != nil {
		return err
	}
	grace := app.View{App: a, Settings: set}.Grace()
	o, err := Observe(ctx, host, a)
	if err != nil {
		return err
	}
	var g errgroup.Group
	for _, i := range o.Instances {
		due, retiring := a.State.Retiring[i.ID]
		if !retiring || due.IsZero() || due.After(time.Now()) || !i.Running() || ok && plan.Routed(&live, i.Address) {
			continue
		}
		g.Go(func() error { return host.Stop(ctx, i.ID, grace) })
	}
	return g.Wait()
}

// fallback says what serves while the accepted release does not.
func fallback(ctx context.Context, x *Session) string {
	px := x.Env.Proxy(x.Settings)
	live, ok, err := px.Live(ctx, x.Name)
	if err != nil || !ok {
		return "Nothing serves: there is no release before this one to fall back to"
	}
	return fmt.Sprintf("What served before still does: v%d", live.Release)
}

// Serving returns the number of the release that the proxy leads to now; 0: none,
// or the app is not behind the proxy.
func (e *Env) Serving(ctx context.Context, a *app.App) (int, error) {
	if a.Current == nil || a.State.ProxyDisabled {
		return 0, nil
	}
	set, err := e.Store.Settings()
	if err != nil {
		return 0, err
	}
	px := e.Proxy(set)
	live, ok, err := px.Live(ctx, a.Name)
	if !ok || err != nil {
		return 0, err
	}
	return live.Release, nil
}
