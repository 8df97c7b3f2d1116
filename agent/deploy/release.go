package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/failpoint"
	"dokku/scale"
)

// runRelease runs app.json's predeploy, which changes the new image, and then the
// Procfile's release command, once each, before any process starts: Dokku's order. A
// failure ends the deploy.
func (o *rollout) runRelease(ctx context.Context) error {
	if command := o.release.Control.AppJSON.Predeploy; command != "" {
		if err := o.predeploy(ctx, command); err != nil {
			return o.taskFailed(ctx, "predeploy", command, err)
		}
	}
	if err := o.pushImage(ctx); err != nil {
		return err
	}
	command, ok := o.release.Control.Procfile.Release()
	if !ok {
		return nil
	}
	if err := o.runOnce(ctx, "release", command); err != nil {
		return o.taskFailed(ctx, "release", command, err)
	}
	return failpoint.Reach(failpoint.ReleaseCommandRun)
}

// postdeploy runs app.json's postdeploy once, after the switch. The release is live by
// then, so a failure only prints a warning.
func (x *Session) postdeploy(ctx context.Context) {
	o, err := x.scaling(x.State.Scale)
	if err == nil && o.release.Control.AppJSON.Postdeploy != "" {
		command := o.release.Control.AppJSON.Postdeploy
		if err = o.runOnce(ctx, "postdeploy", command); err != nil {
			err = o.taskFailed(ctx, "postdeploy", command, err)
		}
	}
	if err != nil {
		x.Log.Warn("%s; v%d serves nevertheless", err, x.State.Current)
	}
}

// taskFailed says in Dokku's words, which scripts look for, that a command has failed.
func (o *rollout) taskFailed(ctx context.Context, task, command string, err error) error {
	if ctx.Err() == nil {
		o.session.Log.Warn("Execution of %s task failed: %s", task, command)
	}
	return err
}

func hasPostdeploy(v app.View) bool { return v.Current.Control.AppJSON.Postdeploy != "" }

// taskFile names the file that a command of a deploy comes from.
func taskFile(label string) string {
	if label == "release" {
		return "Procfile"
	}
	return "app.json"
}

// runOnce runs a command in the release's image, with its environment, on the app's
// network, and prints its output. It fails when any part of the command does.
func (o *rollout) runOnce(ctx context.Context, label, command string) (err error) {
	o.session.Log.Step("Executing %s task from %s in ephemeral container: %s", label, taskFile(label), command)
	done := o.session.Log.Timed(label + " command")
	defer func() { done(err) }()
	defer o.session.Log.Busy("running the %s command", label)()
	s, env, err := o.onceSpec(ctx, label)
	if err != nil {
		return err
	}
	whole := ctx
	ctx, stop, err := o.limited(ctx, label)
	if err != nil {
		return err
	}
	defer stop()
	argv, shell, err := scale.Command(command, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		return err
	}
	if shell {
		argv = scale.Strict(command)
	}
	start := o.release.Exec(argv)
	s.Entrypoint, s.Command = start.Entrypoint, start.Command
	w := o.output(ctx, command, env)
	last, err := engine.RunOnce(ctx, o.host, s, w)
	w.Flush()
	if err != nil {
		if ctx.Err() != nil {
			o.cut = label
		}
		return slow(whole, ctx, err)
	}
	return o.ended(label, command, w, last)
}

// A slowError says that a command of a deploy took longer than it may.
type slowError struct {
	app, label string
	limit      time.Duration
}

func (e *slowError) Error() string {
	return fmt.Sprintf("the %s command took longer than %s, which is its limit, and was ended; make it quicker, run it beside the deploy (dokku run:detached %s COMMAND), "+
		"or: dokku builder:set %[3]s %[4]s SECONDS", e.label, e.limit, e.app, app.PropTaskTimeout)
}

// limited returns a context that ends with a *slowError when a command takes too long.
func (o *rollout) limited(ctx context.Context, label string) (context.Context, context.CancelFunc, error) {
	d, err := o.session.View().TaskTimeout()
	if err != nil {
		return nil, nil, err
	}
	ctx, stop := context.WithTimeoutCause(ctx, d, &slowError{o.session.Name, label, d})
	return ctx, stop, nil
}

// slow returns the *slowError if that ended a command's context, and err otherwise. whole is
// the context of the deploy.
func slow(whole, ctx context.Context, err error) error {
	var late *slowError
	if whole.Err() == nil && errors.As(context.Cause(ctx), &late) {
		return late
	}
	return err
}

// Ending describes how a process ended, for the end of a message.
func Ending(i engine.Instance) string {
	if i.OOMKilled {
		return fmt.Sprintf(" with exit code %d (its memory ran out)", i.ExitCode)
	}
	if i.ExitCode == 137 { // what the engine's mark may be missing from
		return " with exit code 137 (killed, most likely because its memory ran out)"
	}
	return fmt.Sprintf(" with exit code %d", i.ExitCode)
}

// maxLine is the length in bytes at which an output line without an end is cut.
const maxLine = 16 << 10
