package agent

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"dokku/agent/event"
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

// StartEnded starts what has ended of an app that is to run, as the agent does when
// the engine comes back.
func (s *Server) StartEnded(ctx context.Context, app string, log event.Log) error {
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
		if err := knowsTypes(x.view(), counts); err != nil {
			return err
		}
		if skipDeploy && x.Current != nil && !x.State.Stopped {
			x.change(func(st *State) { st.ScaleNext = merged(st.ScaleNext, counts) })
			return x.save()
		}
		return x.scale(ctx, counts)
	})
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
		return s.Store.UpdateSettings(ctx, func(set *Settings) error { set.Config = change(set.Config); return nil })
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
