package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"dokku/agent/event"
	"dokku/agent/failpoint"
)

// Create makes an app and its repository. A provisional one was made by a push,
// and goes away again if nothing of the push is accepted. An app of that name
// is an error.
func (s *Server) Create(ctx context.Context, app string, provisional bool) error {
	if err := ValidName(app); err != nil {
		return err
	}
	if _, err := s.Store.Settings(); err != nil {
		return err
	}
	l, err := s.Store.lockApp(ctx, app, "apps:create", event.Log{})
	if err != nil {
		return err
	}
	defer l.release()
	if err := s.Store.nameFree(app); err != nil {
		return err
	}
	// Everything is made beside and appears with one rename.
	temp, err := s.Store.disk.MkdirTemp(s.Store.Root, newPrefix)
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", app, err)
	}
	defer s.Store.disk.RemoveAll(temp)
	dir := filepath.Join(temp, app)
	if err := initRepository(s.Store.disk, dir, s.Binary); err != nil {
		return fmt.Errorf("cannot create %s: %w", app, err)
	}
	for _, sub := range []string{"dokku", "dokku/releases", "dokku/deploys", "nginx.conf.d"} {
		if err := s.Store.disk.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("cannot create %s: %w", app, err)
		}
	}
	st := &State{Version: stateVersion, Provisional: provisional, CreatedAt: time.Now().UTC().Truncate(time.Second)}
	if err := s.Store.writeJSON(filepath.Join(dir, "dokku", "state.json"), st); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.AppMade); err != nil {
		return err
	}
	if err = s.Store.disk.Sync(dir); err == nil {
		err = s.Store.disk.Rename(dir, s.Store.dir(app))
	}
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", app, err)
	}
	return s.Store.disk.Sync(s.Store.Root)
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

// Update changes an app's settings under its lock, and applies what takes
// effect without new processes (names, the proxy's limits). A change that
// returns an error, or that the proxy refuses, changes nothing. It is made twice:
// what it refuses is to be refused before anything is touched, the lock included.
func (s *Server) Update(ctx context.Context, app string, op Op, log event.Log, change func(*State) error) error {
	a, err := s.Store.Load(app)
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
			l, err := s.Store.lockApp(ctx, domainsLock, op.Name, log)
			if err != nil {
				return err
			}
			defer l.release()
		}
		return x.update(ctx, op, change)
	})
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

// SetProxy puts web behind the proxy, or binds it to a kept port of the host.
func (s *Server) SetProxy(ctx context.Context, app string, enabled bool, log event.Log) error {
	return s.with(ctx, app, Op{Name: "proxy"}, log, func(x *session) error {
		if x.State.ProxyDisabled == !enabled {
			return nil
		}
		port := x.State.HostPort
		if !enabled && port == 0 {
			l, err := s.Store.lockApp(ctx, settingsLock, "allotting a port", log)
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
