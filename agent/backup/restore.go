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
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/backup/archive"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proxy"
	"dokku/agent/repo"
	"dokku/agent/store"
)

// RestoreOptions select what to restore from a backup.
type RestoreOptions struct {
	// Apps are names of apps; none: all apps of the backup, with settings and keys.
	Apps []string
	// Force replaces apps that exist, and settings that differ.
	Force bool
	// OnHost: somebody on the server asks. Over ssh, the files of nginx.conf.d stay out, since
	// nginx reads them as root.
	OnHost bool
	// Properties checks what the commands NOUN:set could have stored for an app, and Server the
	// same of the server. They take out what only somebody on the server itself may set, unless
	// OnHost, and return its names. nil: nobody checks.
	Properties func(app.Settings, *app.State) (left []string, err error)
	Server     func(here app.Settings, from *app.Settings) (left []string, err error)
	// Keys adds missing ssh keys and describes those that it kept. With check it only
	// checks that it can. nil leaves the keys out.
	Keys func(ctx context.Context, keys []byte, check bool) (kept string, err error)
}

// A restore is one restore of an unpacked backup.
type restore struct {
	Server *agent.Server
	o      RestoreOptions
	m      archive.Manifest
	dir    string
	log    event.Log
	// ids are those of releases' images in the backup, by app and number.
	ids map[string]map[int]images
	// proves: it only checks the backup, beside the apps that it is of.
	proves bool
	// done has the apps that an earlier restore of this backup finished; ran has replaced
	// apps, which may have left resources in the engine.
	done, ran map[string]bool
	// notes say what is left out of the restore: see note.
	notes []string
	told  bool
}

// Restore restores apps, settings and keys from a backup. It reads and checks the whole
// backup before it changes anything. Each app appears in one rename and is then started.
// An app that does not start stays stopped; Restore continues with the next. After a
// kill each app is complete or absent: the agent starts the complete ones, and the same
// command does the rest. Restore returns the number of apps.
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
	x := &restore{Server: s, o: o, dir: dir, ids: map[string]map[int]images{}, log: log, done: map[string]bool{}, ran: map[string]bool{}}
	if x.m, err = archive.Read(ctx, in, dir, x.accept); err == nil {
		err = x.verify(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf(refused, err)
	}
	x.tell()
	if len(o.Apps) == 0 {
		if err := x.restoreServer(ctx); err != nil {
			return 0, err
		}
	}
	return x.restoreApps(ctx)
}

// names returns the names of the apps to restore.
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

const (
	// maxJSON bounds a state, a release and the settings, in bytes: each is read as a whole.
	maxJSON = 16 << 20
	// maxSecret bounds a file of keys, certificates or passwords, in bytes, and maxPages what
	// maintenance:custom-page takes. Both are read as a whole.
	maxSecret = 1 << 20
	maxPages  = 16 << 20
	// maxDepth bounds the folders around a file. The refs of a backup are packed into one.
	maxDepth = 80
)

// accept checks the manifest before anything is unpacked.
func (x *restore) accept(m archive.Manifest) error {
	x.m = m
	has, pages := map[string]bool{}, map[string]int64{}
	for _, a := range m.Apps {
		if err := app.ValidName(a.Name); err != nil || has[a.Name] {
			return fmt.Errorf("it has an app named %.80q", a.Name)
		}
		has[a.Name] = true
	}
	for _, f := range m.Files {
		name, rest, _ := strings.Cut(strings.TrimPrefix(f.Name, backupApps+"/"), "/")
		ours := f.Name == backupSettings || f.Name == backupKeys || planMember.MatchString(f.Name) || nodesMember.MatchString(f.Name) || strings.HasPrefix(f.Name, app.TLSDir+"/") ||
			path.Dir(path.Dir(f.Name)) == store.AccountsDir || slices.Contains(store.Credentials, strings.TrimPrefix(f.Name, backupCredentials+"/"))
		if !ours && (!strings.HasPrefix(f.Name, backupApps+"/") || !has[name] || !belongs(rest)) {
			return fmt.Errorf("it has %.80q, which a backup has no place for", f.Name)
		}
		if strings.Count(f.Name, "/") > maxDepth && !strings.HasPrefix(rest, "logs/") {
			return fmt.Errorf("it has %.80q, which lies in more than %d folders", f.Name, maxDepth)
		}
		most, size := int64(0), f.Size // 0: what the disk has
		switch {
		case strings.HasSuffix(f.Name, ".json"):
			most = maxJSON
		case strings.HasPrefix(rest, "dokku/"+app.PagesDir+"/"):
			page := path.Dir(f.Name)
			if parts := strings.SplitN(rest, "/", 4); len(parts) > 3 {
				page = name + "/" + parts[2]
			}
			pages[page] += f.Size
			most, size = maxPages, pages[page]
		case ours && !planMember.MatchString(f.Name) && !nodesMember.MatchString(f.Name), strings.HasPrefix(rest, "dokku/"+app.TLSDir+"/"), strings.HasPrefix(rest, "dokku/"+store.RegistryDir+"/"):
			most = maxSecret
		}
		if most > 0 && size > most {
			return fmt.Errorf("it has %.80q of %s, where %s are possible", f.Name, units.HumanSize(float64(size)), units.HumanSize(float64(most)))
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
	if x.proves {
		return nil
	}
	return x.inTheWay()
}

// belongs reports whether a backup may contain this file of an app: see backUpApp.
func belongs(name string) bool {
	if slices.Contains(repo.Files, name) || name == backupImages || name == "dokku/state.json" || mountPlan.MatchString(name) {
		return true
	}
	return slices.ContainsFunc([]string{"refs/", "logs/", "objects/", "info/", "dokku/releases/", "dokku/" + app.TLSDir + "/", "dokku/" + app.PagesDir + "/",
		"dokku/" + store.PastDir + "/", "dokku/" + store.RegistryDir + "/", "nginx.conf.d/"},
		func(folder string) bool { return strings.HasPrefix(name, folder) }) && !strings.HasPrefix(name, "objects/info/alternates")
}

// inTheWay returns an error that names all existing apps, unless they may be replaced
// or an interrupted restore of this backup created them.
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
				"(dokku ps:restart %[1]s replaces them)", name, a.Former())
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

// verify checks the unpacked files and prepares each app's folder for its rename.
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
	merged, err := x.settingsAfter(set)
	if err != nil {
		return err
	}
	var states []*app.App
	for _, name := range x.names() {
		if x.done[name] {
			continue
		}
		a, err := x.prepareApp(ctx, name, merged)
		if err != nil {
			return fmt.Errorf("app %s: %w", name, err)
		}
		states = append(states, a)
	}
	if x.proves {
		return nil
	}
	if err := x.stillServed(ctx, states, set); err != nil {
		return err
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
	return unix.Syncfs(int(d.Fd())) // single syncs would take minutes
}

func (x *restore) app(name string, elem ...string) string {
	return filepath.Join(append([]string{x.dir, backupApps, name}, elem...)...)
}

// prepareApp checks an app's files and turns them into the folder of a stopped app that
// is to be started.
func (x *restore) prepareApp(ctx context.Context, name string, set app.Settings) (*app.App, error) {
	dir := x.app(name)
	a := &app.App{Name: name, Dir: dir}
	if err := store.ReadJSON(x.app(name, "dokku", "state.json"), &a.State); err != nil {
		return nil, inBackup(x.dir, err)
	}
	st := &a.State
	if err := x.checkState(app.View{App: a, Settings: set}); err != nil {
		return nil, err
	}
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
		if err := checkRelease(app.View{App: a, Settings: set}, r); err != nil {
			return nil, fmt.Errorf("release v%d: %w", r.Number, err)
		}
		if !x.o.OnHost && x.o.Properties != nil { // the first start and ps:scale use the release's
			r.Isolation = app.View{App: a, Settings: set}.ContainerOptions().Isolation
		}
		if err := x.disown(ctx, name, path, r); err != nil {
			return nil, err
		}
		if r.Number == st.Current {
			a.Current = r
		}
	}
	if err := x.checkPast(name); err != nil {
		return nil, err
	}
	if (a.Current == nil) != (st.Current == 0) {
		return nil, fmt.Errorf("its release v%d is missing", st.Current)
	}
	for _, c := range st.Own() {
		p, err := store.ReadCertificate(x.app(name, "dokku", app.TLSDir, filepath.Base(c.ID)), c)
		if err != nil {
			return nil, inBackup(x.dir, err)
		}
		// nginx asks the responder, and serves the names.
		c.Describe(p, time.Now())
	}
	if id := st.MaintenancePage; id != "" {
		if _, err := os.Stat(x.app(name, "dokku", app.PagesDir, filepath.Base(id), proxy.MaintenancePage)); err != nil {
			return nil, inBackup(x.dir, err)
		}
	}
	if err := repo.Configure(x.Server.Env.Store.Disk, dir); err != nil { // before git runs there
		return nil, err
	}
	if err := repo.Complete(dir); err != nil {
		return nil, err
	}
	if err := x.leaveNginx(name); err != nil {
		return nil, err
	}
	if err := x.restoreMountPlans(name); err != nil {
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
	st.Staged, st.Retiring, st.Renamed, st.Destroying, st.Provisional, st.Kept = nil, nil, nil, false, false, time.Time{}
	deployed := a.Current != nil
	st.Restored = &app.Restored{Backup: x.m.ID, Pending: deployed, Start: deployed && !st.Stopped}
	st.Version, st.Stopped = app.Version, deployed
	st.Hooks = app.Public(st.Hooks)
	if err := errors.Join(x.Server.Env.Store.WriteJSON(x.app(name, "dokku", "state.json"), st), repo.LinkHooks(x.Server.Env.Store.Disk, dir, x.Server.Binary)); err != nil {
		return nil, err
	}
	err = os.Rename(x.app(name, backupImages), x.imageFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return a, err
}

// leaveNginx removes the files of nginx.conf.d unless somebody on the server restores them.
func (x *restore) leaveNginx(name string) error {
	files, err := os.ReadDir(x.app(name, "nginx.conf.d"))
	if errors.Is(err, fs.ErrNotExist) || x.o.OnHost || len(files) == 0 {
		return nil
	}
	if err == nil {
		err = os.RemoveAll(x.app(name, "nginx.conf.d"))
	}
	if err == nil && !x.proves {
		var names []string
		for _, f := range files {
			names = append(names, f.Name())
		}
		x.note("%s is restored without nginx.conf.d (%s), since nginx reads these files as root: restore it on the server, or copy them there", name, strings.Join(names, ", "))
	}
	return err
}

// imageFile returns the path of an app's images after prepareApp.
func (x *restore) imageFile(name string) string { return filepath.Join(x.dir, name+".tar") }

// inBackup makes an error about an unpacked file name its path in the backup.
func inBackup(dir string, err error) error {
	text := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	if strings.Contains(text, "install the newer dokku again") {
		return errors.New(strings.ReplaceAll(text, "install the newer dokku again", "restore it with the newer dokku"))
	}
	return errors.New(text)
}
