package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/failpoint"
	"dokku/agent/repo"
	"dokku/agent/store"
)

// Clone makes an app with the repository and the settings of another one, as it is now,
// and does not deploy it. It has no domains, certificates and redirects of the other's,
// which keeps them, and no releases.
//
// The rename of the folder commits. A crash before it leaves nothing but a temporary
// folder, which the agent removes.
func (s *Server) Clone(ctx context.Context, old, name string, log event.Log) error {
	if err := app.ValidName(name); err != nil {
		return err
	}
	x, release, err := s.lockBoth(ctx, old, name, "apps:clone", log)
	if err != nil {
		return err
	}
	defer release()
	if x.State.Destroying {
		return &app.DestroyingError{App: old}
	}
	if err := s.Env.Store.NameFree(name); err != nil {
		return err
	}
	// No other app may claim the clone's default domain meanwhile.
	l, err := s.Env.Store.LockApp(ctx, store.DomainsLock, "apps:clone", log)
	if err != nil {
		return err
	}
	defer l.Release()
	st := cloned(x)
	if err := s.DomainsFree(name, app.View{App: &app.App{Name: name, State: st}, Settings: x.Settings}.Names()...); err != nil {
		return err
	}
	if st.ProxyDisabled {
		l, err := s.Env.Store.LockApp(ctx, store.SettingsLock, "allotting a port", log)
		if err != nil {
			return err
		}
		defer l.Release()
		if st.HostPort, err = s.allotPort(ctx, name); err != nil {
			return err
		}
	}
	if err := s.makeClone(x, name, &st); err != nil {
		return fmt.Errorf("cannot clone %s to %s: %w", old, name, err)
	}
	return nil
}

// makeClone writes the clone in a temporary folder, which then appears with one rename.
func (s *Server) makeClone(x *deploy.Session, name string, st *app.State) error {
	disk := s.Env.Store.Disk
	temp, err := disk.MkdirTemp(s.Env.Store.Root, store.NewPrefix)
	if err != nil {
		return err
	}
	defer disk.RemoveAll(temp)
	dir := filepath.Join(temp, name)
	if err := repo.Init(disk, dir, s.Binary); err != nil {
		return err
	}
	if err := s.Env.Store.At("copy the app's repository"); err != nil {
		return err
	}
	if err := repo.Copy(x.Dir, dir); err != nil {
		return err
	}
	for _, sub := range []string{"dokku", "dokku/releases", "dokku/deploys", "nginx.conf.d"} {
		if err := disk.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	copied := []string{"nginx.conf.d", filepath.Join("dokku", store.RegistryDir)}
	if id := st.MaintenancePage; id != "" {
		copied = append(copied, filepath.Join("dokku", app.PagesDir, id))
	}
	for _, sub := range copied {
		if err := repo.CopyFiles(x.Dir, dir, sub); err != nil {
			return err
		}
	}
	if err := s.Env.Store.WriteJSON(filepath.Join(dir, "dokku", "state.json"), st); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.AppMade); err != nil {
		return err
	}
	err = disk.SyncFileSystem(dir)
	if err == nil {
		err = s.Env.Store.At("rename the clone's folder")
	}
	if err == nil {
		err = disk.Rename(dir, s.Env.Store.Dir(name))
	}
	if err == nil {
		err = s.Env.Store.At("sync the folder of all apps")
	}
	if err == nil {
		err = disk.Sync(s.Env.Store.Root)
	}
	return err
}

// cloned returns the state of a clone. A new field of State is copied unless it is named
// here: it is about this app alone, or about what runs.
func cloned(x *deploy.Session) app.State {
	st := x.State.Clone()
	// Names belong to one app, and so do the certificates for them.
	st.Domains, st.DomainsDisabled, st.Redirects = nil, false, nil
	if st.Auth != nil {
		st.Auth.Domains = nil // of domains that stay with the other app
	}
	st.NoDomains = false
	st.Certificate, st.Letsencrypt, st.Issued = nil, nil, nil
	st.Ports = slices.DeleteFunc(st.Ports, func(m app.PortMap) bool { return m.Scheme == "https" })
	st.HostPort = 0
	// What app.json runs once has run for the config, which may name a database.
	st.FirstScriptRan = st.FirstScriptRan || x.Current != nil
	if x.Current != nil && x.Current.Source != nil {
		st.Synced = &app.Synced{Revision: x.Current.Revision, Source: *x.Current.Source}
	}
	st.Version, st.CreatedAt, st.Kept, st.Provisional = app.Version, time.Now().UTC().Truncate(time.Second), time.Time{}, false
	st.Renamed, st.Restored, st.Locked, st.Pinned = nil, nil, false, nil
	st.Current, st.Staged, st.Stopped, st.Retiring = 0, nil, false, nil
	return st
}
