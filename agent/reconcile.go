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
	err = x.Reconcile(ctx, false)
	if packed := repo.PackManyRefs(ctx, x.Env.Store.Disk, x.Dir); packed != nil {
		x.Log.Note("cannot pack the refs of %s: %s", app, packed)
	}
	return err
}

// Left is what the controller watches until it reconciles an app again.
type Left struct {
	OneOffs   []engine.Instance // their deadlines and clients
	NextReset time.Time         // see plan.NextReset
	Settles   bool              // see plan.Settles
}

// TryReconcile is StopDue and then TryConverge.
func (s *Server) TryReconcile(ctx context.Context, app string, startEnded bool, log event.Log) (left Left, done bool, err error) {
	s.StopDue(ctx, app, log)
	return s.TryConverge(ctx, app, startEnded, log)
}

// StopDue stops the processes of an app that are due to retire, which may take their whole stop
// timeout. It needs no lock, and reports whether it has stopped any.
func (s *Server) StopDue(ctx context.Context, app string, log event.Log) bool {
	stopped, err := s.Env.StopDue(ctx, app)
	if err != nil {
		log.WithApp(app).Warn("cannot stop the retiring processes of %s: %s", app, err)
	}
	return stopped
}

// TryConverge is Reconcile for the controller. It leaves processes that are due to retire
// to StopDue, and never waits: done is false while another process has the lock, or git
// has yet to decide. startEnded starts ended processes too.
func (s *Server) TryConverge(ctx context.Context, app string, startEnded bool, log event.Log) (left Left, done bool, err error) {
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
	return Left{x.OneOffs, x.NextReset, x.Settles}, true, err
}
