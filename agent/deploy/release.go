package deploy

import (
	"cmp"
	"context"
	"fmt"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/failpoint"
)

// runRelease runs the Procfile's release command and then app.json's predeploy, once
// each, in the new image, before any process starts. A failure ends the deploy.
func (o *rollout) runRelease(ctx context.Context) error {
	release, _ := o.release.Control.Procfile.Release()
	for _, c := range []struct{ label, command string }{
		{"release", release}, {"predeploy", o.release.Control.AppJSON.Predeploy},
	} {
		if c.command == "" {
			continue
		}
		if err := o.runOnce(ctx, c.label, c.command); err != nil {
			return err
		}
		if err := failpoint.Reach(failpoint.ReleaseCommandRun); err != nil {
			return err
		}
	}
	return nil
}

// postdeploy runs app.json's postdeploy once, after the switch. The release is live by
// then, so a failure only prints a warning.
func (x *Session) postdeploy(ctx context.Context) {
	o, err := x.scaling(x.State.Scale)
	if err == nil && o.release.Control.AppJSON.Postdeploy != "" {
		err = o.runOnce(ctx, "postdeploy", o.release.Control.AppJSON.Postdeploy)
	}
	if err != nil {
		x.Log.Warn("%s; v%d serves nevertheless", err, x.State.Current)
	}
}

func hasPostdeploy(v app.View) bool { return v.Current.Control.AppJSON.Postdeploy != "" }

// runOnce runs a command in the release's image, with its environment, on the app's
// network, and prints its output.
func (o *rollout) runOnce(ctx context.Context, label, command string) (err error) {
	o.session.Log.Step("Running %s command: %s", label, command)
	done := o.session.Log.Timed(label + " command")
	defer func() { done(err) }()
	p := app.Process{Type: label, Index: 1}
	env := o.release.Environment(p)
	argv, err := arguments(command, env)
	if err != nil {
		return err
	}
	if _, err := o.host.Network(ctx, o.session.Name); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.NetworkMade); err != nil {
		return err
	}
	s := engine.Spec{App: o.session.Name, Kind: engine.KindRelease, Type: label, Index: 1, Release: o.release.Number,
		Attempt: o.release.Attempt, Name: o.session.Container(label, 1) + "." + o.release.Attempt,
		Image: o.release.Image, Command: argv, Env: pairs(env), StopTimeout: o.session.View().Grace()}
	if err := ApplyOptions(o.session.View(), &s, o.release); err != nil {
		return err
	}
	why := ""
	w := &event.Lines{Longest: maxLine, Line: func(line string) {
		why = cmp.Or(why, unstarted([]string{line}, command, env))
		if line != "" {
			o.session.Log.Output(line)
		}
	}}
	last, err := engine.RunOnce(ctx, o.host, s, w)
	w.Flush()
	if err != nil {
		return err
	}
	if why != "" {
		return fmt.Errorf("the %s command did not run: %s", label, why)
	}
	o.ran = append(o.ran, label)
	if last.ExitCode != 0 {
		return fmt.Errorf("the %s command failed%s: %s", label, Ending(last), command)
	}
	return nil
}

// Ending describes how a process ended, for the end of a message.
func Ending(i engine.Instance) string {
	if i.OOMKilled {
		return fmt.Sprintf(" with exit code %d (its memory ran out)", i.ExitCode)
	}
	return fmt.Sprintf(" with exit code %d", i.ExitCode)
}

// maxLine is the length in bytes at which an output line without an end is cut.
const maxLine = 16 << 10
