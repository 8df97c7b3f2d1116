package agent

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/build"
	"dokku/scale"
)

// Restart replaces all processes by new ones from the current image with the
// present config, gated and without downtime. A stopped app runs afterwards.
func (s *Server) Restart(ctx context.Context, app string, log event.Log) error {
	return s.with(ctx, app, Op{Name: "ps:restart"}, log, func(x *session) error {
		return x.bringUp(ctx, "ps:restart")
	})
}

// RestartType is Restart of the processes of one type; the others go on. If the
// app is stopped, all of it is started.
func (s *Server) RestartType(ctx context.Context, app, typ string, log event.Log) error {
	return s.with(ctx, app, Op{Name: "ps:restart"}, log, func(x *session) error {
		if x.Current == nil {
			return &NotDeployedError{x.Name}
		}
		f, err := x.view().FormationWith(x.State.Scale)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(f, func(e scale.Entry) bool { return e.Type == typ }) {
			return fmt.Errorf("%s is not a valid process name to restart", typ)
		}
		if x.State.Stopped {
			return x.bringUp(ctx, "ps:restart")
		}
		kept := map[string]Identity{}
		for _, e := range f {
			if e.Type != typ {
				kept[e.Type] = x.Current.identity(e.Type)
			}
		}
		return x.restart(ctx, "ps:restart "+typ, kept, func(*State) {})
	})
}

// restart replaces the processes by those of a new release, which runs what the
// current one runs with the present settings. The processes of the kept types go on.
// change is part of what commits.
func (x *session) restart(ctx context.Context, cause string, kept map[string]Identity, change func(*State)) error {
	if x.Current == nil {
		return &NotDeployedError{x.Name}
	}
	if err := x.tidy(ctx); err != nil {
		x.log.Warn("%s", err)
	}
	n, err := x.nextRelease(x.App)
	if err != nil {
		return err
	}
	x.about(n)
	r := x.Current.derive(n, cause)
	r.Kept = kept
	next := x.State.clone()
	change(&next)
	x.view().With(next).Provide(r)
	r.Detected = x.Current.detected()
	if _, on := kept[scale.Web]; !on { // what goes on listens where it did
		r.Port = next.webPort(r.Detected)
	}
	return x.promote(ctx, r, change, func(o *rollout) error { return o.run(ctx, o.all()) })
}

// Start starts a stopped app, gated as a deploy is, and what has ended of one
// that runs.
func (s *Server) Start(ctx context.Context, app string, log event.Log) error {
	return s.with(ctx, app, Op{Name: "ps:start"}, log, func(x *session) error {
		if x.Current == nil {
			return &NotDeployedError{x.Name}
		}
		if x.State.Stopped {
			x.log.Step("Starting %s ...", app)
			return x.bringUp(ctx, "ps:start")
		}
		running, err := x.allRun(ctx)
		if err != nil {
			return err
		}
		if running {
			x.log.Step("App %s already running", app)
			return nil
		}
		x.log.Step("Starting what has ended of %s ...", app)
		return x.converge(ctx, true)
	})
}

// Restore starts what has ended of an app that is to run, as the agent does when
// the engine comes back.
func (s *Server) Restore(ctx context.Context, app string, log event.Log) error {
	return s.with(ctx, app, Op{Name: "ps:restore"}, log, func(x *session) error {
		if x.Current == nil {
			return &NotDeployedError{x.Name}
		}
		if x.State.Stopped {
			x.log.Step("App %s is stopped, and stays so: ps:start %[1]s starts it", app)
			return nil
		}
		return x.converge(ctx, true)
	})
}

// allRun reports whether every process of the formation runs.
func (x *session) allRun(ctx context.Context) (bool, error) {
	have, err := x.InstancesOf(ctx, x.view())
	if err != nil {
		return false, err
	}
	f, err := x.view().FormationWith(x.State.Scale)
	if err != nil {
		return false, err
	}
	running := 0
	for _, i := range have {
		if i.Running() {
			running++
		}
	}
	return running == len(processes(x.view(), f, false)), nil
}

// Stop ends all processes; the app answers 502 until it is started.
func (s *Server) Stop(ctx context.Context, app string, log event.Log) error {
	return s.with(ctx, app, Op{Name: "ps:stop"}, log, func(x *session) error {
		if x.Current == nil {
			return &NotDeployedError{x.Name}
		}
		if x.State.Stopped {
			x.log.Step("App %s already stopped", app)
		} else {
			x.log.Step("Stopping %s ...", app)
		}
		x.change(func(st *State) {
			st.Stopped, st.Retiring = true, nil
			st.Restored = st.Restored.left()
		})
		return x.decide(context.WithoutCancel(ctx), app+" is to be stopped now")
	})
}

// Scale sets how many processes of some types run. What is missing is started
// and gated before anything is stored; the surplus is stopped; everything else
// is left alone. With skipDeploy the counts hold from the next deploy on.
func (s *Server) Scale(ctx context.Context, app string, counts map[string]int, skipDeploy bool, log event.Log) error {
	return s.with(ctx, app, Op{Name: "ps:scale"}, log, func(x *session) error {
		if err := x.view().RefuseScaling(); err != nil {
			return err
		}
		if err := x.knowsTypes(counts); err != nil {
			return err
		}
		if skipDeploy && x.Current != nil && !x.State.Stopped {
			x.change(func(st *State) { st.ScaleNext = merged(st.ScaleNext, counts) })
			return x.save()
		}
		return x.scale(ctx, counts)
	})
}

// knowsTypes refuses types that the current release does not have, and counts
// over the server's limit.
func (x *session) knowsTypes(counts map[string]int) error {
	var c control
	if x.Current != nil {
		var err error
		if c, err = x.Current.parse(x.settings); err != nil {
			return err
		}
	}
	for t, n := range counts {
		if x.Current != nil && !slices.Contains(c.procfile.Types(), t) {
			return fmt.Errorf("%s is not a valid process name to scale up", t)
		}
		if n > x.settings.MaxScale {
			//lint:ignore ST1005 the text is Dokku's
			return fmt.Errorf("Invalid count for process type %s: %d is more than %d, the server's limit", t, n, x.settings.MaxScale)
		}
	}
	return nil
}

func (x *session) scale(ctx context.Context, counts map[string]int) error {
	if x.Current == nil || x.State.Stopped {
		x.setScale(counts)
		return x.save()
	}
	// What an interrupted command has left must not be taken for what runs.
	if err := x.tidy(ctx); err != nil {
		return err
	}
	have, err := x.InstancesOf(ctx, x.view())
	if err != nil {
		return err
	}
	o, err := x.scaling(merged(x.State.Scale, counts))
	if err != nil {
		return err
	}
	if err := o.run(ctx, o.missing(have)); err != nil {
		err = o.report(ctx, err)
		o.undo(ctx)
		return err
	}
	x.setScale(counts)
	return x.decide(context.WithoutCancel(ctx), "the processes of "+x.Name+" are set")
}

// setScale stores counts. They take the place of what --skip-deploy left for these
// types: otherwise the next deploy would bring back an older number.
func (x *session) setScale(counts map[string]int) {
	x.change(func(st *State) {
		st.Scale = merged(st.Scale, counts)
		for t := range counts {
			delete(st.ScaleNext, t)
		}
	})
}

// scaling is a rollout of what the current release lacks of a formation.
func (x *session) scaling(local map[string]int) (*rollout, error) {
	host, err := x.Engine(x.settings)
	if err != nil {
		return nil, err
	}
	c, err := x.Current.parse(x.settings)
	if err != nil {
		return nil, err
	}
	f, _, err := c.resolve(local)
	return &rollout{session: x, host: host, release: x.Current, control: c, formation: f}, err
}

func merged(a, b map[string]int) map[string]int {
	m := maps.Clone(a)
	if m == nil {
		m = map[string]int{}
	}
	maps.Copy(m, b)
	return m
}

// Rebuild builds the deployed revision again and deploys it as a push would. If
// another one was pushed while deploys were skipped (ps:set skip-deploy), it is
// that one.
func (s *Server) Rebuild(ctx context.Context, app string, log event.Log) error {
	return s.with(ctx, app, Op{Name: "ps:rebuild"}, log, func(x *session) error {
		branch, revision, err := pushed(x.view())
		if err != nil {
			return err
		}
		if revision == "" && x.Current != nil {
			revision = x.Current.Revision // of a branch that deployed before
		}
		if revision == "" {
			return &NotDeployedError{x.Name}
		}
		if x.State.Locked {
			return lockedError(app)
		}
		return x.rebuild(ctx, revision, "ps:rebuild", func(st *State) { st.DeployBranch = cmp.Or(st.DeployBranch, branch) })
	})
}

// rebuild builds a revision and deploys it; change is part of what it commits.
func (x *session) rebuild(ctx context.Context, revision, cause string, change func(*State)) (err error) {
	start := time.Now()
	end := x.logDeploy()
	defer func() { end(err) }()
	r, err := x.build(ctx, build.Options{GitDir: x.Dir}, revision, cause)
	if err != nil {
		x.discard(ctx)
		return x.unchanged(err)
	}
	x.log.Step("Releasing %s v%d", x.Name, r.Number)
	if err := x.promote(ctx, r, change, func(o *rollout) error { return o.deploy(ctx) }); err != nil {
		return err
	}
	x.postdeploy(ctx)
	x.deployed(start)
	return nil
}

// SetConfig sets and unsets variables of an app, or of the server when app is
// "". A deployed app that runs is restarted with them unless restart is false;
// if its processes do not come up, nothing has changed.
func (s *Server) SetConfig(ctx context.Context, app string, set map[string]string, unset []string, restart bool, log event.Log) error {
	change := func(c map[string]string) map[string]string {
		n := maps.Clone(c)
		if n == nil {
			n = map[string]string{}
		}
		maps.Copy(n, set)
		for _, k := range unset {
			delete(n, k)
		}
		return n
	}
	if app == "" {
		return s.UpdateSettings(ctx, func(set *Settings) error { set.Config = change(set.Config); return nil })
	}
	return s.with(ctx, app, Op{Name: "config:set"}, log, func(x *session) error {
		apply := func(st *State) { st.Config = change(st.Config) }
		if x.Current != nil && !x.State.Stopped && restart {
			log.Step("Restarting app %s", app)
			return x.restart(ctx, "config:set", nil, apply)
		}
		x.change(apply)
		return x.save()
	})
}

// Instances lists the containers of the app's current release, by name. It
// leaves out those that retire.
func (s *Env) InstancesOf(ctx context.Context, a View) ([]engine.Instance, error) {
	host, err := s.Engine(a.Settings)
	if err != nil {
		return nil, err
	}
	o, err := observed(ctx, host, a.App)
	if err != nil {
		return nil, err
	}
	var list []engine.Instance
	for _, i := range o.Instances {
		_, retiring := a.State.Retiring[i.ID]
		if a.Current != nil && i.Kind == engine.KindDeploy && i.Attempt == a.Current.identity(i.Type).Attempt && !retiring {
			list = append(list, i)
		}
	}
	return list, nil
}
