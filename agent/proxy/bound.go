package proxy

import "context"

// Bound stands for no proxy at all (proxy:disable): the web processes hold
// ports of the host, so that there is nothing to publish.
type Bound struct{}

var _ Proxy = Bound{}

// Stage validates the route, so that proxy:enable finds nothing new to refuse.
func (Bound) Stage(_ context.Context, r Route) error {
	_, err := checked(r)
	return err
}

// Publish does nothing beyond Stage.
func (b Bound) Publish(ctx context.Context, r Route) error { return b.Stage(ctx, r) }

// Withdraw does nothing.
func (Bound) Withdraw(_ context.Context, app string) error { return checkApp(app) }

// Live reports no route: which release holds the ports is for the engine to say.
func (Bound) Live(_ context.Context, app string) (Route, bool, error) {
	return Route{}, false, checkApp(app)
}
