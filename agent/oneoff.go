package agent

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"dokku/agent/engine"
	"dokku/scale"
)

// runRelease runs the Procfile's release command once, in the new image and
// before anything is started. Its failure ends the deploy.
func (o *rollout) runRelease(ctx context.Context) error {
	command, ok := o.control.procfile.Release()
	if !ok {
		return nil
	}
	o.log.Step("Running release command: %s", command)
	done := o.log.Timed("release command")
	err := o.runOnce(ctx, "release", command)
	done(err)
	if err == nil {
		o.released = true
	}
	return err
}

// runOnce runs a command in the release's image, with its environment, on the
// app's network, and passes on what it prints.
func (o *rollout) runOnce(ctx context.Context, what, command string) error {
	p := Process{Type: what, Index: 1}
	env := o.release.environment(p)
	argv, err := scaleCommand(command, env)
	if err != nil {
		return err
	}
	if _, err := o.host.Network(ctx, o.Name); err != nil {
		return err
	}
	s := engine.Spec{App: o.Name, Kind: engine.KindRelease, Type: what, Index: 1, Release: o.release.Number,
		Attempt: o.release.Attempt, Name: o.container(what, 1) + "." + o.release.Attempt,
		Image: o.release.Image, Command: argv, StopTimeout: o.grace()}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		s.Env = append(s.Env, k+"="+env[k])
	}
	w := &lineWriter{emit: o.log.Output}
	last, err := engine.RunOnce(ctx, o.host, s, w)
	w.flush()
	if err != nil {
		return err
	}
	if last.ExitCode != 0 {
		return fmt.Errorf("the %s command failed%s: %s", what, ending(last), command)
	}
	return nil
}

// ending says how a process ended.
func ending(i engine.Instance) string {
	if i.OOMKilled {
		return fmt.Sprintf(" with exit code %d (its memory ran out)", i.ExitCode)
	}
	return fmt.Sprintf(" with exit code %d", i.ExitCode)
}

// scaleCommand turns a Procfile command into arguments for a container.
func scaleCommand(command string, env map[string]string) ([]string, error) {
	argv, _, err := scale.Command(command, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	return argv, err
}

// lineWriter cuts what a process prints into lines. A line that does not end
// is passed on in pieces of maxLine bytes.
type lineWriter struct {
	emit func(string)
	buf  []byte
}

const maxLine = 16 << 10

var _ io.Writer = (*lineWriter)(nil)

func (w *lineWriter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' || len(w.buf) >= maxLine {
			w.flush()
		}
		if b != '\n' && b != '\r' {
			w.buf = append(w.buf, b)
		}
	}
	return len(p), nil
}

func (w *lineWriter) flush() {
	if len(w.buf) > 0 {
		w.emit(string(w.buf))
		w.buf = w.buf[:0]
	}
}
