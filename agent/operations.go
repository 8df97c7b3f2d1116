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

// Restart replaces all processes with new ones from the current image and the present
// config, gated and without downtime. It starts a stopped app.
func (s *Server) Restart(ctx context.Context, app string, log event.Log) error {
	return s.Env.With(ctx, app, deploy.Op{Name: "ps:restart"}, log, func(x *deploy.Session) error {
		return x.BringUp(ctx, "ps:restart")
	})
}

// RestartType is Restart for the processes of one type. If the app is stopped, all its
// processes start.
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

// Start starts a stopped app, gated like a deploy. In a running app it starts the
// processes that have ended.
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
		x.Log.Step("Starting the ended processes of %s ...", name)
		return x.StartEnded(ctx, "ps:start")
	})
}

// StartEnded starts the ended processes of an app, unless the app is stopped. The
// agent does the same when the engine comes back.
func (s *Server) StartEnded(ctx context.Context, name string, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "ps:restore"}, log, func(x *deploy.Session) error {
		if x.Current == nil {
			return &app.NotDeployedError{App: x.Name}
		}
		if x.State.Stopped {
			x.Log.Step("App %s stays stopped; to start it: dokku ps:start %[1]s", name)
			return nil
		}
		return x.StartEnded(ctx, "ps:restore")
	})
}

// Stop stops all processes. Until the app is started, the proxy answers 502.
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
		return x.Decide(context.WithoutCancel(ctx), name+" is marked as stopped")
	})
}

// Scale sets the number of processes of some types. It starts and gates missing
// processes before it stores the counts, then stops surplus ones, and leaves all
// others alone. With skipDeploy the counts take effect with the next deploy.
func (s *Server) Scale(ctx context.Context, name string, counts map[string]int, skipDeploy bool, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "ps:scale"}, log, func(x *deploy.Session) error {
		if err := x.View().RefuseScaling(); err != nil {
			return err
		}
		if err := deploy.KnowsTypes(x.View(), counts); err != nil {
			return err
		}
		if skipDeploy && x.Current != nil && !x.State.Stopped {
			if err := x.ScalesTo(counts); err != nil {
				return err
			}
			x.Change(func(st *app.State) { st.ScaleNext = app.Merged(st.ScaleNext, counts) })
			return x.Save()
		}
		return x.Scale(ctx, counts)
	})
}

// Rebuild builds the tip of the deploy branch again and deploys it as a push would.
// After a push that was not deployed (ps:set skip-deploy) that is the pushed revision.
func (s *Server) Rebuild(ctx context.Context, name string, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "ps:rebuild"}, log, func(x *deploy.Session) error {
		branch, revision, err := deploy.Pushed(x.View())
		if err != nil {
			return err
		}
		chosen := x.View().DeployBranch()
		switch {
		case revision != "":
		case x.Current == nil:
			return &app.NotDeployedError{App: x.Name}
		case chosen != "":
			//lint:ignore ST1005 the text is Dokku's
			return fmt.Errorf("Cannot build from '%s' as there are no commits stored at that branch. "+
				"Push it, or set the branch that was deployed: dokku git:set %s deploy-branch BRANCH", chosen, name)
		default:
			revision = x.Current.Revision // of a branch that is gone
		}
		if x.State.Locked {
			return deploy.LockedError(name)
		}
		return x.Rebuild(ctx, revision, "ps:rebuild", func(st *app.State) { st.DeployBranch = cmp.Or(st.DeployBranch, branch) })
	})
}

// Rollback deploys an earlier release without a build: see deploy.Session.Rollback.
func (s *Server) Rollback(ctx context.Context, name string, n int, keepConfig bool, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "releases:rollback"}, log, func(x *deploy.Session) error {
		return x.Rollback(ctx, n, keepConfig)
	})
}

// Pin keeps a release with its image until it is unpinned, however many follow.
func (s *Server) Pin(ctx context.Context, name string, n int, on bool, log event.Log) error {
	op := "releases:pin"
	if !on {
		op = "releases:unpin"
	}
	return s.Env.With(ctx, name, deploy.Op{Name: op}, log, func(x *deploy.Session) error {
		numbers, err := s.Env.Store.ReleaseNumbers(name)
		if err != nil {
			return err
		}
		pinned := slices.Contains(x.State.Pinned, n)
		switch {
		case on && n > x.State.Current:
			return fmt.Errorf("cannot pin v%d of %s: the current release is v%d", n, name, x.State.Current)
		case on && !slices.Contains(numbers, n):
			return fmt.Errorf("cannot pin v%d of %s: its image is not kept; to see which are: dokku releases %[2]s", n, name)
		case !on && !pinned:
			return fmt.Errorf("v%d of %s is not pinned", n, name)
		case on && pinned:
			return nil
		}
		x.Change(func(st *app.State) {
			if st.Pinned = slices.DeleteFunc(slices.Clone(st.Pinned), func(p int) bool { return p == n }); on {
				st.Pinned = append(st.Pinned, n)
				slices.Sort(st.Pinned)
			}
		})
		return x.Save()
	})
}

// SetConfig sets and unsets variables of an app, or of the server when name is "".
// It restarts a running app, unless restart is false. If the new processes do not
// come up, nothing has changed.
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
		return configure(ctx, x, "config:set", restart, log, func(st *app.State) { st.Config = change(st.Config) })
	})
}

// configure changes settings that a new release needs, and restarts a running app with it
// unless restart is false.
func configure(ctx context.Context, x *deploy.Session, cause string, restart bool, log event.Log, apply func(*app.State)) error {
	if x.Current != nil && !x.State.Stopped && restart {
		log.Step("Restarting app %s", x.Name)
		return x.Restart(ctx, cause, nil, apply)
	}
	x.Change(apply)
	return x.Save()
}
