package agent

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/scale"
)

// Restart replaces all processes by new ones from the current image with the
// present config, gated and without downtime. A stopped app runs afterwards.
func (s *Server) Restart(ctx context.Context, app string, log event.Log) error {
	return s.Env.With(ctx, app, deploy.Op{Name: "ps:restart"}, log, func(x *deploy.Session) error {
		return x.BringUp(ctx, "ps:restart")
	})
}

// RestartType is Restart of the processes of one type; the others go on. If the
// app is stopped, all of it is started.
func (s *Server) RestartType(ctx context.Context, name, typ string, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "ps:restart"}, log, func(x *deploy.Session) error {
		if x.Current == nil {
			return &app.NotDeployedError{App: x.Name}
		}
		f, err := x.View().FormationWith(x.State.Scale)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(f, func(e scale.Entry) bool { return e.Type == typ }) {
			return fmt.Errorf("%s is not a valid process name to restart", typ)
		}
		if x.State.Stopped {
			return x.BringUp(ctx, "ps:restart")
		}
		kept := map[string]app.Identity{}
		for _, e := range f {
			if e.Type != typ {
				kept[e.Type] = x.Current.Identity(e.Type)
			}
		}
		return x.Restart(ctx, "ps:restart "+typ, kept, func(*app.State) {})
	})
}

// Start starts a stopped app, gated as a deploy is, and what has ended of one
// that runs.
func (s *Server) Start(ctx context.Context, name string, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "ps:start"}, log, func(x *deploy.Session) error {
		if x.Current == nil {
			return &app.NotDeployedError{App: x.Name}
		}
		if x.State.Stopped {
			x.Log.Step("Starting %s ...", name)
			return x.BringUp(ctx, "ps:start")
		}
		running, err := x.AllRun(ctx)
		if err != nil {
			return err
		}
		if running {
			x.Log.Step("App %s already running", name)
			return nil
		}
		x.Log.Step("Starting what has ended of %s ...", name)
		return x.Converge(ctx, true)
	})
}

// StartEnded starts what has ended of an app that is to run, as the agent does when
// the engine comes back.
func (s *Server) StartEnded(ctx context.Context, name string, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "ps:restore"}, log, func(x *deploy.Session) error {
		if x.Current == nil {
			return &app.NotDeployedError{App: x.Name}
		}
		if x.State.Stopped {
			x.Log.Step("App %s is stopped, and stays so: ps:start %[1]s starts it", name)
			return nil
		}
		return x.Converge(ctx, true)
	})
}

// Stop ends all processes; the app answers 502 until it is started.
func (s *Server) Stop(ctx context.Context, name string, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "ps:stop"}, log, func(x *deploy.Session) error {
		if x.Current == nil {
			return &app.NotDeployedError{App: x.Name}
		}
		if x.State.Stopped {
			x.Log.Step("App %s already stopped", name)
		} else {
			x.Log.Step("Stopping %s ...", name)
		}
		x.Change(func(st *app.State) {
			st.Stopped, st.Retiring = true, nil
			st.Restored = st.Restored.Left()
		})
		return x.Decide(context.WithoutCancel(ctx), name+" is to be stopped now")
	})
}

// Scale sets how many processes of some types run. What is missing is started
// and gated before anything is stored; the surplus is stopped; everything else
// is left alone. With skipDeploy the counts hold from the next deploy on.
func (s *Server) Scale(ctx context.Context, name string, counts map[string]int, skipDeploy bool, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "ps:scale"}, log, func(x *deploy.Session) error {
		if err := x.View().RefuseScaling(); err != nil {
			return err
		}
		if err := deploy.KnowsTypes(x.View(), counts); err != nil {
			return err
		}
		if skipDeploy && x.Current != nil && !x.State.Stopped {
			x.Change(func(st *app.State) { st.ScaleNext = app.Merged(st.ScaleNext, counts) })
			return x.Save()
		}
		return x.Scale(ctx, counts)
	})
}

// Rebuild builds the deployed revision again and deploys it as a push would. If
// another one was pushed while deploys were skipped (ps:set skip-deploy), it is
// that one.
func (s *Server) Rebuild(ctx context.Context, name string, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "ps:rebuild"}, log, func(x *deploy.Session) error {
		branch, revision, err := deploy.Pushed(x.View())
		if err != nil {
			return err
		}
		if revision == "" && x.Current != nil {
			revision = x.Current.Revision // of a branch that deployed before
		}
		if revision == "" {
			return &app.NotDeployedError{App: x.Name}
		}
		if x.State.Locked {
			return deploy.LockedError(name)
		}
		return x.Rebuild(ctx, revision, "ps:rebuild", func(st *app.State) { st.DeployBranch = cmp.Or(st.DeployBranch, branch) })
	})
}

// SetConfig sets and unsets variables of an app, or of the server when app is
// "". A deployed app that runs is restarted with them unless restart is false;
// if its processes do not come up, nothing has changed.
func (s *Server) SetConfig(ctx context.Context, name string, set map[string]string, unset []string, restart bool, log event.Log) error {
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
	if name == "" {
		return s.Env.Store.UpdateSettings(ctx, func(set *app.Settings) error { set.Config = change(set.Config); return nil })
	}
	return s.Env.With(ctx, name, deploy.Op{Name: "config:set"}, log, func(x *deploy.Session) error {
		apply := func(st *app.State) { st.Config = change(st.Config) }
		if x.Current != nil && !x.State.Stopped && restart {
			log.Step("Restarting app %s", name)
			return x.Restart(ctx, "config:set", nil, apply)
		}
		x.Change(apply)
		return x.Save()
	})
}
