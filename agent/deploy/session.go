package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/failpoint"
	"dokku/agent/plan"
	"dokku/agent/repo"
	"dokku/agent/store"
)

// A Session is an app under its lock: nothing else changes the app while it
// lasts.
type Session struct {
	Env *Env
	*app.App
	Settings app.Settings
	Lock     *store.Lock
	Log      event.Log
	// base is log without the release that it is about.
	base event.Log
	// dirty: State was changed and not saved yet, see change.
	dirty bool
	// decided: state.json has what was changed last, see decide.
	decided bool
	// Accepted is the staged release that git was found to have accepted.
	Accepted *app.Staged
	// LeaveStops: what has to be stopped is left to the agent, so that nobody
	// waits for a worker that finishes its job.
	LeaveStops bool
	// ByAgent: this is the agent's own look, which tries again what fails.
	ByAgent bool
	// rest is what was last observed, if there was nothing to do about it.
	rest *plan.Observation
	// OneOffs are the one-off containers that were last observed.
	OneOffs []engine.Instance
	// checks is the CHECKS file that was parsed last, and checksOf the attempt of the
	// release that has it.
	checks   *checksFile
	checksOf string
	// published is called once the route that the state asks for is live.
	published func()
}

// OwnerPatience is how long a staged release waits for a git that has neither
// moved the ref nor ended.
const OwnerPatience = 5 * time.Minute

// hookPatience is how long the agent leaves a staged release to the git that is
// about to accept it, or just has: that one tells the pusher how it went.
const hookPatience = 5 * time.Second

// OwnersTurn reports whether the hooks of the push can be expected to go on.
func OwnersTurn(st *app.Staged) bool {
	return st != nil && time.Since(st.Since).Abs() < hookPatience && st.Owner.Alive()
}

// ErrUndecided: git has not moved the ref of a staged release yet, and still may.
var ErrUndecided = errors.New("a push is about to be accepted")

// With runs f under the app's lock, after whatever a push had staged is settled.
func (e *Env) With(ctx context.Context, app string, op Op, log event.Log, f func(*Session) error) error {
	x, err := e.Session(ctx, app, op.Name, log)
	if err != nil {
		return err
	}
	defer x.Close()
	if x.State.Destroying && op.Changes != ChangesExistence {
		return fmt.Errorf("App %s is being destroyed; to finish: apps:destroy %[1]s --force", app)
	}
	// Not every f converges by itself, and what was settled is to be carried out,
	// or what somebody left who was killed.
	if (x.dirty || x.Lock.Abandoned) && !x.State.Destroying {
		if err := x.tidy(ctx); err != nil {
			x.Log.Warn("%s is not what it should be, the agent goes on trying: %s", app, err)
		}
	}
	return f(x)
}

// Session takes the app's lock and settles. While git decides over a staged
// release the lock is given back, since git's hooks may need it.
func (e *Env) Session(ctx context.Context, app, step string, log event.Log) (x *Session, err error) {
	done := log.WithApp(app).Timed("lock")
	defer func() { done(err) }()
	for {
		if _, err := e.Store.Load(app); err != nil {
			return nil, err
		}
		l, err := e.Store.LockApp(ctx, app, step, log)
		if err != nil {
			return nil, err
		}
		x, err := e.Open(app, l, log)
		if err == nil {
			return x, nil
		}
		l.Release()
		if !errors.Is(err, ErrUndecided) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Open loads and settles an app whose lock is held.
func (e *Env) Open(app string, l *store.Lock, log event.Log) (*Session, error) {
	a, err := e.Store.Load(app)
	if err != nil {
		return nil, err
	}
	if err := e.Store.RefuseNewer(app); err != nil {
		return nil, err
	}
	set, err := e.Store.Settings()
	if err != nil {
		return nil, err
	}
	log = log.WithApp(app)
	x := &Session{Env: e, App: a, Settings: set, Lock: l, Log: log, base: log}
	x.about(a.State.Current)
	x.settleRename()
	if err := x.settle(); err != nil {
		return nil, err
	}
	return x, nil
}

// about makes the events name a release; 0: none.
func (x *Session) about(release int) {
	if x.Log = x.base; release != 0 {
		x.Log = x.base.WithRelease(release)
	}
}

func (x *Session) Close() { x.Lock.Release() }

// settle decides over a staged release. The owner is looked at before the ref:
// the other order would undo a release whose ref git moved in between. The
// decision is saved by the next save; until then a crash decides again, alike.
func (x *Session) settle() error {
	st := x.State.Staged
	if st == nil {
		return nil
	}
	alive := st.Owner.Alive()
	tip, err := repo.Ref(x.Dir, st.Ref)
	if err == nil && !alive {
		tip, err = x.mendRef(st, tip)
	}
	if err != nil {
		return err
	}
	switch {
	case tip == st.New:
		// Before the state says so: nobody is to be told of what may be gone after a
		// loss of power.
		if err := repo.SyncRefs(x.Env.Store.Disk, x.Dir, st.Ref); err != nil {
			return err
		}
		return x.forward(st)
	case !alive:
		x.back(st)
		return nil
	}
	if time.Since(st.Since) > OwnerPatience {
		st.Owner.Terminate()
	}
	return ErrUndecided
}

// forward makes the staged release current.
func (x *Session) forward(st *app.Staged) error {
	r, err := x.Env.Store.Release(x.Name, st.Release)
	if err != nil {
		return fmt.Errorf("cannot go on with %s, which git has accepted: %w", app.Short(st.New), err)
	}
	x.commit(r)
	x.Change(func(s *app.State) {
		s.DeployBranch = cmp.Or(st.Adopt, s.DeployBranch)
		s.Staged, s.Provisional = nil, false
	})
	x.Accepted = st
	return nil
}

// back drops the staged release; converge removes what it started.
func (x *Session) back(st *app.Staged) {
	x.Log.Warn("The push of %s was interrupted before git accepted it: undoing it", app.Short(st.New))
	x.Change(func(s *app.State) { s.Staged = nil })
}

// commit makes r current; the next save is the commit point.
func (x *Session) commit(r *app.Release) {
	x.about(r.Number)
	x.Current = r
	x.Change(func(st *app.State) {
		st.Scale, st.ScaleNext = st.Asked(), nil
		st.Current, st.Stopped = r.Number, false
		if f := st.Renamed; f != nil {
			st.Renamed = &app.Renamed{From: f.From, Domains: f.Domains} // new containers carry the new name
		}
		if f := st.Restored; f != nil {
			st.Restored = &app.Restored{Backup: f.Backup}
		}
	})
}

// followBranch makes HEAD name the deploy branch, for clones.
func followBranch(x *Session) error {
	if x.State.DeployBranch == "" {
		return nil
	}
	head, err := os.ReadFile(filepath.Join(x.Dir, "HEAD"))
	if err == nil && strings.TrimSpace(string(head)) == "ref: "+Heads+x.State.DeployBranch {
		return nil
	}
	return repo.SetHead(x.Env.Store.Disk, x.Dir, x.State.DeployBranch)
}

func (x *Session) machine() (machine, error) { return x.Env.machine(x.Settings) }

// View answers questions about the app as it is now.
func (x *Session) View() app.View { return app.View{App: x.App, Settings: x.Settings} }

// Change changes the state; the next save writes it.
func (x *Session) Change(f func(*app.State)) {
	f(&x.State)
	x.dirty = true
}

// Save writes the state if it was changed.
func (x *Session) Save() error {
	if !x.dirty {
		return nil
	}
	if err := failpoint.Reach(failpoint.CommitBegins); err != nil {
		return err
	}
	err := x.Env.Store.SaveState(x.Name, &x.State)
	var unsynced *store.UnsyncedError
	if err == nil || errors.As(err, &unsynced) {
		x.decided = true
	}
	if err == nil {
		x.dirty = false
		_ = failpoint.Reach(failpoint.CurrentWritten) // to fail here would be a lie
	}
	return err
}
