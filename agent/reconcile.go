package agent

import (
	"context"
	"errors"
	"time"

	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/repo"
)

// Reconcile settles a staged push and converges the app to its desired state.
// Post-receive calls it, or the wrapper in its place. When the app has converged it
// does nothing and prints nothing.
func (s *Server) Reconcile(ctx context.Context, app string, log event.Log) error {
	x, err := s.Env.Session(ctx, app, "reconcile", log)
	if err != nil {
		return err
	}
	defer x.Close()
	if x.Accepted == nil { // git may have accepted refs that do not deploy
		if err := repo.SyncRefs(x.Env.Store.Disk, x.Dir, ""); err != nil {
			return err
		}
	}
	return x.Reconcile(ctx, false)
}

// Left is what the controller watches until it reconciles an app again.
type Left struct {
	OneOffs   []engine.Instance // their deadlines and clients
	NextReset time.Time         // see plan.NextReset
}

// TryReconcile is Reconcile for the controller. It stops processes that are due to
// retire, and never waits: done is false while another process has the lock, or git
// has yet to decide. startEnded starts ended processes too.
func (s *Server) TryReconcile(ctx context.Context, app string, startEnded bool, log event.Log) (left Left, done bool, err error) {
	if err := s.Env.StopDue(ctx, app); err != nil {
		log.WithApp(app).Warn("cannot stop the retiring processes of %s: %s", app, err)
	}
	l, ok, err := s.Env.Store.TryLock(app, "the agent")
	if err != nil || !ok {
		return left, false, err
	}
	defer l.Release()
	if st, err := s.Env.Store.State(app); err == nil && deploy.OwnersTurn(st.Staged) {
		return left, false, nil
	}
	x, err := s.Env.Open(app, l, log)
	if errors.Is(err, deploy.ErrUndecided) {
		return left, false, nil
	}
	if err != nil {
		return left, true, err
	}
	x.LeaveStops, x.ByAgent = true, true
	err = x.Reconcile(ctx, startEnded)
	x.TellActs()
	return Left{x.OneOffs, x.NextReset}, true, err
}
