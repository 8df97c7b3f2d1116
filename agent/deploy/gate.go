package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"dokku/agent/app"
	"dokku/agent/checks"
	"dokku/agent/engine"
)

// gate returns nil once every started process has passed its checks.
func (o *rollout) gate(ctx context.Context) (err error) {
	if len(o.targets) == 0 {
		return nil
	}
	info, err := o.imageInfo(ctx)
	if err != nil {
		return err
	}
	plan, warnings, err := o.session.checkPlan(o.release, imageCheck(info))
	if err != nil {
		return err
	}
	for _, w := range warnings {
		o.session.Log.Warn("%s", w)
	}
	plan.Exec = o.host
	done := o.session.Log.Timed("gate")
	defer func() { done(err) }()
	if o.finds {
		if err := o.findPort(ctx, plan); err != nil {
			return err
		}
		o.finds = false
	}
	return checks.Gate(ctx, plan, o.targets, observer{o.host}, o.session.Log)
}

// report prints why a deploy was rejected and returns the error for the caller to
// print.
func (o *rollout) report(ctx context.Context, err error) error {
	var f *checks.Failure
	failed := errors.As(err, &f)
	if failed {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		o.keepFailed(ctx, f)
		lines := o.lastLines(ctx, f.Target.ID, engine.LogOptions{Tail: reportLines}, reportLines*maxLine)
		f.Suggestion = cmp.Or(o.suggestion(ctx, f, lines), f.Suggestion)
		f.Print(o.session.Log, o.session.Name, lines)
		err = &rejection{o.session.View().Serves(), err}
	}
	for _, command := range o.ran {
		text := fmt.Sprintf("The %s command has already run: its changes, for example to a database, remain", command)
		if failed {
			o.session.Log.Warn("%s", text)
		} else { // print it below the error
			err = fmt.Errorf("%w\n%s", err, text)
		}
	}
	return err
}

// unchanged adds to the error of a failed deploy that the app has not changed.
func unchanged(x *Session, err error) error {
	var r *rejection
	if err == nil || errors.As(err, &r) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w\nNothing has changed: %s", err, x.View().Serves())
}

// A rejection is an error whose cause has been printed.
type rejection struct {
	serves string
	cause  error
}

func (r *rejection) Error() string { return "Nothing has changed: " + r.serves }
func (r *rejection) Unwrap() error { return r.cause }

// reportLines is the number of lines that a push prints of a failed process's log.
const reportLines = 20

// target returns the gate's target for an instance. secure: web is reached over TLS.
func target(i engine.Instance, port int, secure bool) checks.Target {
	p := app.Process{Type: i.Type, Index: i.Index}
	return checks.Target{Name: p.String(), Type: i.Type, ID: i.ID, Address: i.Address, Port: port, Started: i.Started, HasTLS: secure && i.Type == "web"}
}
