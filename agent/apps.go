package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/failpoint"
	"dokku/agent/repo"
	"dokku/agent/store"
)

// Create makes an app and its repository. A push makes a provisional app, which is
// removed again if the push is refused before its build. An existing app of that name is
// an error.
func (s *Server) Create(ctx context.Context, name string, provisional bool) error {
	return s.create(ctx, name, app.State{Provisional: provisional, Isolation: app.IsolationNow})
}

// CreateMoved makes an app that comes from another server, whose containers had this isolation
// there: they may need what they had.
func (s *Server) CreateMoved(ctx context.Context, name string, isolation int) error {
	return s.create(ctx, name, app.State{Isolation: isolation})
}

// create makes an app with a state.
func (s *Server) create(ctx context.Context, name string, st app.State) error {
	if err := app.ValidName(name); err != nil {
		return err
	}
	if _, err := s.Env.Store.Settings(); err != nil {
		return err
	}
	l, err := s.Env.Store.LockApp(ctx, name, "apps:create", event.Log{})
	if err != nil {
		return err
	}
	defer l.Release()
	if err := s.Env.Store.NameFree(name); err != nil {
		return err
	}
	// The app is made in a temporary folder and appears with one rename.
	temp, err := s.Env.Store.Disk.MkdirTemp(s.Env.Store.Root, store.NewPrefix)
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", name, err)
	}
	defer s.Env.Store.Disk.RemoveAll(temp)
	dir := filepath.Join(temp, name)
	if err := repo.Init(s.Env.Store.Disk, dir, s.Binary); err != nil {
		return fmt.Errorf("cannot create %s: %w", name, err)
	}
	for _, sub := range []string{"dokku", "dokku/releases", "dokku/deploys", "nginx.conf.d"} {
		if err := s.Env.Store.Disk.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("cannot create %s: %w", name, err)
		}
	}
	st.Version, st.CreatedAt = app.Version, time.Now().UTC().Truncate(time.Second)
	if err := s.Env.Store.WriteJSON(filepath.Join(dir, "dokku", "state.json"), &st); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.AppMade); err != nil {
		return err
	}
	if err = s.Env.Store.Disk.Sync(dir); err == nil {
		err = s.Env.Store.Disk.Rename(dir, s.Env.Store.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", name, err)
	}
	return s.Env.Store.Disk.Sync(s.Env.Store.Root)
}

// Destroy removes an app and all it has: processes, images, network, route and
// repository. Once it has begun it cannot be cancelled.
func (s *Server) Destroy(ctx context.Context, name string, log event.Log) error {
	err := s.Env.With(ctx, name, deploy.Op{Name: "apps:destroy", Changes: deploy.ChangesExistence}, log, func(x *deploy.Session) error {
		x.Change(func(st *app.State) { st.Destroying = true })
		if err := x.Save(); err != nil {
			return err
		}
		if err := x.Destroy(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("%s is being destroyed, and some of it may be gone already; the agent will retry: %w", name, err)
		}
		return nil
	})
	if err == nil { // what it does not reach now, the agent tries again
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pruneLimit)
		defer cancel()
		_ = s.PruneGone(ctx, log)
	}
	return err
}

// DropProvisional removes an app that a push created, if git accepted nothing of
// that push and the app is not kept. The hooks' wrapper calls it after git has ended.
func (s *Server) DropProvisional(ctx context.Context, app string, log event.Log) (dropped bool, err error) {
	err = s.Env.With(ctx, app, deploy.Op{Name: "a push"}, log, func(x *deploy.Session) error {
		if !x.State.Provisional {
			return nil
		}
		err := x.DropProvisional()
		_, gone := os.Stat(x.Dir)
		dropped = errors.Is(gone, fs.ErrNotExist)
		return err
	})
	return dropped, err
}

// Update changes an app's settings under its lock. Settings that need no new
// processes (names, the proxy's limits) take effect at once. If change returns an
// error or the proxy refuses the result, nothing has changed. change runs twice, first
// on a copy: an error must come before the lock is taken.
func (s *Server) Update(ctx context.Context, app string, op deploy.Op, log event.Log, change func(*app.State) error) error {
	a, err := s.Env.Store.Load(app)
	if err != nil {
		return err
	}
	trial := a.State.Clone()
	if err := change(&trial); err != nil {
		return err
	}
	return s.Env.With(ctx, app, op, log, func(x *deploy.Session) error {
		if op.Changes == deploy.ChangesNames {
			// Two apps that claim one name at the same moment must not both find it free.
			l, err := s.Env.Store.LockApp(ctx, store.DomainsLock, op.Name, log)
			if err != nil {
				return err
			}
			defer l.Release()
		}
		return x.Update(ctx, op, change)
	})
}

// SetLocked refuses or allows deploys of an app. It waits for a running deploy.
func (s *Server) SetLocked(ctx context.Context, name string, locked bool, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "apps:lock"}, log, func(x *deploy.Session) error {
		if !locked && !x.State.Locked {
			//lint:ignore ST1005 the text is Dokku's
			return errors.New("Unable to remove deploy lock: there is none")
		}
		x.Change(func(st *app.State) { st.Locked = locked })
		return x.Save()
	})
}

// SetProxy puts web behind the proxy, or binds it to a port of the host that the app
// keeps. A running app is restarted, gated like a deploy.
func (s *Server) SetProxy(ctx context.Context, name string, enabled bool, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "proxy"}, log, func(x *deploy.Session) error {
		if x.State.ProxyDisabled == !enabled {
			return nil
		}
		port := x.State.HostPort
		if !enabled && port == 0 {
			l, err := s.Env.Store.LockApp(ctx, store.SettingsLock, "allotting a port", log)
			if err != nil {
				return err
			}
			defer l.Release()
			if port, err = s.allotPort(ctx, name); err != nil {
				return err
			}
		}
		change := func(st *app.State) { st.ProxyDisabled, st.HostPort = !enabled, port }
		if x.Current == nil || x.State.Stopped {
			x.Change(change)
			return x.Save()
		}
		return x.Restart(ctx, "proxy", nil, change)
	})
}
