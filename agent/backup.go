package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"dokku/agent/backup"
	"dokku/agent/engine"
	"dokku/agent/event"
)

// BackupOptions say what a backup has.
type BackupOptions struct {
	// Apps are their names; none: all apps, the server's settings and the ssh keys.
	Apps []string
	// Images: with the images of all kept releases.
	Images bool
	// Dokku is the version of this program.
	Dokku string
	// Keys returns the ssh keys; nil: they are left out.
	Keys func(context.Context) ([]byte, error)
}

// Names of a backup's own members. What an app has lies below apps/NAME, as in its
// folder.
const (
	backupSettings = "server.json"
	backupKeys     = "ssh-keys"
	backupApps     = "apps"
	backupImages   = "images.tar"
)

// Backup writes apps, settings and keys to w. Each app is read as it is between two
// operations; nothing is written before all is read. Left says what was left behind,
// a line for each app that has something of the kind.
func (s *Server) Backup(ctx context.Context, o BackupOptions, w io.Writer, log event.Log) (m backup.Manifest, left []string, err error) {
	names, err := s.backupNames(o.Apps, log)
	if err != nil {
		return m, nil, err
	}
	dir, done, err := s.staging("backup-")
	if err != nil {
		return m, nil, err
	}
	defer done()
	m = backup.Manifest{Dokku: o.Dokku, Host: hostName(), Images: o.Images, Apps: []backup.App{}}
	for _, name := range names {
		err := s.with(ctx, name, Op{Name: "backup"}, log, func(x *session) error {
			a, lacks, err := x.backUp(ctx, filepath.Join(dir, backupApps, name), o.Images)
			m.Apps = append(m.Apps, a)
			left = append(left, lacks...)
			return err
		})
		if err != nil {
			return m, nil, fmt.Errorf("cannot back up %s: %w", name, err)
		}
	}
	if len(o.Apps) == 0 {
		if err := s.backUpServer(ctx, o, dir); err != nil {
			return m, nil, err
		}
	}
	if m, err = backup.Write(ctx, w, m, dir); err != nil {
		return m, nil, fmt.Errorf("cannot write the backup: %w", err)
	}
	return m, left, nil
}

// backupNames are the apps that a backup is of. All apps are those that stand: one
// that is being destroyed, or was never pushed to, is none.
func (s *Server) backupNames(asked []string, log event.Log) ([]string, error) {
	names := asked
	if len(asked) == 0 {
		var err error
		if names, err = s.Apps(); err != nil {
			return nil, err
		}
	}
	var list []string
	for _, name := range names {
		a, err := s.Load(name)
		switch {
		case err != nil:
			return nil, err
		case a.State.Destroying && len(asked) == 0:
			log.Warn("%s is being destroyed, and left out", name)
		case a.State.Provisional && a.State.Staged == nil && len(asked) == 0:
		case !slices.Contains(list, name):
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list, nil
}

// staging makes a folder that is this process's alone: with the lock on it goes the
// claim, so that others can clear away what somebody left who was killed.
func (s *Store) staging(prefix string) (dir string, done func(), err error) {
	s.sweepStaging()
	if dir, err = os.MkdirTemp(s.own(), prefix); err != nil {
		return "", nil, fmt.Errorf("cannot make a folder for the backup: %w", err)
	}
	f, err := os.Open(dir)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return "", nil, fmt.Errorf("cannot claim %s: %w", dir, err)
	}
	return dir, func() { os.RemoveAll(dir); f.Close() }, nil
}

// sweepStaging removes the folders of backups and restores that were killed.
func (s *Store) sweepStaging() {
	for _, prefix := range []string{"backup-", "restore-"} {
		found, _ := filepath.Glob(s.own(prefix + "*"))
		for _, dir := range found {
			f, err := os.Open(dir)
			if err != nil {
				continue
			}
			if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
				os.RemoveAll(dir)
			}
			f.Close()
		}
	}
}

// backUpServer copies what is no app's.
func (s *Server) backUpServer(ctx context.Context, o BackupOptions, dir string) error {
	set, err := s.storedSettings()
	if err != nil {
		return err
	}
	set.Version = stateVersion
	if err := s.stageJSON(filepath.Join(dir, backupSettings), set); err != nil || o.Keys == nil {
		return err
	}
	keys, err := o.Keys(ctx)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, backupKeys), keys, 0o600)
}

// backUp copies the app into dir. It is under the app's lock, settled.
func (x *session) backUp(ctx context.Context, dir string, images bool) (a backup.App, left []string, err error) {
	a = backup.App{Name: x.Name, Release: x.State.Current, Stopped: x.State.Stopped && !x.State.Restored.starts()}
	about := "never deployed"
	if x.Current != nil {
		a.Revision = x.Current.Revision
		about = fmt.Sprintf("v%d, %s", a.Release, Short(a.Revision))
	}
	x.log.Step("Backing up %s (%s)", x.Name, about)
	if err := copyRepository(x.Dir, dir); err != nil {
		return a, nil, err
	}
	if err := fsck(ctx, dir); err != nil {
		return a, nil, err
	}
	if err := x.backUpState(filepath.Join(dir, "dokku"), a.Stopped); err != nil {
		return a, nil, err
	}
	releases, err := x.backUpReleases(ctx, filepath.Join(dir, "dokku", "releases"), images)
	if err == nil && images && len(releases) > 0 {
		err = x.backUpImages(ctx, filepath.Join(dir, backupImages), releases)
	}
	if err == nil {
		err = copyFiles(x.Dir, dir, "nginx.conf.d")
	}
	return a, x.leftBehind(), err
}

// backUpState writes the state without what is about this machine's containers.
func (x *session) backUpState(dir string, stopped bool) error {
	st := x.State.clone()
	st.Version, st.Stopped = stateVersion, stopped
	st.Staged, st.Retiring, st.Renamed, st.Restored = nil, nil, nil, nil
	st.Destroying, st.Provisional = false, false
	return x.stageJSON(filepath.Join(dir, "state.json"), st)
}

// backUpReleases writes the current release, and with images the other kept ones
// that still have theirs.
func (x *session) backUpReleases(ctx context.Context, dir string, images bool) ([]*Release, error) {
	numbers, err := x.releaseNumbers(x.Name)
	if err != nil || x.Current == nil {
		return nil, err
	}
	var list []*Release
	for _, n := range x.view().KeptReleases(numbers) {
		if n != x.State.Current && !images {
			continue
		}
		r, err := x.release(x.Name, n)
		if err != nil {
			return nil, err
		}
		if n != x.State.Current {
			host, err := x.Engine(x.settings)
			if err != nil {
				return nil, err
			}
			if _, err := host.Image(ctx, r.Image); errors.Is(err, engine.ErrNoImage) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		if err := x.stageJSON(filepath.Join(dir, strconv.Itoa(n)+".json"), r); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

func (x *session) backUpImages(ctx context.Context, path string, releases []*Release) error {
	host, err := x.Engine(x.settings)
	if err != nil {
		return err
	}
	var ids []string
	for _, r := range releases {
		if !slices.Contains(ids, r.Image) {
			ids = append(ids, r.Image)
		}
	}
	x.log.Step("Reading %s of %s", count(len(ids), "image"), x.Name)
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

// leftBehind says in one line what the app has that its backup has not.
func (x *session) leftBehind() []string {
	var what []string
	for _, m := range x.State.Mounts {
		kind := "the volume"
		if filepath.IsAbs(m.Source) {
			kind = "the folder"
		}
		what = append(what, kind+" "+m.String())
	}
	for _, n := range x.view().Attached().Networks {
		what = append(what, "the network "+n)
	}
	hooks, _ := os.ReadDir(filepath.Join(x.Dir, "hooks"))
	for _, h := range hooks {
		if !slices.Contains(hookNames, h.Name()) && !strings.HasSuffix(h.Name(), ".sample") {
			what = append(what, "the hook "+h.Name())
		}
	}
	if what == nil {
		return nil
	}
	return []string{fmt.Sprintf("Not in the backup of %s: %s", x.Name, strings.Join(what, ", "))}
}

// stageJSON writes a file that counts only once all of a folder does.
func (s *Store) stageJSON(path string, v any) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return s.writeJSON(path, v)
}

// repositoryFiles are what git keeps beside refs and objects, in the order in which
// they are copied.
var repositoryFiles = []string{"packed-refs", "HEAD", "shallow", "config", "info"}

// copyRepository copies a bare repository that git may be writing to. The order
// matters: see package backup.
func copyRepository(from, to string) error {
	for _, name := range append([]string{"refs", "logs"}, repositoryFiles...) {
		if err := copyFiles(from, to, name); err != nil {
			return fmt.Errorf("cannot copy the repository: %w", err)
		}
	}
	if err := completeRepository(to); err != nil {
		return fmt.Errorf("cannot copy the repository: %w", err)
	}
	if err := linkObjects(from, to); err != nil {
		return fmt.Errorf("cannot copy the repository: %w", err)
	}
	return nil
}

// completeRepository makes the folders without which git sees no repository.
func completeRepository(dir string) error {
	var errs []error
	for _, sub := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags", "info"} {
		errs = append(errs, os.MkdirAll(filepath.Join(dir, sub), 0o700))
	}
	return errors.Join(errs...)
}

// copyFiles copies a file, or all files below a folder, without git's lock files.
// What is not there, or goes away meanwhile (a ref that is deleted), is left out.
func copyFiles(from, to, name string) error {
	return filepath.WalkDir(filepath.Join(from, name), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		rel, rerr := filepath.Rel(from, path)
		if err = errors.Join(err, rerr); err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(dst), 0o700); err != nil {
			return err
		}
		return os.WriteFile(dst, data, 0o600)
	})
}

// linkObjects links the objects, which never change, without the ones that a push
// may still take back.
func linkObjects(from, to string) error {
	from, to = filepath.Join(from, "objects"), filepath.Join(to, "objects")
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		temporary := strings.HasPrefix(d.Name(), "tmp_") || strings.HasPrefix(d.Name(), "incoming-")
		switch {
		case d.IsDir() && temporary:
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case temporary || strings.HasSuffix(rel, ".lock") || rel == filepath.Join("info", "alternates"):
			return nil
		}
		if err := os.Link(path, filepath.Join(to, rel)); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return copyFiles(from, to, rel)
	})
}

// fsck lets git read a copy: each ref, and all that it leads to, has to
// be there.
func fsck(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "git", "--git-dir="+dir, "fsck", "--connectivity-only", "--no-dangling", "--no-reflogs", "--no-progress")
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("git finds the repository damaged: %s (%w): push all branches again to a new app, or name the other apps", first, err)
}
