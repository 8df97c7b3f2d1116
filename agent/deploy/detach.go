package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/proc"
	"dokku/agent/repo"
)

// Detach judges the revision of a push with the option detach, as its deploy will, and
// begins the record of that deploy, which waits for its turn. It takes the app's lock for a
// new app alone: a deploy that is under way may need an hour, and the pusher wants to leave.
func (e *Env) Detach(ctx context.Context, p Push, log event.Log) (*app.Deploy, error) {
	x, err := e.unlocked(p.App, log)
	if err != nil {
		return nil, err
	}
	ref, err := x.detaches(ctx, p)
	if err != nil {
		return nil, err
	}
	b, err := x.open(ctx, p.Objects, ref.New, p.Origin.cause(), nil)
	if err != nil {
		return nil, err
	}
	defer b.source.Close()
	if err := cmp.Or(e.checkOptions(ctx, x.View(), b.release.ContainerOptions), reachableFirst(x.View())); err != nil {
		return nil, err
	}
	valid, err := b.inspect(ctx)
	if valid && !x.Lasts() {
		refused := err
		err = e.With(ctx, p.App, Op{Name: "a push"}, log, func(x *Session) error { return x.tellKept(x.keep(refused, true)) })
	}
	if err != nil {
		return nil, err
	}
	return e.await(p, ref.New, x.View().KeptDeploys())
}

// unlocked is a session for looks at an app, without its lock: it saves nothing.
func (e *Env) unlocked(name string, log event.Log) (*Session, error) {
	a, err := e.Store.Load(name)
	if err == nil {
		err = e.Store.RefuseNewer(name)
	}
	if err != nil {
		return nil, err
	}
	set, err := e.Store.Settings()
	log = log.WithApp(name)
	return &Session{Env: e, App: a, Settings: set, Log: log, base: log}, err
}

// Lasts reports whether the app stays without a further push.
func (x *Session) Lasts() bool { return !x.State.Provisional && x.State.Kept.IsZero() }

// detaches returns the ref that a detached push deploys, or why it cannot be left alone.
func (x *Session) detaches(ctx context.Context, p Push) (*Ref, error) {
	if x.State.Locked {
		return nil, LockedError(x.Name)
	}
	if p.Options.NoWait {
		l, err := x.Env.Store.LockNow(ctx, x.Name, "a push")
		if err != nil {
			return nil, err
		}
		l.Release()
	}
	ref, _, err := x.deployRef(p.Refs, "")
	switch {
	case err != nil:
		return nil, err
	case ref == nil || x.View().Property(app.PropSkipDeploy) == "true":
		return nil, fmt.Errorf("cannot detach this push: it deploys nothing; push again without -o detach")
	}
	tip, err := repo.Ref(x.Dir, ref.Name)
	if err != nil {
		return nil, err
	}
	if tip != "" && tip != ref.Old || tip == "" && ref.Old != ZeroID {
		return nil, movedError(*ref, tip)
	}
	return ref, (&push{session: x, ref: *ref, others: p.Refs, objects: p.Objects}).acceptable()
}

// await begins the record of a deploy that waits for its turn. keep is the number of records
// that stay.
func (e *Env) await(p Push, revision string, keep int) (*app.Deploy, error) {
	owner, err := proc.This()
	if err != nil {
		return nil, err
	}
	if err := e.Store.At("begin the record of a detached push"); err != nil {
		return nil, err
	}
	n, f, err := e.Store.NewDeploy(p.App, keep)
	if err != nil {
		return nil, err
	}
	f.Close()
	e.Store.ForgetCancel(p.App, n)
	d := &app.Deploy{Number: n, Cause: p.Origin.cause(), By: e.By, Revision: revision, Message: p.Options.Message,
		Began: time.Now().UTC(), State: app.DeployWaiting, Owner: owner}
	if err := e.Store.SaveDeploy(p.App, d); err != nil {
		e.Store.RemoveDeploy(p.App, n)
		return nil, fmt.Errorf("cannot record the detached push: %w", err)
	}
	return d, nil
}

// TakeOver makes this process the one that a waiting deploy belongs to. It fails if the
// deploy no longer waits.
func (e *Env) TakeOver(name string, n int) error {
	d, err := e.Store.Deploy(name, n)
	if err == nil && d.State != app.DeployWaiting {
		err = fmt.Errorf("it is %s", d.State)
	}
	if err == nil {
		d.Owner, err = proc.This()
	}
	if err == nil {
		err = e.Store.SaveDeploy(name, d)
	}
	if err != nil {
		return fmt.Errorf("cannot take over deploy %d of %s: %w", n, name, err)
	}
	return nil
}

// Turn lets a detached push be cancelled while it waits for the app's lock, and has its log
// say for what it waits. Of any other push it changes nothing. begun ends that.
func (e *Env) Turn(ctx context.Context, p Push, op *Op, log event.Log) (work context.Context, begun func()) {
	n := p.Origin.deploy()
	if n == 0 {
		return ctx, func() {}
	}
	work, stop := e.watchCancel(ctx, p.App, &app.Deploy{Number: n, Cause: p.Origin.cause()})
	file, err := event.AppendFile(e.Store.DeployLog(p.App, n))
	if err != nil {
		return work, sync.OnceFunc(stop)
	}
	waits := log.Tee(file)
	op.WaitLog = &waits
	return work, sync.OnceFunc(func() {
		stop()
		file.Close()
	})
}

// EndWaiting records why a detached push ended before its deploy began. It changes nothing
// if the deploy has begun, or if its end is recorded already.
func (e *Env) EndWaiting(name string, n int, err error, log event.Log) {
	d, rerr := e.Store.Deploy(name, n)
	if rerr != nil || d.State != app.DeployWaiting {
		return
	}
	var by *CancelledError
	d.State = app.DeployRejected
	if errors.As(err, &by) {
		d.State = app.DeployCancelled
	}
	d.Error, d.Ended = firstLine(err), time.Now().UTC()
	if f, ferr := event.AppendFile(e.Store.DeployLog(name, n)); ferr == nil {
		event.New(f).Warn("%s", err)
		f.Close()
	}
	if err := e.Store.SaveDeploy(name, d); err != nil {
		log.WithApp(name).Note("cannot record deploy %d: %s", n, err)
	}
	e.Store.ForgetCancel(name, n)
	e.Tell(journal.Event{Event: journal.Reject, App: name, Revision: d.Revision, By: d.By, Deploy: n, Error: d.Error}, log)
}
