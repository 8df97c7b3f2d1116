package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"dokku/agent/app"
	"dokku/agent/event"
)

// CancelledError ends a deploy that somebody else has cancelled.
type CancelledError struct {
	Cause string // of the deploy
	app.Cancel
}

func (e *CancelledError) Error() string {
	return fmt.Sprintf("this %s was cancelled by %s: %s", e.Cause, cmp.Or(e.By, "somebody"), e.Command)
}

// cancelEvery is how often a deploy looks whether it was cancelled.
const cancelEvery = 100 * time.Millisecond

// cancellable returns a context that ends with a *CancelledError when somebody asks to
// cancel the deploy, until stop. From then on nothing cancels it.
func (e *Env) cancellable(ctx context.Context, name string, d *app.Deploy) (work context.Context, stop func()) {
	work, ended := e.watchCancel(ctx, name, d)
	return work, func() {
		ended()
		e.Store.ForgetCancel(name, d.Number)
	}
}

// watchCancel is cancellable for one part of a deploy: a request that comes after its end
// is for the next part.
func (e *Env) watchCancel(ctx context.Context, name string, d *app.Deploy) (work context.Context, stop func()) {
	work, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-work.Done():
				return
			case <-time.After(cancelEvery):
			}
			if c, asked := e.Store.CancelAsked(name, d.Number); asked {
				cancel(&CancelledError{d.Cause, c})
				return
			}
		}
	}()
	return work, func() {
		cancel(nil)
		<-stopped
	}
}

// cancelled returns the error of a deploy: who cancelled it, if that ended it. Then nothing
// has changed, which it says too, once.
func (x *Session) cancelled(work context.Context, err error) error {
	var by *CancelledError
	var r *rejection
	var said *untouchedError
	switch {
	case err == nil, errors.As(err, &r), errors.As(err, &said):
		return err
	case errors.As(err, &by): // as it is, with what it ended
	case errors.As(context.Cause(work), &by):
		err = by
	default:
		return err
	}
	return &untouchedError{err, x.View().Serves()}
}

// An untouchedError is the error of a cancelled deploy, which says what still serves.
type untouchedError struct {
	error
	serves string
}

func (e *untouchedError) Error() string {
	return e.error.Error() + "\nNothing has changed: " + e.serves
}
func (e *untouchedError) Unwrap() error { return e.error }

// Deploys returns the records of an app's deploys, ascending, as they are now.
func (e *Env) Deploys(name string) (list []*app.Deploy, err error) {
	for _, n := range e.Store.DeployLogs(name) {
		d, err := e.Deploy(name, n)
		if err != nil {
			return nil, err
		}
		if d != nil {
			list = append(list, d)
		}
	}
	return list, nil
}

// Deploy returns the record of a deploy as it is now; nil if an older version, which kept
// no records, made the deploy. A killed process could not write how it ended: the app's
// state tells.
func (e *Env) Deploy(name string, n int) (*app.Deploy, error) {
	d, err := e.Store.Deploy(name, n)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || !d.Unfinished() || d.Owner.Alive() {
		return d, err
	}
	a, err := e.Store.Load(name)
	if err != nil {
		return nil, err
	}
	if st := a.State.Staged; st != nil && st.Log == n {
		return d, nil // the agent finds out what git has decided, and finishes
	}
	if d, err = e.Store.Deploy(name, n); err != nil || !d.Unfinished() || d.Owner.Alive() {
		return d, err // it has ended, or goes on in another process, since the first look
	}
	d.State = app.DeployInterrupted
	numbers, err := e.Store.ReleaseNumbers(name)
	if err != nil {
		return nil, err
	}
	for _, number := range numbers {
		if number > a.State.Current {
			continue // it was rejected
		}
		if r, err := e.Store.Release(name, number); err == nil && r.Deploy == n {
			d.State, d.Release = app.DeployDone, number
		}
	}
	past, err := e.Store.Past(name, a.State.Current, recentReleases)
	if err != nil {
		return nil, err
	}
	for _, r := range past {
		if r.Deploy == n {
			d.State, d.Release = app.DeployDone, r.Number
		}
	}
	return d, nil
}

// recentReleases is how many releases that are not kept are searched for a deploy. Restarts
// make releases too, so that there may be more of them than deploys.
const recentReleases = 100

// cancelPatience is how long a cancelled deploy has to clean up: see rollout.undo.
const cancelPatience = 3 * time.Minute

// Cancel ends deploy n of an app, or for 0 the one that is under way, else the last one that
// waits. It returns the deploy when that has cleaned up. It fails if there is none, if git
// has accepted the deploy or is about to, and if the deploy has ended by itself.
func (e *Env) Cancel(ctx context.Context, name string, n int, by app.Cancel, log event.Log) (*app.Deploy, error) {
	d, err := e.underWay(name, n)
	switch {
	case err != nil:
		return nil, err
	case d == nil && e.Store.Busy(name) != "":
		//lint:ignore ST1005 the style of Dokku's messages
		return nil, fmt.Errorf("No deploy of %s is under way, but %s", name, e.Store.Busy(name))
	case d == nil:
		//lint:ignore ST1005 the style of Dokku's messages
		return nil, fmt.Errorf("No deploy of %s is under way", name)
	case d.Staged:
		return d, tooLate(name, d)
	}
	if err := e.Store.AskCancel(name, d.Number, by); err != nil {
		return nil, err
	}
	defer log.Busy("waiting until deploy %d has cleaned up", d.Number)()
	ctx, stop := context.WithTimeoutCause(ctx, cancelPatience,
		fmt.Errorf("deploy %d of %s has been told to end and still cleans up; to see what it does: dokku deploys:log %[2]s %[1]d -t", d.Number, name))
	defer stop()
	for n := d.Number; ; {
		d, err := e.Deploy(name, n)
		switch {
		case err != nil:
			return nil, err
		case d == nil:
			return nil, fmt.Errorf("the record of deploy %d of %s was removed while it was cancelled", n, name)
		case d.State == app.DeployCancelled:
			return d, nil
		case d.Staged || d.State == app.DeployDone:
			e.Store.ForgetCancel(name, n)
			return d, tooLate(name, d)
		case !d.Unfinished():
			e.Store.ForgetCancel(name, n)
			return d, fmt.Errorf("Deploy %d of %s ended before it could be cancelled: %s", n, name, d.State)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(cancelEvery / 2):
		}
	}
}

// underWay returns the deploy that Cancel is to end; nil if none goes on.
func (e *Env) underWay(name string, n int) (*app.Deploy, error) {
	if n == 0 {
		return cmp.Or(e.Store.RunningDeploy(name), e.Store.WaitingDeploy(name)), nil
	}
	d, err := e.Deploy(name, n)
	if err == nil && d != nil && !d.Unfinished() {
		err = fmt.Errorf("Deploy %d of %s has ended: %s", n, name, d.State)
	}
	return d, err
}

// tooLate is the error for a deploy that cannot be cancelled any more.
func tooLate(name string, d *app.Deploy) error {
	help := "to go back once it is deployed"
	if d.State == app.DeployDone {
		help = fmt.Sprintf("v%d is deployed; to go back", d.Release)
	}
	return fmt.Errorf("Deploy %d of %s cannot be cancelled any more: %s: dokku releases:rollback %[2]s", d.Number, name, help)
}

// replace cancels the deploys of an app, one after the other, until stop: its caller waits
// for the app's lock to take their place.
func (e *Env) replace(name string, by app.Cancel, log event.Log) (stop func()) {
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for asked := 0; ; {
			if d := e.Store.RunningDeploy(name); d != nil && !d.Staged && d.Number != asked {
				log.Step("Cancelling %s", d)
				if err := e.Store.AskCancel(name, d.Number, by); err != nil {
					log.Warn("%s", err)
				}
				asked = d.Number
			}
			select {
			case <-ended:
				return
			case <-time.After(cancelEvery):
			}
		}
	}()
	return func() { close(ended); <-stopped }
}
