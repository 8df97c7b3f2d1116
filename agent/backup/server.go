package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/store"
	"dokku/agent/text"
)

// settingsOf returns the settings of the backup; ok is false if it has none.
func (x *restore) settingsOf() (set app.Settings, ok bool, err error) {
	set, err = store.ReadSettings(filepath.Join(x.dir, backupSettings))
	if errors.Is(err, fs.ErrNotExist) {
		return set, false, nil
	}
	if err != nil {
		err = inBackup(x.dir, err)
	}
	return set, err == nil, err
}

func (x *restore) keysOf() ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(x.dir, backupKeys))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return data, err
}

func (x *restore) verifyServer(ctx context.Context) error {
	if _, _, err := x.settingsOf(); err != nil {
		return err
	}
	if _, err := x.plans(); err != nil {
		return err
	}
	if _, _, err := x.nodeKeysOf(); err != nil {
		return err
	}
	keys, err := x.keysOf()
	if err == nil && len(keys) > 0 && x.o.Keys != nil {
		_, err = x.o.Keys(ctx, keys, true)
	}
	return err
}

// restoreServer adds the settings and keys that the server lacks. It replaces settings
// only with Force, and never replaces keys.
func (x *restore) restoreServer(ctx context.Context) error {
	from, ok, err := x.settingsOf()
	if err != nil {
		return err
	}
	if ok {
		if err := x.checkServer(&from); err != nil {
			return err
		}
		x.log.Step("Restoring the server's settings")
		var kept, machine []string
		if err := x.restoreCertificate(from.Certificate); err != nil {
			return err
		}
		if err := x.restoreAccounts(); err != nil {
			return err
		}
		if err := x.Server.Env.Store.UpdateSettings(ctx, func(set *app.Settings) error {
			kept, machine = mergeSettings(set, from, x.o.Force)
			return nil
		}); err != nil {
			return err
		}
		plans, err := x.restorePlans(ctx)
		if err != nil {
			return err
		}
		kept = append(kept, plans...)
		if kept != nil {
			x.log.Warn("The server's own settings stay as they are (--force replaces them): %s", strings.Join(kept, ", "))
		}
		if machine != nil {
			x.log.Warn("Settings of the machine are not restored; if this is the same machine, add them to server.json: %s", strings.Join(machine, ", "))
		}
	}
	if err := x.restoreCredentials(ctx); err != nil {
		return err
	}
	if err := x.restoreNodeKeys(ctx); err != nil {
		return err
	}
	keys, err := x.keysOf()
	if err != nil || len(keys) == 0 || x.o.Keys == nil {
		return err
	}
	x.log.Step("Restoring %s", text.Plural(strings.Count(string(keys), "\n"), "ssh key"))
	kept, err := x.o.Keys(ctx, keys, false)
	for line := range strings.Lines(kept) {
		x.log.Warn("%s", strings.TrimSuffix(line, "\n"))
	}
	return err
}

// restoreCertificate puts the files of the server's certificate in their place, which
// nothing names yet.
func (x *restore) restoreCertificate(c *app.Certificate) error {
	if c == nil {
		return nil
	}
	p, err := store.ReadCertificate(filepath.Join(x.dir, app.TLSDir, filepath.Base(c.ID)), c)
	if err != nil {
		return inBackup(x.dir, err)
	}
	saved, err := x.Server.Env.Store.SaveCertificate("", p)
	if err == nil && saved.ID != c.ID {
		err = fmt.Errorf("the server's certificate in it is not %s", c.ID)
	}
	if err == nil {
		c.Describe(p, time.Now())
	}
	return err
}

// restoreAccounts puts the accounts at CAs in their place that the server does not have.
func (x *restore) restoreAccounts() error {
	folders, err := os.ReadDir(filepath.Join(x.dir, store.AccountsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	st := x.Server.Env.Store
	for _, f := range folders {
		to := filepath.Join(st.Accounts(), filepath.Base(f.Name()))
		if _, serr := os.Stat(to); err != nil || serr == nil {
			continue
		}
		files := map[string][]byte{}
		var names []string
		names, err = filepath.Glob(filepath.Join(x.dir, store.AccountsDir, f.Name(), "*"))
		for _, path := range names {
			if err == nil {
				files[filepath.Base(path)], err = os.ReadFile(path)
			}
		}
		if err == nil {
			err = st.Disk.MkdirAll(st.Accounts(), 0o700)
		}
		if err == nil {
			err = st.Disk.Folder(to, files)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot restore the accounts at CAs: %w", err)
	}
	return nil
}

// mergeSettings copies settings from the backup into set: those that set lacks and, with
// force, those that differ. kept lists the differing settings that stay; machine lists
// the differing settings of the machine, which it never copies.
func mergeSettings(set *app.Settings, from app.Settings, force bool) (kept, machine []string) {
	m := merge{force: force}
	for _, p := range []struct {
		name string
		to   *map[string]string
		from map[string]string
	}{
		{"config", &set.Config, from.Config}, {"checks", &set.Checks, from.Checks}, {"ps", &set.PS, from.PS}, {"build", &set.Build, from.Build},
		{"git", &set.Git, from.Git}, {"apps", &set.Apps, from.Apps}, {"proxy", &set.Proxy, from.Proxy}, {"network", &set.Network, from.Network}, {"ports", &set.Ports, from.Ports},
		{"nginx", &set.Nginx.Properties, from.Nginx.Properties}, {"letsencrypt", &set.Letsencrypt, from.Letsencrypt},
		{"docker-options", &set.DockerOptions, from.DockerOptions}, {"logs", &set.Logs, from.Logs}, {"scheduler", &set.Scheduler, from.Scheduler}, {"cron", &set.Cron, from.Cron},
		{"registry", &set.Registry, from.Registry}, {"isolation", &set.Isolation, from.Isolation}, {"inert", &set.Inert, from.Inert},
	} {
		for _, key := range slices.Sorted(maps.Keys(p.from)) {
			if *p.to == nil {
				*p.to = map[string]string{}
			}
			v, has := (*p.to)[key]
			if m.takes(p.name+" "+key, has, v, p.from[key]) {
				(*p.to)[key] = p.from[key]
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from.StorageEntries)) {
		have, has := set.StorageEntries[name]
		if m.takes("storage entry "+name, has, have, from.StorageEntries[name]) {
			set.StorageEntries = app.Merged(set.StorageEntries, map[string]app.StorageEntry{name: from.StorageEntries[name]})
		}
	}
	for _, name := range from.Doors() {
		// The server that the backup is of may live, and send it other routes.
		door := from.FrontDoors[name]
		door.Disabled = true
		have, has := set.FrontDoors[name]
		same := have
		if same.Disabled = true; has && same == door {
			continue
		}
		if m.takes("front door "+name, has, have, door) {
			set.FrontDoors = app.Merged(set.FrontDoors, map[string]app.FrontDoor{name: door})
		}
	}
	if len(from.Domains) > 0 && m.takes("domains", len(set.Domains) > 0, set.Domains, from.Domains) {
		set.Domains = from.Domains
	}
	if from.Certificate != nil && m.takes("certificate", set.Certificate != nil, set.Certificate, from.Certificate) {
		set.Certificate = from.Certificate
	}
	for directory, a := range from.Authorities {
		if _, has := set.Authorities[directory]; !has { // with the account of restoreAccounts
			set.Authorities = app.Merged(set.Authorities, map[string]app.Authority{directory: a})
		}
	}
	if from.MaxScale != 0 && m.takes("max_scale", set.MaxScale != 0, set.MaxScale, from.MaxScale) {
		set.MaxScale = from.MaxScale
	}
	if from.KeepReleases != 0 && m.takes("keep_releases", set.KeepReleases != 0, set.KeepReleases, from.KeepReleases) {
		set.KeepReleases = from.KeepReleases
	}
	if len(from.Hooks) > 0 && m.takes("hooks", len(set.Hooks) > 0, set.Hooks, from.Hooks) {
		set.Hooks = app.Public(from.Hooks)
	}
	set.NoEvents = set.NoEvents || from.NoEvents
	set.NoAutoCreate = set.NoAutoCreate || from.NoAutoCreate
	return m.kept, machineSettings(*set, from)
}

// A merge decides which of two values stays.
type merge struct {
	force bool
	kept  []string
}

func (m *merge) takes(name string, has bool, have, from any) bool {
	if !has || reflect.DeepEqual(have, from) {
		return true
	}
	if !m.force {
		m.kept = append(m.kept, name)
	}
	return m.force
}

// machineSettings lists the settings of the machine that differ in from.
func machineSettings(set, from app.Settings) (list []string) {
	for _, p := range []struct {
		name       string
		have, from any
	}{
		{"private_hooks", set.PrivateHooks, from.PrivateHooks}, {"docker", set.Docker, from.Docker}, {"pool", set.Pool, from.Pool}, {"storage_root", set.StorageRoot, from.StorageRoot},
		{"name_prefix", set.NamePrefix, from.NamePrefix}, {"cgroup", set.Cgroup, from.Cgroup},
		{"ssh_port", set.SSHPort, from.SSHPort}, {"nginx port", set.Nginx.Port, from.Nginx.Port},
		{"nginx tls_port", set.Nginx.TLSPort, from.Nginx.TLSPort},
		{"nginx log_dir", set.Nginx.LogDir, from.Nginx.LogDir},
		{"nginx check", set.Nginx.Check, from.Nginx.Check}, {"nginx reload", set.Nginx.Reload, from.Nginx.Reload},
	} {
		if !reflect.ValueOf(p.from).IsZero() && !reflect.DeepEqual(p.have, p.from) {
			list = append(list, fmt.Sprintf("%s %v", p.name, p.from))
		}
	}
	return list
}
