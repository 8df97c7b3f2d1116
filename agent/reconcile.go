package agent

import (
	"context"
	"dokku/agent/engine"
	"dokku/agent/event"
	"errors"
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
		if err := syncRefs(x.Env.Store.disk, x.Dir, ""); err != nil {
			return err
		}
	}
	return x.reconcile(ctx, false)
}

// Tend is what the agent does with an app: it stops what is due to retire, and
// reconciles. left are the one-off containers, which have deadlines and clients.
func (s *Server) Tend(ctx context.Context, app string, startEnded bool, log event.Log) (left []engine.Instance, done bool, err error) {
	if err := s.stopDue(ctx, app); err != nil {
		log.WithApp(app).Warn("cannot stop what retires of %s: %s", app, err)
	}
	return s.tryReconcile(ctx, app, startEnded, log)
}

// tryReconcile is Reconcile that does not wait: done is false when somebody
// else has the lock, or git has yet to decide.
func (s *Server) tryReconcile(ctx context.Context, app string, startEnded bool, log event.Log) (left []engine.Instance, done bool, err error) {
	l, ok, err := s.Store.tryLock(app, "the agent")
	if err != nil || !ok {
		return nil, false, err
	}
	defer l.release()
	if a, err := s.Store.Load(app); err == nil && ownersTurn(a.State.Staged) {
		return nil, false, nil
	}
	x, err := s.open(app, l, log)
	if errors.Is(err, errUndecided) {
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err
	}
	x.leaveStops, x.byAgent = true, true
	err = x.reconcile(ctx, startEnded)
	return x.oneOffs, true, err
}
