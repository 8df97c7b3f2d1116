package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/backup/archive"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/repo"
	"dokku/agent/store"
)

// RestoreOptions say what is taken from a backup.
type RestoreOptions struct {
	// Apps are their names; none: all that the backup has, with settings and keys.
	Apps []string
	// Force replaces apps that exist, and settings that differ.
	Force bool
	// Keys adds ssh keys that are missing, and says which it kept; with check it only
	// says whether it could. nil: they are left out.
	Keys func(ctx context.Context, keys []byte, check bool) (kept string, err error)
}

// A restore is a backup that was unpacked, and found to be whole.
type restore struct {
	Server *agent.Server
	o      RestoreOptions
	m      archive.Manifest
	dir    string
	log    event.Log
	// done are apps that came from this backup before; ran are those that were
	// replaced and may have left something in the engine.
	done, ran map[string]bool
}

// Restore takes apps, settings and keys from a backup. All of it is read and
// checked before anything changes. Each app appears whole, in one rename, and is
// started then; one that does not come up keeps no other from its turn, and stays
// stopped. Whoever is killed leaves each app whole or absent: the agent starts what
// is there, and the same command does the rest. It returns how many apps there were.
func Restore(ctx context.Context, s *agent.Server, r io.Reader, o RestoreOptions, log event.Log) (n int, err error) {
	const refused = "cannot restore the backup, nothing has changed: %w"
	in := bufio.NewReaderSize(r, 1<<16)
	if err := archive.Begins(in); err != nil {
		return 0, fmt.Errorf(refused, err)
	}
	dir, done, err := s.Env.Store.Staging("restore-")
	if err != nil {
		return 0, err
	}
	defer done()
	x := &restore{Server: s, o: o, dir: dir, log: log, done: map[string]bool{}, ran: map[string]bool{}}
	if x.m, err = archive.Read(ctx, in, dir, x.accept); err == nil {
		err = x.verify(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf(refused, err)
	}
	if len(o.Apps) == 0 {
		if err := x.restoreServer(ctx); err != nil {
			return 0, err
		}
	}
	return x.restoreApps(ctx)
}

// names are the apps that are asked for.
func (x *restore) names() []string {
	if len(x.o.Apps) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(x.o.Apps)))
	}
	var names []string
	for _, a := range x.m.Apps {
		names = append(names, a.Name)
	}
	return names
}

// accept checks what the manifest says before anything is unpacked.
func (x *restore) accept(m archive.Manifest) error {
	x.m = m
	has := map[string]bool{}
	for _, a := range m.Apps {
		if err := app.ValidName(a.Name); err != nil || has[a.Name] {
			return fmt.Errorf("it has an app named %.80q", a.Name)
		}
		has[a.Name] = true
	}
	for _, f := range m.Files {
		app, rest, _ := strings.Cut(strings.TrimPrefix(f.Name, backupApps+"/"), "/")
		if f.Name != backupSettings && f.Name != backupKeys && (!strings.HasPrefix(f.Name, backupApps+"/") || !has[app] || !belongs(rest)) {
			return fmt.Errorf("it has %.80q, which a backup has no place for", f.Name)
		}
	}
	var missing []string
	for _, name := range x.names() {
		if !has[name] {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return fmt.Errorf("it does not have %s, only %s", strings.Join(missing, ", "), strings.Join(slices.Sorted(maps.Keys(has)), ", "))
	}
	var room unix.Statfs_t
	if err := unix.Statfs(x.dir, &room); err == nil && uint64(m.Size()) > room.Bavail*uint64(room.Bsize) {
		return fmt.Errorf("it needs %d MB below %s, where %d MB are free", m.Size()>>20, x.Server.Env.Store.Root, room.Bavail*uint64(room.Bsize)>>20)
	}
	return x.inTheWay()
}

// belongs reports whether a backup has such a file of an app: see backUp.
func belongs(name string) bool {
	if slices.Contains(repo.Files, name) || name == backupImages || name == "dokku/state.json" {
		return true
	}
	return slices.ContainsFunc([]string{"refs/", "logs/", "objects/", "info/", "dokku/releases/", "nginx.conf.d/"},
		func(folder string) bool { return strings.HasPrefix(name, folder) }) && !strings.HasPrefix(name, "objects/info/alternates")
}

// inTheWay names all apps that exist already, unless they may be replaced or came
// from this very backup, which was interrupted then.
func (x *restore) inTheWay() error {
	var exist []string
	for _, name := range x.names() {
		a, err := x.Server.Env.Store.Load(name)
		var none *app.NoAppError
		switch {
		case errors.As(err, &none):
			if err := x.Server.Env.Store.NameFree(name); err != nil {
				return err
			}
		case err != nil:
			return err
		case a.State.Restored != nil && a.State.Restored.Backup == x.m.ID && !x.o.Force:
			x.done[name] = true
		case a.Former() != "":
			return fmt.Errorf("cannot replace %s yet: processes from when it was %s still run: try again once they have finished "+
				"(ps:restart %[1]s replaces them)", name, a.Former())
		default:
			if err := x.Server.Env.Store.RefuseNewer(name); err != nil {
				return err
			}
			exist = append(exist, name)
		}
	}
	if exist == nil || x.o.Force {
		return nil
	}
	return fmt.Errorf("these apps exist already: %s\nTo replace them, with all they have: restore --force; to leave them alone: name the others",
		strings.Join(exist, ", "))
}

// verify reads all that was unpacked, and makes it ready: from here on an app is one
// rename away.
func (x *restore) verify(ctx context.Context) error {
	set, err := x.Server.Env.Store.Settings()
	if err != nil {
		return err
	}
	if len(x.o.Apps) == 0 {
		if err := x.verifyServer(ctx); err != nil {
			return err
		}
	}
	var states []*app.App
	for _, name := range x.names() {
		if x.done[name] {
			continue
		}
		a, err := x.prepareApp(ctx, name)
		if err != nil {
			return fmt.Errorf("app %s: %w", name, err)
		}
		states = append(states, a)
	}
	for _, a := range states {
		if err := x.Server.Env.Store.Conflict(app.View{App: a, Settings: set}, x.names()); err != nil {
			return err
		}
	}
	d, err := os.Open(x.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd())) // each file by itself would take minutes
}

func (x *restore) app(name string, elem ...string) string {
	return filepath.Join(append([]string{x.dir, backupApps, name}, elem...)...)
}

// prepareApp checks an app's files and makes of them what is to become its folder:
// a stopped app that is to be started.
func (x *restore) prepareApp(ctx context.Context, name string) (*app.App, error) {
	dir := x.app(name)
	a := &app.App{Name: name, Dir: dir}
	if err := store.ReadJSON(x.app(name, "dokku", "state.json"), &a.State); err != nil {
		return nil, inBackup(x.dir, err)
	}
	st := &a.State
	releases, err := filepath.Glob(x.app(name, "dokku", "releases", "*"))
	if err != nil {
		return nil, err
	}
	for _, path := range releases {
		r := &app.Release{}
		if err := store.ReadJSON(path, r); err != nil {
			return nil, inBackup(x.dir, err)
		}
		if filepath.Base(path) != fmt.Sprintf("%d.json", r.Number) || r.Number < 1 || len(r.Revision) != len(deploy.ZeroID) {
			return nil, fmt.Errorf("release %s is none", filepath.Base(path))
		}
		if r.Number == st.Current {
			a.Current = r
		}
	}
	if (a.Current == nil) != (st.Current == 0) {
		return nil, fmt.Errorf("its release v%d is missing", st.Current)
	}
	if err := repo.Complete(dir); err != nil {
		return nil, err
	}
	if err := repo.Fsck(ctx, dir); err != nil {
		return nil, err
	}
	for _, sub := range []string{"hooks", "dokku/releases", "dokku/deploys", "nginx.conf.d"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	st.Staged, st.Retiring, st.Renamed, st.Destroying, st.Provisional = nil, nil, nil, false, false
	deployed := a.Current != nil
	st.Restored = &app.Restored{Backup: x.m.ID, Pending: deployed, Start: deployed && !st.Stopped}
	st.Version, st.Stopped = app.Version, deployed
	if err := errors.Join(x.Server.Env.Store.WriteJSON(x.app(name, "dokku", "state.json"), st), repo.LinkHooks(x.Server.Env.Store.Disk, dir, x.Server.Binary)); err != nil {
		return nil, err
	}
	err = os.Rename(x.app(name, backupImages), x.images(name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return a, err
}

// images is where an app's images are once its folder is ready.
func (x *restore) images(name string) string { return filepath.Join(x.dir, name+".tar") }

// inBackup makes an error about an unpacked file name its place in the backup.
func inBackup(dir string, err error) error {
	text := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	if strings.Contains(text, "install the newer dokku again") {
		return errors.New(strings.ReplaceAll(text, "install the newer dokku again", "restore it with the newer dokku"))
	}
	return errors.New(text)
}
