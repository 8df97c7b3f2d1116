package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/failpoint"
	"dokku/scale"
)

// predeploy runs app.json's predeploy in the new image and makes its changes a part of
// that image, as Dokku does: this is where apps compile their assets.
//
// The environment is not in the container's configuration, because the engine would copy
// it into the image, where it would outlive config:unset. A shell reads it from its
// standard input, together with the command.
func (o *rollout) predeploy(ctx context.Context, command string) (err error) {
	info, err := o.imageInfo(ctx)
	if err != nil {
		return err
	}
	o.session.Log.Step("Executing predeploy task from app.json: %s", command)
	done := o.session.Log.Timed("predeploy command")
	defer func() { done(err) }()
	defer o.session.Log.Busy("running the predeploy command")()
	s, env, err := o.onceSpec(ctx, "predeploy")
	if err != nil {
		return err
	}
	script, err := predeployScript(command, info.Entrypoint, env, o.release)
	if err != nil {
		return err
	}
	s.Env, s.Entrypoint, s.Command, s.RestartPolicy = nil, []string{"/bin/sh"}, []string{"-c", readAndRun}, "no"
	s.Options.ReadOnly = false // its changes become a part of the image
	w := o.output(ctx, command, env)
	limited, stop, err := o.limited(ctx, "predeploy")
	if err != nil {
		return err
	}
	defer stop()
	id, last, err := o.attach(limited, s, script, w)
	if err != nil {
		err = slow(ctx, limited, err)
	}
	if id != "" {
		after, cancel := engine.Settled(ctx, engine.SlowCall)
		defer cancel()
		defer func() {
			err = errors.Join(err, o.host.Remove(after, engine.Resource{Kind: engine.Container, ID: id}))
		}()
	}
	if errors.Is(err, engine.ErrNoCommand) {
		return fmt.Errorf("cannot run the predeploy command: the image has no /bin/sh; run it in the Dockerfile: RUN %s", command)
	}
	if err == nil {
		err = o.ended("predeploy", command, w, last)
	}
	if err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.ReleaseCommandRun); err != nil {
		return err
	}
	return o.adoptChanges(ctx, id)
}

// readAndRun makes a shell read its whole input before it runs it, with nothing but what
// every shell has in itself. Without that, the command would share its input.
const readAndRun = "while IFS= read -r l; do s=$s$l'\n'; done; eval \"$s\""

// attach runs a container to its end with the script as its input.
func (o *rollout) attach(ctx context.Context, s engine.Spec, script string, w *printed) (id string, last engine.Instance, err error) {
	last, err = o.host.RunAttached(ctx, s, engine.Streams{Stdin: strings.NewReader(script), Stdout: w, Stderr: w})
	w.Flush()
	if ctx.Err() != nil {
		o.cut, err = "predeploy", context.Cause(ctx)
	}
	return last.ID, last, err
}

// adoptChanges makes the files of a container the release's image.
func (o *rollout) adoptChanges(ctx context.Context, id string) error {
	made, err := o.host.Commit(ctx, id, o.release.Image)
	if err != nil {
		return err
	}
	if err := o.host.Tag(ctx, made, ImageTag(o.session.Name, made)); err != nil {
		return err
	}
	o.release.Image, o.image = made, engine.ImageInfo{}
	return failpoint.Reach(failpoint.ImageKnown)
}

// predeployScript is what the shell reads: the environment, then the command, which
// becomes the shell's own process. An image's ENTRYPOINT gets the command as its
// arguments, as for every process.
func predeployScript(command string, entrypoint []string, env map[string]string, r *app.Release) (string, error) {
	argv, shell, err := scale.Command(command, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		return "", err
	}
	if shell {
		argv = scale.Strict(command)
	}
	var b strings.Builder
	for _, pair := range pairs(env) {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(&b, "export %s=%s\n", name, quoted(value))
	}
	b.WriteString("exec </dev/null\nexec")
	start := r.Exec(argv)
	if start.Entrypoint != nil {
		entrypoint = start.Entrypoint
	}
	for _, word := range slices.Concat(entrypoint, start.Command) {
		b.WriteString(" " + quoted(word))
	}
	return b.String() + "\n", nil
}

// quoted quotes a word for every POSIX shell; syntax.Quote refuses line ends for them.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// onceSpec is the Spec of a container for a command that runs once, and its environment.
// It makes the app's network if there is none yet.
func (o *rollout) onceSpec(ctx context.Context, label string) (engine.Spec, map[string]string, error) {
	env := o.release.Environment(app.Process{Type: label, Index: 1})
	if _, err := o.host.Network(ctx, o.session.Name); err != nil {
		return engine.Spec{}, nil, err
	}
	if err := failpoint.Reach(failpoint.NetworkMade); err != nil {
		return engine.Spec{}, nil, err
	}
	s := engine.Spec{App: o.session.Name, Kind: engine.KindRelease, Type: label, Index: 1, Release: o.release.Number,
		Attempt: o.release.Attempt, Name: o.session.Container(label, 1) + "." + o.release.Attempt,
		Image: o.release.Image, Env: pairs(env), StopTimeout: o.session.View().Grace()}
	o.session.filter(ctx, o.host, o.release, false)
	err := ApplyOptions(o.session.View(), &s, o.release)
	if err == nil {
		err = JoinOverlay(ctx, o.host, &s, o.release)
	}
	return s, env, err
}

// printed prints the lines of a command.
type printed struct {
	event.Lines
	why  string // the command never ran, as a line says
	hint string // see isolationHint
}

// output prints the lines of a command.
func (o *rollout) output(ctx context.Context, command string, env map[string]string) *printed {
	w := &printed{Lines: event.Lines{Longest: maxLine}}
	w.Line = func(line string) {
		if w.why == "" {
			w.why = o.unstarted(ctx, []string{line}, command, env)
		}
		if w.hint == "" {
			w.hint = isolationHint(o.session.Name, o.release.ContainerOptions, []string{line})
		}
		if line != "" {
			o.session.Log.Output(line)
		}
	}
	return w
}

// ended notes that a command has run, and returns the error of one that failed.
func (o *rollout) ended(label, command string, w *printed, last engine.Instance) error {
	if w.why != "" {
		return fmt.Errorf("the %s command did not run: %s", label, w.why)
	}
	// A shell that does not find the command has changed nothing.
	if last.ExitCode != 126 && last.ExitCode != 127 {
		o.ran = append(o.ran, label)
	}
	if last.ExitCode == 0 {
		return nil
	}
	err := fmt.Errorf("the %s command failed%s: %s", label, Ending(last), command)
	if last.OOMKilled || last.ExitCode == 137 {
		docker, _ := o.release.Containers("") // they were valid when it started
		err = fmt.Errorf("%w\n%s", err, MemoryFix(o.session.Name, o.release.ContainerOptions, docker, label))
	} else if w.hint != "" {
		err = fmt.Errorf("%w\n%s", err, w.hint)
	}
	return err
}
