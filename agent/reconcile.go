package agent

import (
	"context"
	"errors"

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
	return x.reconcile(ctx, false)
}

// tryReconcile is Reconcile that does not wait: done is false when somebody
// else has the lock, or git has yet to decide.
func (s *Server) tryReconcile(ctx context.Context, app string, restore bool, log event.Log) (done bool, err error) {
	l, ok, err := s.tryLock(app, "the agent")
	if err != nil || !ok {
		return false, err
	}
	defer l.release()
	x, err := s.open(app, l, log)
	if errors.Is(err, errUndecided) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	return true, x.reconcile(ctx, restore)
}

// reconcile goes forward to what git has accepted, or converges.
func (x *session) reconcile(ctx context.Context, restore bool) error {
	if x.State.Destroying {
		return x.destroy(ctx)
	}
	if x.State.Provisional {
		if x.young() {
			return nil
		}
		return x.dropProvisional()
	}
	if st := x.accepted; st != nil {
		x.published = func() { x.deployed(st.Started) }
	}
	err := x.converge(ctx, restore)
	if err != nil {
		x.log.Warn("Cannot finish the deploy of %s yet, the agent goes on trying: %s", x.Name, err)
		if x.accepted != nil {
			x.log.Warn("%s", x.fallback())
		}
	}
	return err
}

// fallback says what serves while the accepted release does not.
func (x *session) fallback() string {
	px, err := x.router()
	if err != nil {
		return err.Error()
	}
	live, ok, err := px.Live(context.Background(), x.Name)
	if err != nil || !ok {
		return "Nothing serves: this is the first release"
	}
	return "What served before still does: v" + itoa(live.Release)
}
