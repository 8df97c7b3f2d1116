package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/proc"
)

// logDeploy also writes all events of this deploy to dokku/deploys/<n>.log, and what became
// of it to <n>.json; d says what it is about. The numbers are independent of the releases',
// because a rejected push has a log too. end appends the deploy's error. After a push was
// accepted, continueLog adds the rest. A log that cannot be written fails no deploy. work
// ends when somebody cancels the deploy.
func (x *Session) logDeploy(ctx context.Context, d app.Deploy) (work context.Context, end func(error)) {
	f, err := x.beginLog(&d)
	if err != nil {
		x.Log.Warn("%s", err)
		return ctx, func(error) {}
	}
	x.deployLog, d.State = d.Number, app.DeployRunning
	work, stop := x.Env.cancellable(ctx, x.Name, &d)
	finish := x.logTo(f, &d)
	return work, func(err error) {
		ended := context.Cause(work) // before stop ends it
		stop()
		finish(err, ended)
	}
}

// beginLog opens the log of a deploy that begins. d has a number already if a detached push
// waited for this moment: then its record says when that began, and for whom.
func (x *Session) beginLog(d *app.Deploy) (f *event.File, err error) {
	if d.Number == 0 {
		d.By, d.Began = x.Env.By, time.Now().UTC()
		if d.Number, f, err = x.Env.Store.NewDeploy(x.Name, x.View().KeptDeploys()); err == nil {
			x.Env.Store.ForgetCancel(x.Name, d.Number) // of a deploy whose log was removed by hand
		}
		return f, err
	}
	waited, err := x.Env.Store.Deploy(x.Name, d.Number)
	if err != nil {
		return nil, fmt.Errorf("cannot go on with the record of deploy %d: %w", d.Number, err)
	}
	d.By, d.Began = waited.By, waited.Began
	d.Add("wait", float64(time.Since(d.Began))/float64(time.Millisecond))
	return event.AppendFile(x.Env.Store.DeployLog(x.Name, d.Number))
}

// continueLog writes the rest of a deploy that git has accepted to its log too.
func (x *Session) continueLog(st *app.Staged) (end func(error)) {
	f, err := event.AppendFile(x.Env.Store.DeployLog(x.Name, st.Log))
	if st.Log == 0 || err != nil {
		return func(error) {} // it was removed, or an older version made the push
	}
	d, err := x.Env.Store.Deploy(x.Name, st.Log)
	if err != nil { // an older version made the push
		d = &app.Deploy{Number: st.Log, Cause: "push", Revision: st.New, Began: st.Started, State: app.DeployRunning}
	}
	d.Staged = true
	finish := x.logTo(f, d)
	return func(err error) { finish(err, nil) }
}

// logTo begins to write a deploy's log and record. ended is why the deploy was to end before
// it was done; nil: nobody wanted that.
func (x *Session) logTo(f *event.File, d *app.Deploy) (finish func(err, ended error)) {
	d.Owner, _ = proc.This() // without it the deploy looks interrupted
	f.Limit(x.View().LogSize(), fmt.Sprintf("to raise it: dokku builds:set %s %s BYTES", x.Name, app.PropLogSize))
	x.record(d)
	phases := &phases{deploy: d}
	secrets := app.Secrets(x.View().Config())
	x.base = x.base.Hiding(secrets).Tee(f).Tee(phases)
	x.logRelease(x.State.Current)
	return func(err, ended error) {
		var r *rejection
		interrupted := err != nil && ended != nil && !errors.As(err, &r)
		if err != nil {
			text := err.Error()
			if interrupted && errors.Is(err, context.Canceled) {
				text = fmt.Sprintf("this %s was cancelled: %s", d.Cause, ended)
			}
			event.New(f).Hiding(secrets).Warn("%s", text) // to the file alone: the caller prints it too
		}
		f.Close()
		phases.mu.Lock()
		defer phases.mu.Unlock()
		switch st := x.State.Staged; {
		case interrupted:
			d.State, d.Error = app.DeployCancelled, event.OneLine(ended.Error())
		case err != nil && x.Accepted == nil:
			d.State, d.Error = app.DeployRejected, event.OneLine(cause(err).Error())
		case st != nil && st.Log == d.Number: // git decides
			d.Release, d.Owner, d.Staged = st.Release, st.Owner, true
			x.record(d)
			return
		default:
			d.State, d.Release = app.DeployDone, x.State.Current
		}
		d.Ended = time.Now().UTC()
		x.record(d)
		x.tellDeploy(d, err)
	}
}

// endInterrupted records how deploys ended whose process was killed, and tells it: of a
// detached push, nobody else would. When they ended is not known.
func (x *Session) endInterrupted() {
	for _, n := range x.Env.Store.DeployLogs(x.Name) {
		if d, err := x.Env.Store.Deploy(x.Name, n); err != nil || !d.Unfinished() {
			continue
		}
		d, err := x.Env.Deploy(x.Name, n)
		if err != nil || d == nil || d.Unfinished() {
			continue
		}
		if d.State == app.DeployInterrupted {
			err = errors.New("it was interrupted: its process was killed")
			d.Error = err.Error()
		}
		x.record(d)
		x.tellDeploy(d, err)
	}
}

// cause is the error that a rejection has printed already.
func cause(err error) error {
	var r *rejection
	if errors.As(err, &r) {
		return r.cause
	}
	return err
}

// record stores the record of a deploy. It is no reason to fail one.
func (x *Session) record(d *app.Deploy) {
	if err := x.Env.Store.SaveDeploy(x.Name, d); err != nil {
		x.Log.Note("cannot record deploy %d: %s", d.Number, err)
	}
}

// phases collects the durations of a deploy's steps from its events.
type phases struct {
	mu     sync.Mutex
	deploy *app.Deploy
}

// phaseNames are the steps that people know, by the beginning of the step's name.
var phaseNames = []string{"validate", "build", "predeploy", "release", "start", "gate", "publish", "postdeploy"}

// Write reads one event.
func (p *phases) Write(text []byte) (int, error) {
	var e struct {
		Step     string
		Duration float64 // milliseconds
	}
	if json.Unmarshal(text, &e) != nil || e.Step == "" {
		return len(text), nil
	}
	for _, name := range phaseNames {
		if strings.HasPrefix(e.Step, name) {
			p.mu.Lock()
			p.deploy.Add(name, e.Duration)
			p.mu.Unlock()
		}
	}
	return len(text), nil
}
