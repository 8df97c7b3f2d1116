package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/failpoint"
)

// settingsLock is the name of the lock of the server's settings; it cannot be
// an app's name.
const settingsLock = "_server"

// domainsLock is the name of the lock that guards which app has which name.
const domainsLock = "_domains"

// newPrefix begins the names of folders in which apps are made.
const newPrefix = ".new-"

// Create makes an app and its repository. A provisional one was made by a push,
// and goes away again if nothing of the push is accepted. An app of that name
// is an error.
func (s *Server) Create(ctx context.Context, app string, provisional bool) error {
	if err := ValidName(app); err != nil {
		return err
	}
	if _, err := s.Settings(); err != nil {
		return err
	}
	l, err := s.lockApp(ctx, app, "apps:create", event.Log{})
	if err != nil {
		return err
	}
	defer l.release()
	if err := s.nameFree(app); err != nil {
		return err
	}
	// Everything is made beside and appears with one rename.
	temp, err := s.disk.MkdirTemp(s.Root, newPrefix)
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", app, err)
	}
	defer s.disk.RemoveAll(temp)
	dir := filepath.Join(temp, app)
	if err := initRepository(s.disk, dir, s.Binary); err != nil {
		return fmt.Errorf("cannot create %s: %w", app, err)
	}
	for _, sub := range []string{"dokku", "dokku/releases", "dokku/deploys", "nginx.conf.d"} {
		if err := s.disk.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("cannot create %s: %w", app, err)
		}
	}
	st := &State{Version: stateVersion, Provisional: provisional, CreatedAt: time.Now().UTC().Truncate(time.Second)}
	if err := s.writeJSON(filepath.Join(dir, "dokku", "state.json"), st); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.AppMade); err != nil {
		return err
	}
	if err = s.disk.Sync(dir); err == nil {
		err = s.disk.Rename(dir, s.dir(app))
	}
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", app, err)
	}
	return s.disk.Sync(s.Root)
}

// Destroy removes an app with everything of it: processes, images, network,
// route, repository.
func (s *Server) Destroy(ctx context.Context, app string, log event.Log) error {
	return s.with(ctx, app, Op{"apps:destroy", ChangesExistence}, log, func(x *session) error {
		x.change(func(st *State) { st.Destroying = true })
		if err := x.save(); err != nil {
			return err
		}
		if err := x.destroy(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("%s is to be destroyed, and some of it may be gone already; the agent goes on trying: %w", app, err)
		}
		return nil
	})
}

// destroy can be interrupted anywhere and done again. The folder goes last, in
// one rename: as long as it is there, everybody sees an app that is being
// destroyed.
func (x *session) destroy(ctx context.Context) error {
	host, err := x.Engine(x.settings)
	if err != nil {
		return err
	}
	px := x.Proxy(x.settings)
	if err := px.Withdraw(ctx, x.Name); err != nil {
		return err
	}
	if former := x.App.former(); former != "" {
		if err := px.Withdraw(ctx, former); err != nil {
			return err
		}
	}
	if err := failpoint.Reach(failpoint.RouteWithdrawn); err != nil {
		return err
	}
	o, err := observed(ctx, host, x.App)
	if err != nil {
		return err
	}
	if err := removeAll(ctx, host, o, x.view().Grace()); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.ResourcesRemoved); err != nil {
		return err
	}
	return x.removeFolder()
}

// removeAll removes everything of an app: containers first, since they use the
// rest. Grace is the time between TERM and KILL.
func removeAll(ctx context.Context, host engine.Engine, o engine.Observed, grace time.Duration) error {
	for _, i := range o.Instances {
		if err := host.Stop(ctx, i.ID, grace); err != nil {
			return err
		}
		if err := host.Remove(ctx, engine.Resource{Kind: engine.Container, ID: i.ID}); err != nil {
			return err
		}
	}
	for _, i := range o.Images {
		if err := host.Remove(ctx, engine.Resource{Kind: engine.ImageKind, ID: i.ID, App: i.App}); err != nil {
			return err
		}
	}
	for _, n := range o.Networks {
		if err := host.Remove(ctx, engine.Resource{Kind: engine.NetworkKind, ID: n.ID}); err != nil {
			return err
		}
	}
	return nil
}

func (x *session) removeFolder() error {
	if err := x.disk.MkdirAll(x.own("trash"), 0o700); err != nil {
		return err
	}
	to := x.own("trash", x.Name+"."+newAttempt())
	if err := x.at("rename the app's folder"); err != nil {
		return err
	}
	if err := x.disk.Rename(x.Dir, to); err != nil {
		return fmt.Errorf("cannot remove %s: %w", x.Dir, err)
	}
	if err := x.disk.Sync(x.Root); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.FolderMoved); err != nil {
		return err
	}
	if err := x.at("remove the app's folder"); err != nil {
		return err
	}
	if err := x.disk.RemoveAll(to); err != nil {
		return fmt.Errorf("%s is destroyed, but some files of it cannot be removed: %w; as root: rm -rf %s", x.Name, err, to)
	}
	x.lock.abandoned = false // nothing is left of what its holder had begun
	return nil
}

// DropProvisional removes an app that a push created, if nothing of that push
// was accepted. The front door calls it after git has ended.
func (s *Server) DropProvisional(ctx context.Context, app string, log event.Log) (dropped bool, err error) {
	err = s.with(ctx, app, Op{Name: "a push"}, log, func(x *session) error {
		if !x.State.Provisional {
			return nil
		}
		err := x.dropProvisional()
		_, gone := os.Stat(x.Dir)
		dropped = errors.Is(gone, fs.ErrNotExist)
		return err
	})
	return dropped, err
}

// dropProvisional removes the app unless its repository has refs, or somebody
// is pushing to it now.
func (x *session) dropProvisional() error {
	refs, err := hasRefs(x.Dir)
	if err != nil {
		return err
	}
	if refs || len(x.State.Config)+len(x.State.Domains)+len(x.State.Scale)+len(x.State.Mounts)+len(x.State.Network)+len(x.State.Resources) > 0 {
		x.change(func(st *State) { st.Provisional = false })
		return x.save()
	}
	if pushing(x.Dir) {
		return nil
	}
	return x.removeFolder()
}

// Update changes an app's settings under its lock, and applies what takes
// effect without new processes (names, the proxy's limits). A change that
// returns an error, or that the proxy refuses, changes nothing. It is made twice:
// what it refuses is to be refused before anything is touched, the lock included.
func (s *Server) UpdateAs(ctx context.Context, app string, op Op, log event.Log, change func(*State) error) error {
	a, err := s.Load(app)
	if err != nil {
		return err
	}
	trial := a.State.clone()
	if err := change(&trial); err != nil {
		return err
	}
	return s.with(ctx, app, op, log, func(x *session) error {
		if op.Changes == ChangesNames {
			// Two apps that claim one name at the same moment must not both see it free.
			l, err := s.lockApp(ctx, domainsLock, op.Name, log)
			if err != nil {
				return err
			}
			defer l.release()
		}
		return x.update(ctx, op, change)
	})
}

// update is Update under the app's lock.
func (x *session) update(ctx context.Context, op Op, change func(*State) error) error {
	before := x.State
	after := x.State.clone()
	if err := change(&after); err != nil {
		return err
	}
	x.State = after
	if x.Current != nil && op.Changes != ChangesSettings {
		if err := x.stageLive(ctx); err != nil {
			x.State = before
			return err
		}
		x.dirty = true
		return x.decide(context.WithoutCancel(ctx), fmt.Sprintf("what %s asks for is stored", op.Name))
	}
	x.dirty = true
	if err := x.save(); err != nil {
		return err
	}
	return x.followBranch()
}

// SetLocked locks an app against deploys, or unlocks it. It waits for the deploy
// that is under way.
func (s *Server) SetLocked(ctx context.Context, app string, locked bool, log event.Log) error {
	return s.with(ctx, app, Op{Name: "apps:lock"}, log, func(x *session) error {
		if !locked && !x.State.Locked {
			//lint:ignore ST1005 the text is Dokku's
			return errors.New("Unable to remove deploy lock: there is none")
		}
		x.change(func(st *State) { st.Locked = locked })
		return x.save()
	})
}

// lockedError refuses a deploy in Dokku's own words.
func lockedError(app string) error {
	return fmt.Errorf("%s currently has a deploy lock in place. Exiting...\nRun 'apps:unlock %[1]s' to release the existing deploy lock", app)
}

// stageLive tests the route with the present settings and the processes that
// serve already.
func (x *session) stageLive(ctx context.Context) error {
	if x.State.ProxyDisabled {
		return nil
	}
	px := x.Proxy(x.settings)
	route := routeOf(x.view(), x.Current)
	if live, ok, err := liveRoute(ctx, px, x.App); err != nil {
		return err
	} else if ok {
		route.Upstreams = live.Upstreams
	}
	return px.Stage(ctx, *route)
}

// SetProxy puts web behind the proxy, or binds it to a kept port of the host.
func (s *Server) SetProxy(ctx context.Context, app string, enabled bool, log event.Log) error {
	return s.with(ctx, app, Op{Name: "proxy"}, log, func(x *session) error {
		if x.State.ProxyDisabled == !enabled {
			return nil
		}
		port := x.State.HostPort
		if !enabled && port == 0 {
			l, err := s.lockApp(ctx, settingsLock, "allotting a port", log)
			if err != nil {
				return err
			}
			defer l.release()
			if port, err = s.allotPort(ctx, app); err != nil {
				return err
			}
		}
		change := func(st *State) { st.ProxyDisabled, st.HostPort = !enabled, port }
		if x.Current == nil || x.State.Stopped {
			x.change(change)
			return x.save()
		}
		return x.restart(ctx, "proxy", nil, change)
	})
}

// UpdateSettings changes the server's settings under their lock. A change that
// returns an error changes nothing.
func (s *Store) UpdateSettings(ctx context.Context, change func(*Settings) error) error {
	l, err := s.lockApp(ctx, settingsLock, "changing the server's settings", event.Log{})
	if err != nil {
		return err
	}
	defer l.release()
	set, err := s.storedSettings()
	if err != nil {
		return err
	}
	if err := change(&set); err != nil {
		return err
	}
	set.Version = stateVersion
	return s.writeJSON(s.own("server.json"), set)
}

// Created is when the app was made; of an app of an older version, when its
// repository was.
func (s *Store) Created(a *App) (time.Time, error) {
	if !a.State.CreatedAt.IsZero() {
		return a.State.CreatedAt, nil
	}
	fi, err := os.Stat(filepath.Join(a.Dir, "config"))
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot tell when %s was made: %w", a.Name, err)
	}
	return fi.ModTime(), nil
}
