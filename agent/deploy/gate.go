package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"dokku/agent/app"
	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/scale"
)

// gate returns nil once every started process has passed its checks.
func (o *rollout) gate(ctx context.Context) (err error) {
	if len(o.targets) == 0 {
		return nil
	}
	info, err := o.imageInfo(ctx)
	if o.release.OnSwarm() && errors.Is(err, engine.ErrNoImage) {
		err = nil // the nodes have it
	}
	if err != nil {
		return err
	}
	if o.release.OnSwarm() && imageCheck(info) != nil {
		o.session.warn("The image's HEALTHCHECK does not run on a swarm: write a CHECKS file, or healthchecks in app.json")
		info.Healthcheck = nil
	}
	plan, warnings, err := o.session.checkPlan(o.release, imageCheck(info))
	if err != nil {
		return err
	}
	for _, w := range warnings {
		o.session.warn(w.String())
	}
	if o.session.checksSkipped {
		plan = plan.ByDefault()
	}
	plan.Exec = o.host
	done := o.session.Log.Timed("gate")
	defer func() { done(err) }()
	if o.finds && slices.ContainsFunc(o.targets, func(t checks.Target) bool { return t.Type == scale.Web }) {
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
	err = o.session.cancelled(ctx, err)
	var f *checks.Failure
	failed := errors.As(err, &f)
	if failed {
		o.reportFailure(ctx, f)
		err = &rejection{o.session.View().Serves(), err}
	}
	var notes []string
	for _, command := range o.ran {
		notes = append(notes, fmt.Sprintf("The %s command has already run: its changes, for example to a database, remain", command))
	}
	if o.cut != "" {
		notes = append(notes, fmt.Sprintf("The %s command was interrupted: what it has changed until then, for example in a database, remains", o.cut))
	}
	for _, text := range notes {
		if failed {
			o.session.Log.Warn("%s", text)
		} else { // print it below the error
			err = fmt.Errorf("%w\n%s", err, text)
		}
	}
	return err
}

// reportFailure prints why a process failed, and only then keeps the whole logs: a busy
// engine needs its time for those.
func (o *rollout) reportFailure(ctx context.Context, f *checks.Failure) {
	soon, cancel := engine.Settled(ctx, engine.QuickCall)
	defer cancel()
	lines := o.lastLines(soon, f.Target.ID, engine.LogOptions{Tail: reportLines}, reportLines*maxLine)
	f.Suggestion = cmp.Or(o.suggestion(soon, f, lines), f.Suggestion)
	f.Print(o.session.Log, o.session.Name, lines)
	later, done := engine.Settled(ctx, engine.SlowCall)
	defer done()
	o.keepFailed(later, f)
}

// unchanged adds to the error of a failed deploy that the app has not changed.
func unchanged(x *Session, err error) error {
	var r *rejection
	var c *CancelledError
	if err == nil || errors.As(err, &r) || errors.As(err, &c) || errors.Is(err, context.Canceled) {
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
	if i.Placed() && i.NodePort == 0 { // the same port of the node may be of another program
		i.Address = netip.Addr{}
	}
	return checks.Target{Name: p.String(), Type: i.Type, ID: i.ID, Address: i.Address, Port: port, NodePort: i.NodePort, Secure: i.Secure, Started: i.Started, HasTLS: secure && i.Type == "web"}
}
