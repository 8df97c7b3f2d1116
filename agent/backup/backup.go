package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/backup/archive"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/registry"
	"dokku/agent/repo"
	"dokku/agent/store"
	"dokku/agent/text"
	"dokku/agent/vault"
)

// BackupOptions select the contents of a backup.
type BackupOptions struct {
	// Apps are names of apps; none: all apps, the server's settings and the ssh keys.
	Apps []string
	// Images includes the images of all kept releases.
	Images bool
	// Dokku is the version of this program.
	Dokku string
	// Keys returns the ssh keys; nil leaves them out.
	Keys func(context.Context) ([]byte, error)
}

// Names of a backup's members. The files of an app lie below apps/NAME, as in its folder.
const (
	backupSettings = "server.json"
	backupKeys     = "ssh-keys"
	backupApps     = "apps"
	backupImages   = "images.tar"
	// backupCredentials has the files of store.Credentials.
	backupCredentials = "credentials"
)

// Write writes apps, settings and keys to w. It locks each app while it reads it, and
// writes nothing before it has read everything. left has a line for each app with data
// that the backup does not contain. Where no apps are named, one that cannot be read is no
// reason to be without a backup of the others: then the error is a *vault.IncompleteError.
func Write(ctx context.Context, s *agent.Server, o BackupOptions, w io.Writer, log event.Log) (m archive.Manifest, left []string, err error) {
	names, err := appNames(s, o.Apps, log)
	if err != nil {
		return m, nil, err
	}
	dir, done, err := s.Env.Store.Staging("backup-")
	if err != nil {
		return m, nil, err
	}
	defer done()
	m = archive.Manifest{Dokku: o.Dokku, Host: app.HostName(), Images: o.Images, Apps: []archive.App{}}
	incomplete := &vault.IncompleteError{}
	for _, name := range names {
		to := filepath.Join(dir, backupApps, name)
		err := s.Env.With(ctx, name, deploy.Op{Name: "backup"}, log, func(x *deploy.Session) error {
			a, lacks, err := backUpApp(ctx, x, to, o.Images)
			if err == nil {
				m.Apps = append(m.Apps, a)
				left = append(left, lacks...)
			}
			return err
		})
		if err == nil {
			continue
		}
		err = fmt.Errorf("cannot back up %s: %w", name, err)
		if incomplete.Lacks = append(incomplete.Lacks, err.Error()); len(o.Apps) > 0 || ctx.Err() != nil || len(incomplete.Lacks) == len(names) {
			return m, nil, err
		}
		log.Warn("%s", err)
		if err := os.RemoveAll(to); err != nil {
			return m, nil, err
		}
	}
	if len(o.Apps) == 0 {
		if err := backUpServer(ctx, s, o, dir); err != nil {
			return m, nil, err
		}
	}
	if m, err = archive.Write(ctx, w, m, dir); err != nil {
		return m, nil, fmt.Errorf("cannot write the backup: %w", err)
	}
	if len(incomplete.Lacks) > 0 {
		return m, left, incomplete
	}
	return m, left, nil
}

// appNames returns the apps of a backup. Without asked, it skips apps that are being
// destroyed or have no accepted push.
func appNames(s *agent.Server, asked []string, log event.Log) ([]string, error) {
	names := asked
	if len(asked) == 0 {
		var err error
		if names, err = s.Env.Store.Apps(); err != nil {
			return nil, err
		}
	}
	var list []string
	for _, name := range names {
		a, err := s.Env.Store.Load(name)
		switch {
		case err != nil && len(asked) == 0:
			list = append(list, name) // the backup says what is wrong with it
		case err != nil:
			return nil, err
		case a.State.Destroying && len(asked) == 0:
			log.Warn("%s is being destroyed; the backup leaves it out", name)
		case a.State.Provisional && a.State.Staged == nil && len(asked) == 0:
		case !slices.Contains(list, name):
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list, nil
}

// backUpServer copies the server's settings and the ssh keys.
func backUpServer(ctx context.Context, s *agent.Server, o BackupOptions, dir string) error {
	set, err := s.Env.Store.StoredSettings()
	if err != nil {
		return err
	}
	set.Version = app.Version
	served, err := registry.Read(s.Env.Store)
	switch {
	case err == nil && set.Registry[app.PropRegistry] == served.Server():
		set.Registry = nil // it is lost with this server, and without it the rest would name Docker Hub
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := s.Env.Store.StageJSON(filepath.Join(dir, backupSettings), set); err != nil {
		return err
	}
	if c := set.Certificate; c != nil {
		if err := repo.CopyFiles(s.Env.Store.Own(), dir, filepath.Join(app.TLSDir, c.ID)); err != nil {
			return err
		}
	}
	if err := errors.Join(backUpPlans(s, dir), backUpNodeKeys(s, dir)); err != nil {
		return err
	}
	accounts, err := s.Env.Store.AccountFolders()
	if err != nil {
		return err
	}
	for _, name := range accounts {
		if err := repo.CopyFiles(s.Env.Store.Own(), dir, filepath.Join(store.AccountsDir, name)); err != nil {
			return err
		}
	}
	for _, name := range store.Credentials {
		if err := repo.CopyFiles(s.Env.Store.Root, filepath.Join(dir, backupCredentials), name); err != nil {
			return err
		}
	}
	if o.Keys == nil {
		return nil
	}
	keys, err := o.Keys(ctx)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, backupKeys), keys, 0o600)
}

// backUpApp copies the app into dir. The caller holds the app's lock and has settled it.
func backUpApp(ctx context.Context, x *deploy.Session, dir string, images bool) (a archive.App, left []string, err error) {
	a = archive.App{Name: x.Name, Release: x.State.Current, Stopped: x.State.Stopped && !x.State.Restored.Starts()}
	about := "never deployed"
	if x.Current != nil {
		a.Revision = x.Current.Revision
		about = fmt.Sprintf("v%d, %s", a.Release, app.Short(a.Revision))
	}
	x.Log.Step("Backing up %s (%s)", x.Name, about)
	defer x.Log.Busy("copying %s", x.Name)()
	if err := repo.Copy(x.Dir, dir); err != nil {
		return a, nil, err
	}
	if err := repo.Fsck(ctx, dir); err != nil {
		return a, nil, err
	}
	if err := repo.PackRefs(ctx, dir); err != nil {
		return a, nil, err
	}
	if err := keepNamed(filepath.Join(dir, "logs")); err != nil {
		return a, nil, err
	}
	if err := backUpState(x, filepath.Join(dir, "dokku"), a.Stopped); err != nil {
		return a, nil, err
	}
	releases, err := backUpReleases(ctx, x, filepath.Join(dir, "dokku", "releases"), images)
	if err == nil && images && len(releases) > 0 {
		err = backUpImages(ctx, x, filepath.Join(dir, backupImages), releases)
	}
	if err == nil {
		err = repo.CopyFiles(x.Dir, dir, "nginx.conf.d")
	}
	for _, sub := range []string{store.RegistryDir, store.PastDir} {
		if err == nil {
			err = repo.CopyFiles(x.Dir, dir, filepath.Join("dokku", sub))
		}
	}
	if err == nil {
		err = backUpMountPlans(x, dir)
	}
	if id := x.State.MaintenancePage; err == nil && id != "" {
		err = repo.CopyFiles(x.Dir, dir, filepath.Join("dokku", app.PagesDir, id))
	}
	for _, c := range x.State.Own() {
		if err == nil {
			err = repo.CopyFiles(x.Dir, dir, filepath.Join("dokku", app.TLSDir, c.ID))
		}
	}
	return a, leftBehind(x), err
}

// keepNamed removes the reflogs that no archive can hold, since git takes names of any bytes.
func keepNamed(logs string) error {
	err := filepath.WalkDir(logs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || archive.ValidName(filepath.ToSlash(path[1:])) {
			return err
		}
		return os.Remove(path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// backUpState writes the state without the fields about this machine's containers.
func backUpState(x *deploy.Session, dir string, stopped bool) error {
	st := x.State.Clone()
	st.Version, st.Stopped = app.Version, stopped
	st.Staged, st.Retiring, st.Renamed, st.Restored = nil, nil, nil, nil
	st.Destroying, st.Provisional = false, false
	return x.Env.Store.StageJSON(filepath.Join(dir, "state.json"), st)
}

// backUpReleases writes the current release and, with images, the other kept releases
// whose image exists.
func backUpReleases(ctx context.Context, x *deploy.Session, dir string, images bool) ([]*app.Release, error) {
	if x.Current == nil {
		return nil, nil
	}
	kept, err := x.Env.Store.KeptReleases(x.View())
	if err != nil {
		return nil, err
	}
	var list []*app.Release
	for _, r := range kept {
		n := r.Number
		if n != x.State.Current && !images {
			continue
		}
		if n != x.State.Current {
			host, err := x.Env.Engine(x.Settings)
			if err != nil {
				return nil, err
			}
			if _, err := host.Image(ctx, r.Image); errors.Is(err, engine.ErrNoImage) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		if err := x.Env.Store.StageJSON(filepath.Join(dir, strconv.Itoa(n)+".json"), r); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

func backUpImages(ctx context.Context, x *deploy.Session, path string, releases []*app.Release) error {
	host, err := x.Env.Engine(x.Settings)
	if err != nil {
		return err
	}
	var ids []string
	for _, r := range releases {
		if !slices.Contains(ids, r.Image) {
			ids = append(ids, r.Image)
		}
		if r.SourceImage == "" || slices.Contains(ids, r.SourceImage) {
			continue
		}
		if _, err := host.Image(ctx, r.SourceImage); err == nil { // else a registry may have it
			ids = append(ids, r.SourceImage)
		}
	}
	x.Log.Step("Reading %s of %s", text.Plural(len(ids), "image"), x.Name)
	defer x.Log.Busy("reading the images of %s", x.Name)()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(host.Save(ctx, ids, f), f.Close())
	if errors.Is(err, engine.ErrNoImage) {
		err = fmt.Errorf("%w: without --images, restore builds it again", err)
	}
	return err
}

// leftBehind returns a line that lists the app's data outside of the backup.
func leftBehind(x *deploy.Session) []string {
	var what []string
	for _, m := range x.State.Mounts {
		kind := "the volume"
		if filepath.IsAbs(m.Source) {
			kind = "the folder"
		}
		what = append(what, kind+" "+m.String())
	}
	for _, n := range x.View().ContainerOptions().Networks {
		what = append(what, "the network "+n)
	}
	for _, link := range x.State.Links {
		what = append(what, fmt.Sprintf("the service %s (dokku %s:export %s has its data)", link, link.Kind, link.Name))
	}
	hooks, _ := os.ReadDir(filepath.Join(x.Dir, "hooks"))
	for _, h := range hooks {
		if !slices.Contains(repo.HookNames, h.Name()) && !strings.HasSuffix(h.Name(), ".sample") {
			what = append(what, "the hook "+h.Name())
		}
	}
	if what == nil {
		return nil
	}
	return []string{fmt.Sprintf("Not in the backup of %s: %s", x.Name, strings.Join(what, ", "))}
}
