package deploy

import (
	"context"
	"fmt"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/failpoint"
)

// runRelease runs the Procfile's release command and then app.json's predeploy
// once, in the new image and before anything is started. A failure ends the
// deploy.
func (o *rollout) runRelease(ctx context.Context) error {
	release, _ := o.release.Control.Procfile.Release()
	for _, c := range []struct{ what, command string }{
		{"release", release}, {"predeploy", o.release.Control.AppJSON.Predeploy},
	} {
		if c.command == "" {
			continue
		}
		if err := o.runOnce(ctx, c.what, c.command); err != nil {
			return err
		}
		if err := failpoint.Reach(failpoint.ReleaseCommandRun); err != nil {
			return err
		}
	}
	return nil
}

// postdeploy runs app.json's postdeploy once, after the switch. The release is
// live by then: a failure is reported and changes nothing.
func (x *Session) postdeploy(ctx context.Context) {
	o, err := x.scaling(x.State.Scale)
	if err == nil && o.release.Control.AppJSON.Postdeploy != "" {
		err = o.runOnce(ctx, "postdeploy", o.release.Control.AppJSON.Postdeploy)
	}
	if err != nil {
		x.Log.Warn("%s; v%d serves all the same", err, x.State.Current)
	}
}

func hasPostdeploy(v app.View) bool { return v.Current.Control.AppJSON.Postdeploy != "" }

// runOnce runs a command in the release's image, with its environment, on the
// app's network, and passes on what it prints.
func (o *rollout) runOnce(ctx context.Context, what, command string) (err error) {
	o.session.Log.Step("Running %s command: %s", what, command)
	done := o.session.Log.Timed(what + " command")
	defer func() { done(err) }()
	p := app.Process{Type: what, Index: 1}
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
	s := engine.Spec{App: o.session.Name, Kind: engine.KindRelease, Type: what, Index: 1, Release: o.release.Number,
		Attempt: o.release.Attempt, Name: o.session.Container(what, 1) + "." + o.release.Attempt,
		Image: o.release.Image, Command: argv, Env: pairs(env), StopTimeout: o.session.View().Grace()}
	if err := ApplyOptions(o.session.View(), &s, o.release); err != nil {
		return err
	}
	w := &event.Lines{Longest: maxLine, Line: func(line string) {
		if line != "" {
			o.session.Log.Output(line)
		}
	}}
	last, err := engine.RunOnce(ctx, o.host, s, w)
	w.Flush()
	if err != nil {
		return err
	}
	o.ran = append(o.ran, what)
	if last.ExitCode != 0 {
		return fmt.Errorf("the %s command failed%s: %s", what, Ending(last), command)
	}
	return nil
}

// Ending says how a process ended.
func Ending(i engine.Instance) string {
	if i.OOMKilled {
		return fmt.Sprintf(" with exit code %d (its memory ran out)", i.ExitCode)
	}
	return fmt.Sprintf(" with exit code %d", i.ExitCode)
}

// maxLine is where a line of a command that has no end is cut, in bytes.
const maxLine = 16 << 10
