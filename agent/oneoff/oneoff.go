package oneoff

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/plan"
	"dokku/agent/proc"
	"dokku/scale"
)

// OneOff is a command that runs in a container of its own.
type OneOff struct {
	// Words are a process type of the Procfile with further arguments, or a command. The
	// image's ENTRYPOINT gets them, if it has one.
	Words []string
	// Env lists variables ("KEY=value") that override the app's config.
	Env []string
	// Labels are more labels of the container. Those of the engine's contract win.
	Labels map[string]string
	TTY    bool
	// TTL limits how long it may run; 0: no limit.
	TTL time.Duration
	// By is the name of the user or key, for the host's log.
	By string
	// Cron is the task that it runs; nil: none, it is a command of dokku run.
	Cron *Cron
}

// Cron is the task whose run a container is.
type Cron struct {
	ID     string // Dokku's
	Policy string
	Run    string // of app.CronRun
	// Release has to be current. Otherwise the error is ErrReplaced.
	Release int
}

// ErrReplaced says that another release than that of the task is current.
var ErrReplaced = errors.New("another release has become current")

// The process types of one-off containers: run.4711, and cron.4711.
const (
	oneOffType = "run"
	cronType   = "cron"
)

// RunAttached runs a command in a container of the current release's image, with the
// present config and on the app's network. It removes the container and returns its
// last state. When ctx is done, or the reader of the output goes away, it stops the
// command. If this process is killed, the agent cleans up.
func RunAttached(ctx context.Context, s *agent.Server, app string, o OneOff, st engine.Streams, log event.Log) (engine.Instance, error) {
	host, err := s.Host()
	if err != nil {
		return engine.Instance{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	st.TTY = o.TTY
	also := st.Started
	st.Started = func(i engine.Instance) {
		if also != nil {
			also(i)
		}
		if err := standing(s, app); err != nil {
			cancel(err)
		}
	}
	last, spec, err := launch(ctx, s, app, o, log, func(spec engine.Spec) (engine.Instance, error) {
		return host.RunAttached(ctx, spec, st)
	})
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if last.ID == "" {
		return last, err
	}
	return last, errors.Join(err, discardOneOff(ctx, host, last, spec.StopTimeout, err != nil))
}

// RunDetached starts a command as RunAttached does, and returns its container. The
// agent removes it once it has ended or its TTL is over.
func RunDetached(ctx context.Context, s *agent.Server, app string, o OneOff, log event.Log) (engine.Instance, error) {
	host, err := s.Host()
	if err != nil {
		return engine.Instance{}, err
	}
	i, spec, err := launch(ctx, s, app, o, log, func(spec engine.Spec) (engine.Instance, error) {
		return host.Start(ctx, spec)
	})
	if err != nil {
		return i, err
	}
	if err := standing(s, app); err != nil {
		return i, errors.Join(err, discardOneOff(ctx, host, i, spec.StopTimeout, true))
	}
	return i, nil
}

// standing returns an error if the app is being destroyed. apps:destroy sets the mark
// before it lists the containers, so either it finds a new container, or the starter of
// that container finds the mark.
func standing(s *agent.Server, name string) error {
	a, err := s.Env.Store.Load(name)
	if err == nil && a.State.Destroying {
		err = &app.DestroyingError{App: name}
	}
	return err
}

// launch starts a one-off container under a free name.
func launch(ctx context.Context, s *agent.Server, app string, o OneOff, log event.Log, start func(engine.Spec) (engine.Instance, error)) (i engine.Instance, spec engine.Spec, err error) {
	for range 5 {
		if spec, err = SpecOf(ctx, s, app, o); err != nil {
			return i, spec, err
		}
		if err := room(ctx, s, app); err != nil {
			return i, spec, err
		}
		name := fmt.Sprintf("%s: %s", spec.Name, o.summary())
		log.WithApp(app).WithRelease(spec.Release).Note("starting %s", name)
		done := log.WithApp(app).WithRelease(spec.Release).Timed(name)
		i, err = start(spec)
		done(err)
		// A deploy may have replaced the release and removed its image in the meantime.
		if err == nil || i.ID != "" || !errors.Is(err, engine.ErrNameInUse) && !errors.Is(err, engine.ErrNoImage) {
			break
		}
		if errors.Is(err, engine.ErrNoImage) {
			if ferr := fetchImage(ctx, s, app, log); ferr != nil {
				return i, spec, ferr
			}
		}
	}
	return i, spec, err
}

// fetchImage brings the image of the current release back from a registry, if it has one.
func fetchImage(ctx context.Context, s *agent.Server, app string, log event.Log) error {
	x, err := current(ctx, s, app)
	if err != nil {
		return err
	}
	return s.Env.FetchImage(ctx, x, x.Current, log.WithApp(app))
}

// summary describes the command without secrets: no arguments and no values.
func (o OneOff) summary() string {
	word, _, _ := strings.Cut(o.Words[0], "=")
	text := fmt.Sprintf("%s with %d arguments", word, len(o.Words)-1)
	for _, pair := range o.Env {
		key, _, _ := strings.Cut(pair, "=")
		text += ", " + key + " set"
	}
	if o.By != "" {
		text += ", by " + o.By
	}
	return text
}

// SpecOf returns the spec of a one-off container.
func SpecOf(ctx context.Context, s *agent.Server, name string, o OneOff) (engine.Spec, error) {
	x, err := current(ctx, s, name)
	if err != nil {
		return engine.Spec{}, err
	}
	r := x.Current
	p := app.Process{Type: oneOffType, Index: 10000 + rand.IntN(90000)}
	spec := engine.Spec{App: name, Kind: engine.KindRun, Type: p.Type, Index: p.Index, Release: r.Number,
		Attempt: app.NewAttempt(), Name: x.Container(p.Type, p.Index), Image: r.Image, TTY: o.TTY,
		RestartPolicy: "no", StopTimeout: x.Grace()}
	if c := o.Cron; c != nil {
		if c.Release != r.Number {
			return spec, ErrReplaced
		}
		spec.Kind, spec.Type, spec.Name = engine.KindCron, cronType, x.Container(cronType, p.Index)
		spec.CronID, spec.CronPolicy, spec.CronRun = c.ID, c.Policy, c.Run
		p.Type = cronType
	}
	if o.TTL > 0 {
		spec.Deadline, spec.TTL = time.Now().Add(o.TTL), o.TTL
	}
	self, err := proc.This()
	if err != nil {
		return spec, err
	}
	spec.Client = self.Label()
	if err := deploy.ApplyOptions(x, &spec, r); err != nil {
		return spec, err
	}
	if r.OnSwarm() {
		host, err := s.Host()
		if err == nil {
			err = deploy.JoinOverlay(ctx, host, &spec, r)
		}
		if err != nil {
			return spec, err
		}
	}
	if len(o.Labels) > 0 {
		if spec.Options.Labels == nil {
			spec.Options.Labels = map[string]string{}
		}
		maps.Copy(spec.Options.Labels, o.Labels)
	}
	present := app.Release{Config: x.Config(), Revision: r.Revision, RevEnvVar: r.RevEnvVar}
	env := present.Environment(p)
	start, err := o.Program(r, env)
	if err != nil {
		return spec, err
	}
	spec.Entrypoint, spec.Command = start.Entrypoint, start.Command
	for _, k := range slices.Sorted(maps.Keys(env)) {
		spec.Env = append(spec.Env, k+"="+env[k])
	}
	spec.Env = append(spec.Env, o.Env...)
	host, err := s.Env.Engine(x.Settings)
	if err != nil {
		return spec, err
	}
	if _, err = host.Network(ctx, name); err == nil {
		s.Env.FilterStart(ctx, host, x.App, r, false)
	}
	return spec, err
}

// current reads an app that has a release. It takes the lock only to finish a first
// release that git may have accepted.
func current(ctx context.Context, s *agent.Server, name string) (app.View, error) {
	v, err := s.View(name)
	if err == nil && v.Current == nil && v.State.Staged != nil {
		err = s.Env.With(ctx, name, deploy.Op{Name: "run"}, event.Log{}, func(x *deploy.Session) error { v = x.View(); return nil })
	}
	switch {
	case err != nil:
		return v, err
	case v.State.Destroying:
		return v, &app.DestroyingError{App: name}
	case v.Current == nil:
		return v, &app.NotDeployedError{App: name}
	}
	return v, nil
}

// Program returns what runs the command of a process type of the Procfile, or the words.
func (o OneOff) Program(r *app.Release, env map[string]string) (app.Program, error) {
	declared, found := r.Control.Procfile.Lookup(o.Words[0])
	if !found {
		return r.Exec(o.Words), nil
	}
	if start, ok := r.Start(declared.Type); ok && (len(o.Words) == 1 || start.TakesWords()) {
		start.Command = append(start.Command, o.Words[1:]...)
		return start, nil
	}
	// The command of web may use PORT, although nothing connects to it here.
	known := maps.Clone(env)
	known["PORT"] = strconv.Itoa(r.Port)
	lookup := func(name string) (string, bool) { v, ok := known[name]; return v, ok }
	argv, err := scale.Once(declared.Command, o.Words[1:], o.TTY, lookup)
	return r.Exec(argv), err
}

// List lists the app's one-off containers, by name, without those of cron tasks.
func List(ctx context.Context, s *agent.Server, app string) ([]engine.Instance, error) {
	host, err := s.Host()
	if err != nil {
		return nil, err
	}
	o, err := host.Observe(ctx, app)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(plan.OneOffs(o.Instances), func(i engine.Instance) bool { return i.Kind != engine.KindRun }), nil
}

// StopAll stops one-off containers of an app and removes them. A live client removes
// its attached container itself.
func StopAll(ctx context.Context, s *agent.Server, a *app.App, list []engine.Instance, log event.Log) error {
	set, err := s.Env.Store.Settings()
	if err != nil {
		return err
	}
	host, err := s.Env.Engine(set)
	if err != nil {
		return err
	}
	grace := app.View{App: a, Settings: set}.Grace()
	var g errgroup.Group
	for _, i := range list {
		log.Step("Stopping %s", i.Name)
		g.Go(func() error {
			defer log.Busy("stopping %s", i.Name)()
			if i.Attached && proc.ParseOwner(i.Client).Alive() {
				return host.Stop(ctx, i.ID, grace)
			}
			return discardOneOff(ctx, host, i, grace, true)
		})
	}
	return g.Wait()
}

// discardOneOff removes a one-off container, even if ctx is done. If runs is true, it
// stops the container first.
func discardOneOff(ctx context.Context, host engine.Engine, i engine.Instance, grace time.Duration, runs bool) error {
	ctx = context.WithoutCancel(ctx)
	if runs {
		if err := host.Stop(ctx, i.ID, grace); err != nil {
			return err
		}
	}
	return host.Remove(ctx, engine.Resource{Kind: engine.Container, ID: i.ID})
}
