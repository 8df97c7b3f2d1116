package deploy

import (
	"context"
	"fmt"

	"dokku/agent/app"
)

// Update is Update under the app's lock.
func (x *Session) Update(ctx context.Context, op Op, change func(*app.State) error) error {
	before := x.State
	after := x.State.Clone()
	if err := change(&after); err != nil {
		return err
	}
	x.State = after
	if x.Current != nil && op.Changes != ChangesSettings {
		if err := x.Env.stageLive(ctx, x.View()); err != nil {
			x.State = before
			return err
		}
		x.dirty = true
		return x.Decide(context.WithoutCancel(ctx), fmt.Sprintf("what %s asks for is stored", op.Name))
	}
	x.dirty = true
	if err := x.Save(); err != nil {
		return err
	}
	return followBranch(x)
}

// LockedError refuses a deploy in Dokku's own words.
func LockedError(app string) error {
	return fmt.Errorf("%s currently has a deploy lock in place. Exiting...\nRun 'apps:unlock %[1]s' to release the existing deploy lock", app)
}

// stageLive tests the route with the present settings and the processes that
// serve already.
func (e *Env) stageLive(ctx context.Context, v app.View) error {
	if v.State.ProxyDisabled {
		return nil
	}
	px := e.Proxy(v.Settings)
	route := routeOf(v, v.Current)
	if live, ok, err := Live(ctx, px, v.App); err != nil {
		return err
	} else if ok {
		route.Upstreams = live.Upstreams
	}
	return px.Stage(ctx, *route)
}
