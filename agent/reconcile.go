package agent

import (
	"context"
	"errors"

	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/repo"
)

// Reconcile settles what a push has staged, and brings the app to what was
// asked for. It is called after git has decided over a push, by the agent, and
// whenever something may have been interrupted. It has nothing to do, and says
// nothing, when all is as it should be.
func (s *Server) Reconcile(ctx context.Context, app string, log event.Log) error {
	x, err := s.Env.Session(ctx, app, "reconcile", log)
	if err != nil {
		return err
	}
	defer x.Close()
	if x.Accepted == nil { // what does not deploy was accepted too
		if err := repo.SyncRefs(x.Env.Store.Disk, x.Dir, ""); err != nil {
			return err
		}
	}
	return x.Reconcile(ctx, false)
}

// Tend is what the agent does with an app: it stops what is due to retire, and
// reconciles. left are the one-off containers, which have deadlines and clients.
func (s *Server) Tend(ctx context.Context, app string, startEnded bool, log event.Log) (left []engine.Instance, done bool, err error) {
	if err := s.Env.StopDue(ctx, app); err != nil {
		log.WithApp(app).Warn("cannot stop what retires of %s: %s", app, err)
	}
	return s.tryReconcile(ctx, app, startEnded, log)
}

// tryReconcile is Reconcile that does not wait: done is false when somebody
// else has the lock, or git has yet to decide.
func (s *Server) tryReconcile(ctx context.Context, app string, startEnded bool, log event.Log) (left []engine.Instance, done bool, err error) {
	l, ok, err := s.Env.Store.TryLock(app, "the agent")
	if err != nil || !ok {
		return nil, false, err
	}
	defer l.Release()
	if a, err := s.Env.Store.Load(app); err == nil && deploy.OwnersTurn(a.State.Staged) {
		return nil, false, nil
	}
	x, err := s.Env.Open(app, l, log)
	if errors.Is(err, deploy.ErrUndecided) {
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err
	}
	x.LeaveStops, x.ByAgent = true, true
	err = x.Reconcile(ctx, startEnded)
	return x.OneOffs, true, err
}
