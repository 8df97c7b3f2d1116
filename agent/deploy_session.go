package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/failpoint"
)

// A session is an app under its lock: nothing else changes the app while it
// lasts.
type session struct {
	Env *Env
	*App
	settings Settings
	lock     *lock
	log      event.Log
	// base is log without the release that it is about.
	base event.Log
	// dirty: State was changed and not saved yet, see change.
	dirty bool
	// decided: state.json has what was changed last, see decide.
	decided bool
	// accepted is the staged release that git was found to have accepted.
	accepted *Staged
	// leaveStops: what has to be stopped is left to the agent, so that nobody
	// waits for a worker that finishes its job.
	leaveStops bool
	// byAgent: this is the agent's own look, which tries again what fails.
	byAgent bool
	// rest is what was last observed, if there was nothing to do about it.
	rest *Observation
	// oneOffs are the one-off containers that were last observed.
	oneOffs []engine.Instance
	// checks is the CHECKS file that was parsed last, and checksOf the attempt of the
	// release that has it.
	checks   *checksFile
	checksOf string
	// published is called once the route that the state asks for is live.
	published func()
}

// ownerPatience is how long a staged release waits for a git that has neither
// moved the ref nor ended.
const ownerPatience = 5 * time.Minute

// hookPatience is how long the agent leaves a staged release to the git that is
// about to accept it, or just has: that one tells the pusher how it went.
const hookPatience = 5 * time.Second

// ownersTurn reports whether the hooks of the push can be expected to go on.
func ownersTurn(st *Staged) bool {
	return st != nil && time.Since(st.Since).Abs() < hookPatience && st.Owner.Alive()
}

// errUndecided: git has not moved the ref of a staged release yet, and still may.
var errUndecided = errors.New("a push is about to be accepted")

// with runs f under the app's lock, after whatever a push had staged is settled.
func (s *Env) with(ctx context.Context, app string, op Op, log event.Log, f func(*session) error) error {
	x, err := s.session(ctx, app, op.Name, log)
	if err != nil {
		return err
	}
	defer x.close()
	if x.State.Destroying && op.Changes != ChangesExistence {
		return fmt.Errorf("App %s is being destroyed; to finish: apps:destroy %[1]s --force", app)
	}
	// Not every f converges by itself, and what was settled is to be carried out,
	// or what somebody left who was killed.
	if (x.dirty || x.lock.abandoned) && !x.State.Destroying {
		if err := x.tidy(ctx); err != nil {
			x.log.Warn("%s is not what it should be, the agent goes on trying: %s", app, err)
		}
	}
	return f(x)
}

// session takes the app's lock and settles. While git decides over a staged
// release the lock is given back, since git's hooks may need it.
func (s *Env) session(ctx context.Context, app, step string, log event.Log) (x *session, err error) {
	done := log.WithApp(app).Timed("lock")
	defer func() { done(err) }()
	for {
		if _, err := s.Store.Load(app); err != nil {
			return nil, err
		}
		l, err := s.Store.lockApp(ctx, app, step, log)
		if err != nil {
			return nil, err
		}
		x, err := s.open(app, l, log)
		if err == nil {
			return x, nil
		}
		l.release()
		if !errors.Is(err, errUndecided) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// open loads and settles an app whose lock is held.
func (s *Env) open(app string, l *lock, log event.Log) (*session, error) {
	a, err := s.Store.Load(app)
	if err != nil {
		return nil, err
	}
	if err := s.Store.refuseNewer(app); err != nil {
		return nil, err
	}
	set, err := s.Store.Settings()
	if err != nil {
		return nil, err
	}
	log = log.WithApp(app)
	x := &session{Env: s, App: a, settings: set, lock: l, log: log, base: log}
	x.about(a.State.Current)
	x.settleRename()
	if err := x.settle(); err != nil {
		return nil, err
	}
	return x, nil
}

// about makes the events name a release; 0: none.
func (x *session) about(release int) {
	if x.log = x.base; release != 0 {
		x.log = x.base.WithRelease(release)
	}
}

func (x *session) close() { x.lock.release() }

// settle decides over a staged release. The owner is looked at before the ref:
// the other order would undo a release whose ref git moved in between. The
// decision is saved by the next save; until then a crash decides again, alike.
func (x *session) settle() error {
	st := x.State.Staged
	if st == nil {
		return nil
	}
	alive := st.Owner.Alive()
	tip, err := readRef(x.Dir, st.Ref)
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
		if err := syncRefs(x.Env.Store.disk, x.Dir, st.Ref); err != nil {
			return err
		}
		return x.forward(st)
	case !alive:
		x.back(st)
		return nil
	}
	if time.Since(st.Since) > ownerPatience {
		st.Owner.Terminate()
	}
	return errUndecided
}

// forward makes the staged release current.
func (x *session) forward(st *Staged) error {
	r, err := x.Env.Store.release(x.Name, st.Release)
	if err != nil {
		return fmt.Errorf("cannot go on with %s, which git has accepted: %w", Short(st.New), err)
	}
	x.commit(r)
	x.change(func(s *State) {
		s.DeployBranch = cmp.Or(st.Adopt, s.DeployBranch)
		s.Staged, s.Provisional = nil, false
	})
	x.accepted = st
	return nil
}

// back drops the staged release; converge removes what it started.
func (x *session) back(st *Staged) {
	x.log.Warn("The push of %s was interrupted before git accepted it: undoing it", Short(st.New))
	x.change(func(s *State) { s.Staged = nil })
}

// commit makes r current; the next save is the commit point.
func (x *session) commit(r *Release) {
	x.about(r.Number)
	x.Current = r
	x.change(func(st *State) {
		st.Scale, st.ScaleNext = st.asked(), nil
		st.Current, st.Stopped = r.Number, false
		if f := st.Renamed; f != nil {
			st.Renamed = &Renamed{From: f.From, Domains: f.Domains} // new containers carry the new name
		}
		if f := st.Restored; f != nil {
			st.Restored = &Restored{Backup: f.Backup}
		}
	})
}

// followBranch makes HEAD name the deploy branch, for clones.
func (x *session) followBranch() error {
	if x.State.DeployBranch == "" {
		return nil
	}
	head, err := os.ReadFile(filepath.Join(x.Dir, "HEAD"))
	if err == nil && strings.TrimSpace(string(head)) == "ref: "+headRef+x.State.DeployBranch {
		return nil
	}
	return setHead(x.Env.Store.disk, x.Dir, x.State.DeployBranch)
}

// view answers questions about the app as it is now.
func (x *session) view() View { return View{x.App, x.settings} }

// change changes the state; the next save writes it.
func (x *session) change(f func(*State)) {
	f(&x.State)
	x.dirty = true
}

// save writes the state if it was changed.
func (x *session) save() error {
	if !x.dirty {
		return nil
	}
	if err := failpoint.Reach(failpoint.CommitBegins); err != nil {
		return err
	}
	err := x.Env.Store.saveState(x.Name, &x.State)
	var unsynced *unsyncedError
	if err == nil || errors.As(err, &unsynced) {
		x.decided = true
	}
	if err == nil {
		x.dirty = false
		_ = failpoint.Reach(failpoint.CurrentWritten) // to fail here would be a lie
	}
	return err
}
