package deploy

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/plan"
	"dokku/agent/proxy"
)

// Reconcile finishes an interrupted operation (a destroy, a first push, a restore), and
// otherwise converges. After settle found that git accepted a push, it also does the
// rest of that deploy.
func (x *Session) Reconcile(ctx context.Context, startEnded bool) (err error) {
	if x.State.Destroying {
		err := x.Destroy(ctx)
		x.Env.Store.NoteProblem(x.Name, err)
		return err
	}
	if x.State.Provisional || x.State.Expired() {
		return x.tidyProvisional(ctx, startEnded)
	}
	if x.State.Restored.Starts() {
		err := x.Revive(ctx)
		x.Env.Store.NoteProblem(x.Name, err)
		return err
	}
	postdeploy := false
	if st := x.Accepted; st != nil {
		end := x.continueLog(st)
		defer func() { end(err) }()
		// As in Dokku, the deploy's end is printed at once, or after postdeploy.
		if postdeploy = hasPostdeploy(x.View()); !postdeploy {
			x.published = func() { x.deployed(st.Started) }
		}
		x.LeaveStops = x.LeaveStops || x.Env.Store.AgentRuns()
	}
	if err = x.Converge(ctx, startEnded); err == nil && startEnded {
		if err = x.renewEnded(ctx, "ps:restore"); err != nil {
			x.Env.Store.NoteProblem(x.Name, err)
		}
	}
	if err == nil {
		if err = x.redeployRenamed(ctx); err != nil {
			x.Env.Store.NoteProblem(x.Name, err)
		}
	}
	if err == nil {
		err = x.retagged(x.tagRemote(ctx))
	}
	if err == nil && postdeploy {
		x.postdeploy(ctx)
		x.deployed(x.Accepted.Started)
	}
	if err != nil && x.Accepted != nil {
		return fmt.Errorf("cannot publish v%d yet; the agent will retry: %w\n%s", x.State.Current, err, fallback(ctx, x))
	}
	return err
}

// StopDue stops the containers that are due to retire. It does so without the app's
// lock, because a stop may take the whole stop timeout and a retiring container is
// never wanted again. The next converge removes them. It reports whether it has stopped any.
func (e *Env) StopDue(ctx context.Context, name string) (bool, error) {
	st, err := e.Store.State(name)
	if err != nil {
		return false, err
	}
	// The agent calls this often during a push: return before any call of the engine.
	pending := false
	for _, at := range st.Retiring {
		pending = pending || !at.IsZero() && !at.After(time.Now())
	}
	if !pending {
		return false, nil
	}
	a, err := e.Store.Load(name)
	if err != nil {
		return false, err
	}
	set, err := e.Store.Settings()
	if err != nil {
		return false, err
	}
	host, err := e.machine(set)
	if err != nil {
		return false, err
	}
	live, ok, err := Live(ctx, e.Proxy(set), a)
	if err != nil {
		return false, err
	}
	grace := app.View{App: a, Settings: set}.Grace()
	o, err := Observe(ctx, host, a)
	if err != nil {
		return false, err
	}
	var g errgroup.Group
	var mu sync.Mutex
	var stopped []string
	for _, i := range o.Instances {
		due, retiring := a.State.Retiring[i.ID]
		if !retiring || due.IsZero() || due.After(time.Now()) || !i.Running() || ok && serves(&live, o.Instances, i) {
			continue
		}
		g.Go(func() error {
			err := host.Stop(ctx, i.ID, grace)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				stopped = append(stopped, i.Name)
			}
			return err
		})
	}
	err = g.Wait()
	if len(stopped) > 0 {
		e.Tell(journal.Event{Event: journal.Retire, App: name, Text: Stopped(stopped)}, event.Log{})
	}
	return len(stopped) > 0, err
}

// serves reports whether the live route leads to a process, or to one that ends with it.
func serves(live *proxy.Route, all []engine.Instance, i engine.Instance) bool {
	return plan.Routed(live, i) || i.Placed() && slices.ContainsFunc(all, func(o engine.Instance) bool { return o.Group == i.Group && plan.Routed(live, o) })
}

// fallback describes the release that serves in place of the accepted one.
func fallback(ctx context.Context, x *Session) string {
	px := x.Env.Proxy(x.Settings)
	live, ok, err := px.Live(ctx, x.Name)
	if err != nil || !ok {
		return "No release serves: there is no earlier one to fall back to"
	}
	return fmt.Sprintf("v%d still serves", live.Release)
}

// Serving returns the number of the release that the proxy routes to now; 0 if there is
// none or the app does not use the proxy.
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
