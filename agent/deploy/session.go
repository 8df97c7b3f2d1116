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
	"dokku/agent/inspect"
	"dokku/agent/journal"
	"dokku/agent/plan"
	"dokku/agent/repo"
	"dokku/agent/store"
	"dokku/build/source"
)

// A Session is an app under its lock: nothing else changes the app until Close.
type Session struct {
	Env *Env
	*app.App
	Settings app.Settings
	Lock     *store.Lock
	Log      event.Log
	// base is Log without the number of a release.
	base event.Log
	// pushed locates the objects of the revision that the session builds; nil: none.
	pushed *source.Options
	// deployLog is the number of the log that logDeploy began.
	deployLog int
	// noWait: fail where the deploy would wait for another one (git push -o no-wait).
	noWait bool
	// checksSkipped: new processes pass the default checks alone (git push -o skip-checks).
	checksSkipped bool
	// dirty: State has unsaved changes, see Change.
	dirty bool
	// decided: state.json has the last change, see Decide.
	decided bool
	// Accepted is the staged release that git accepted, as settle found.
	Accepted *app.Staged
	// LeaveStops: leave stops to the agent, so that the caller does not wait for a worker
	// that finishes its job.
	LeaveStops bool
	// undoing: a rejected rollout is being removed, its image too.
	undoing bool
	// ByAgent: the agent, which retries failures, runs the session.
	ByAgent bool
	// converged is the last observation, if its plan was empty.
	converged *plan.Observation
	// OneOffs are the one-off containers in the last observation.
	OneOffs []engine.Instance
	// NextReset is when the next converge has restarts to forget; see plan.NextReset.
	NextReset time.Time
	// Settles: see plan.Settles.
	Settles bool
	// checks is the last parsed CHECKS file, checksOf the attempt of its release.
	checks   *inspect.ChecksFile
	checksOf string
	// subject is the first line of the message of the revision that the session builds.
	subject string
	// acts are what the agent did: see TellActs.
	acts acts
	// warned are the warnings that warn has printed.
	warned map[string]bool
	// published is called once the desired route is live.
	published func()
}

// OwnerPatience is the time after which a git that has neither moved the ref of its
// staged release nor ended is terminated.
const OwnerPatience = 5 * time.Minute

// hookPatience is the time for which the agent and other operations leave a staged release
// to git's hooks, which report to the pusher.
const hookPatience = 5 * time.Second

// OwnersTurn reports whether the hooks of the push will probably settle the staged
// release.
func OwnersTurn(st *app.Staged) bool {
	return st != nil && time.Since(st.Since).Abs() < hookPatience && st.Owner.Alive()
}

// ErrUndecided says that git may still move the ref of a staged release.
var ErrUndecided = errors.New("a push is about to be accepted")

// With settles the app and runs f under the app's lock. While a push is undecided, or its
// hooks are about to finish it, it waits without the lock.
func (e *Env) With(ctx context.Context, name string, op Op, log event.Log, f func(*Session) error) error {
	op.afterHooks = true
	x, err := e.session(ctx, name, op, log)
	if err != nil {
		return err
	}
	defer x.Close()
	if x.State.Destroying && op.Changes != ChangesExistence {
		return &app.DestroyingError{App: name}
	}
	// f may not converge: first finish what settle decided or a killed holder left.
	if (x.dirty || x.Lock.Abandoned) && !x.State.Destroying {
		if err := x.finish(ctx); err != nil {
			x.Log.Warn("%s has not converged; the agent will retry: %s", name, err)
		}
	}
	return f(x)
}

// Session takes the app's lock and settles. While git decides about a staged release it
// releases the lock, which git's hooks may need.
func (e *Env) Session(ctx context.Context, app, step string, log event.Log) (x *Session, err error) {
	return e.session(ctx, app, Op{Name: step}, log)
}

func (e *Env) session(ctx context.Context, app string, op Op, log event.Log) (x *Session, err error) {
	done := log.WithApp(app).Timed("lock")
	defer func() { done(err) }()
	for {
		if _, err := e.Store.Load(app); err != nil {
			return nil, err
		}
		l, err := e.lock(ctx, app, op, log)
		if err != nil {
			return nil, err
		}
		var x *Session
		if op.afterHooks && e.hooksTurn(app) {
			err = ErrUndecided
		} else {
			x, err = e.Open(app, l, log)
		}
		if err == nil {
			return x, nil
		}
		if none := (*noApp)(nil); errors.As(err, &none) {
			l.Gone = true
		}
		l.Release()
		if !errors.Is(err, ErrUndecided) {
			return nil, err
		}
		if op.NoWait || e.Store.NoWait {
			return nil, &store.BusyError{App: app, With: ErrUndecided.Error(), Command: !op.NoWait}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// noApp is the error of an app that was removed while somebody waited for its lock.
type noApp = app.NoAppError

// hooksTurn reports whether the app has a staged release that the hooks of its push will
// probably settle. Somebody else would finish it without a word to the pusher.
func (e *Env) hooksTurn(app string) bool {
	st, err := e.Store.State(app)
	return err == nil && OwnersTurn(st.Staged)
}

// lock takes the lock of an app in the way that the operation asks for.
func (e *Env) lock(ctx context.Context, app string, op Op, log event.Log) (*store.Lock, error) {
	if op.WaitLog != nil {
		log = *op.WaitLog
	}
	switch {
	case op.Replaces != nil:
		defer e.replace(app, *op.Replaces, log)()
	case op.NoWait:
		return e.Store.LockNow(ctx, app, op.Name)
	}
	return e.Store.LockApp(ctx, app, op.Name, log)
}

// Open loads and settles an app whose lock l the caller holds. The error is
// ErrUndecided while git decides about a staged release.
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
	x.logRelease(a.State.Current)
	x.settleRename()
	if err := x.settle(); err != nil {
		return nil, err
	}
	return x, nil
}

// logRelease makes the events name a release; 0: none.
func (x *Session) logRelease(release int) {
	if x.Log = x.base; release != 0 {
		x.Log = x.base.WithRelease(release)
	}
}

// objects locates the objects of the app's revisions, also of one that git has yet to
// accept.
func (x *Session) objects() source.Options {
	if x.pushed != nil {
		return *x.pushed
	}
	f, _ := x.fetcher(nil) // offline, it has no use for a limit
	f.Offline = true
	return source.Options{GitDir: x.Dir, Remotes: f}
}

// Close releases the app's lock.
func (x *Session) Close() { x.Lock.Release() }

// settle decides about a staged release. It reads the owner before the ref: the other
// order would undo a release whose ref git moves in between. The next Save stores the
// decision; after a crash before it, settle decides the same again.
func (x *Session) settle() error {
	st := x.State.Staged
	if st == nil {
		return nil
	}
	alive := st.Owner.Alive()
	tip, err := repo.Ref(x.Dir, st.Ref)
	if err == nil && !alive {
		tip, err = x.restoreRef(st, tip)
	}
	if err != nil {
		return err
	}
	switch {
	case tip == st.New:
		// Sync before the state says that the push is deployed: a reported push has to
		// survive a power loss.
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
		return fmt.Errorf("cannot deploy %s, which git has accepted: %w", app.Short(st.New), err)
	}
	x.commit(r)
	x.Change(func(s *app.State) {
		s.DeployBranch = cmp.Or(st.Adopt, s.DeployBranch)
		s.Staged, s.Provisional, s.Kept = nil, false, time.Time{}
	})
	x.Accepted = st
	return nil
}

// back drops the staged release; converge removes its processes.
func (x *Session) back(st *app.Staged) {
	x.Log.Warn("The push of %s was interrupted before git accepted it: undoing it", app.Short(st.New))
	x.Env.Tell(journal.Event{Event: journal.Undo, App: x.Name, Revision: st.New, Deploy: st.Log, Text: "its push was interrupted before git accepted it"}, x.Log)
	x.Change(func(s *app.State) { s.Staged = nil })
	if d, err := x.Env.Store.Deploy(x.Name, st.Log); err == nil && d.State == app.DeployRunning {
		d.State, d.Error, d.Ended = app.DeployInterrupted, "git was killed, or did not accept it", time.Now().UTC()
		x.record(d)
	}
}

// commit makes r current; the next save is the commit point.
func (x *Session) commit(r *app.Release) {
	x.logRelease(r.Number)
	x.Current = r
	x.Change(func(st *app.State) {
		st.Scale, st.ScaleNext = st.Asked(), nil
		if len(r.Sets) > 0 {
			st.Config = app.Merged(st.Config, r.Sets)
		}
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

// machine connects to the engine that the settings name.
func (x *Session) machine() (machine, error) { return x.Env.machine(x.Settings) }

// View returns the app with the server's settings.
func (x *Session) View() app.View { return app.View{App: x.App, Settings: x.Settings} }

// Change changes the state; the next Save writes it.
func (x *Session) Change(f func(*app.State)) {
	f(&x.State)
	x.dirty = true
}

// warn prints a warning about a release, once in a session: the gate finds those of CHECKS
// that the validation has found before.
func (x *Session) warn(text string) {
	if x.warned == nil {
		x.warned = map[string]bool{}
	}
	if !x.warned[text] {
		x.warned[text] = true
		x.Log.Warn("%s", text)
	}
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
		_ = failpoint.Reach(failpoint.CurrentWritten) // the change is stored: a failure here must not be reported
	}
	return err
}
