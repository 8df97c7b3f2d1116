package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dokku/agent/app"
	"dokku/agent/proc"
	"dokku/agent/repo"
	"dokku/agent/store"
	"dokku/agent/text"
)

// An entry is a file or folder, with the mode bits that must be set and those that must
// not.
type entry struct {
	path string
	need fs.FileMode
	deny fs.FileMode
}

// modes checks owners and modes. It skips missing files.
func (d *examination) modes(check string, entries ...entry) []Finding {
	var foreign, open []string
	wanted := map[string]fs.FileMode{}
	for _, e := range entries {
		fi, err := os.Lstat(e.path)
		if err != nil || fi.Mode().Type() == fs.ModeSymlink {
			continue
		}
		name, err := filepath.Rel(d.Server.Env.Store.Root, e.path)
		if err != nil || name == "." {
			name = e.path
		}
		mode := fi.Mode().Perm()
		if int(fi.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
			foreign = append(foreign, name)
		} else if want := mode&^e.deny | e.need; want != mode {
			open = append(open, fmt.Sprintf("%s has mode %04o, want %04o", name, mode, want))
			wanted[e.path] = want
		}
	}
	var list []Finding
	if foreign != nil {
		list = append(list, wrong(check, HealthProblem, "chown -R "+ownName()+" "+d.Server.Env.Store.Root, "%s belongs to another user", several(foreign)))
	}
	if open != nil {
		list = append(list, wrong(check, HealthWarning, "chmod", "%s", several(open)).fixable(check+" "+entries[0].path,
			func(context.Context) error { return chmodAll(wanted) }))
	}
	return list
}

func chmodAll(wanted map[string]fs.FileMode) error {
	var errs []error
	for path, mode := range wanted {
		errs = append(errs, os.Chmod(path, mode))
	}
	return errors.Join(errs...)
}

// several returns the first name and the number of the others.
func several(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s (and %d more)", names[0], len(names)-1)
}

// ownName is the user with whose rights this process runs: the apps' owner, also where
// root called it. (user.Current would name root.)
func ownName() string {
	id := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// secret returns the entry of a file or folder that only its owner may read.
func secret(path string) entry {
	if fi, err := os.Lstat(path); err == nil && fi.IsDir() {
		return entry{path, 0o700, 0o077}
	}
	return entry{path, 0o600, 0o177}
}

// secrets returns the entries of a folder and of the files in it.
func secrets(dir string) []entry {
	list := []entry{secret(dir)}
	found, _ := os.ReadDir(dir)
	for _, e := range found {
		list = append(list, secret(filepath.Join(dir, e.Name())))
	}
	return list
}

func (d *examination) checkPermissions(context.Context) []Finding {
	const check = "permissions"
	// sshd refuses keys below a folder that others may write to.
	entries := []entry{{d.Server.Env.Store.Root, 0o700, 0o022}, secret(d.Server.Env.Store.Own()), secret(d.Server.Env.Store.Own("server.json"))}
	entries = append(append(entries, secrets(d.Server.Env.Store.Own("locks"))...), secrets(d.Server.Env.Store.Own("log"))...)
	list := append(d.modes(check, entries...), d.reachable(check)...)
	if list != nil {
		return list
	}
	return fine(check, "the files below %s belong to %s, and their modes keep other users out", d.Server.Env.Store.Own(), ownName())
}

// reachable warns where every account of the host reaches the folders that apps mount. A process
// that is root in its container can leave a setuid program there, which is root's on the host too.
// Servers that were installed before have such a folder, and other programs may serve files of it.
func (d *examination) reachable(check string) []Finding {
	dir := d.set.StorageDir()
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm()&0o001 == 0 {
		return nil
	}
	return []Finding{wrong(check, HealthWarning, "chmod o-rwx "+dir+", unless other programs than containers read files there",
		"each account of this server may run what apps have put into %s, with root's rights if the file says so", dir)}
}

func (d *examination) checkModes(app string) []Finding {
	const check = "permissions"
	entries := secrets(d.Server.Env.Store.File(app))
	for _, sub := range []string{"releases", "deploys"} {
		entries = append(entries, secrets(d.Server.Env.Store.File(app, sub))...)
	}
	if list := d.modes(check, append(entries, secret(d.Server.Env.Store.Dir(app)))...); list != nil {
		return list
	}
	return fine(check, "its files belong to %s, and their modes keep other users out", ownName())
}

// checkStray looks for leftovers of killed commands, and for repositories without a
// state.
func (d *examination) checkStray(context.Context) []Finding {
	const check = "half-made apps"
	var list []Finding
	entries, err := os.ReadDir(d.Server.Env.Store.Root)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "cannot list the apps: %s", err)}
	}
	for _, e := range entries {
		dir := d.Server.Env.Store.Dir(e.Name())
		_, head := os.Stat(filepath.Join(dir, "HEAD"))
		_, state := os.Stat(d.Server.Env.Store.File(e.Name(), "state.json"))
		if app.ValidName(e.Name()) == nil && head == nil && errors.Is(state, fs.ErrNotExist) {
			list = append(list, wrong(check, HealthProblem, "restore "+d.Server.Env.Store.File(e.Name())+" from a backup, or move the folder away",
				"%s is a repository, but not an app: dokku/state.json is missing", dir))
		}
	}
	old := append(olderThan(d.Server.Env.Store.Own("trash", "*"), time.Hour), olderThan(filepath.Join(d.Server.Env.Store.Root, store.NewPrefix+"*"), time.Hour)...)
	if old != nil {
		list = append(list, wrong(check, HealthWarning, d.agent("restart"), "a killed command left %s", several(old)).
			fixable("trash", func(context.Context) error {
				var errs []error
				for _, path := range old {
					errs = append(errs, os.RemoveAll(path))
				}
				return errors.Join(errs...)
			}))
	}
	if list == nil {
		return fine(check, "none")
	}
	return list
}

func olderThan(pattern string, age time.Duration) (old []string) {
	found, _ := filepath.Glob(pattern)
	for _, path := range found {
		if fi, err := os.Lstat(path); err == nil && time.Since(fi.ModTime()) > age {
			old = append(old, path)
		}
	}
	return old
}

// checkState reads the state and all releases of an app.
func (d *examination) checkState(app string) (*app.App, []Finding) {
	const check = "state"
	bad := func(err error) []Finding {
		fix := "restore it from a backup"
		if strings.Contains(err.Error(), "install the newer dokku") { // the error has its own fix
			fix = ""
		}
		return []Finding{wrong(check, HealthProblem, fix, "%s", err)}
	}
	a, err := d.Server.Env.Store.Load(app)
	if err != nil {
		return nil, bad(err)
	}
	releases, err := d.Server.Env.Store.Releases(app)
	if err == nil {
		_, err = d.Server.Env.Store.Past(app, a.State.Current, 1)
	}
	if err != nil {
		return nil, bad(err)
	}
	return a, fine(check, "can be read, with %s", text.Plural(len(releases), "release"))
}

// checkRepository checks the hooks, without which git accepts pushes that are never
// deployed, and looks for leftovers of killed gits.
func (d *examination) checkRepository(app string) []Finding {
	const check = "repository"
	var list []Finding
	for _, name := range repo.HookNames {
		path := filepath.Join(d.Server.Env.Store.Dir(app), "hooks", name)
		target, err := os.Readlink(path)
		if err == nil && target == d.Server.Binary {
			continue
		}
		if _, missing := os.Lstat(path); missing == nil && err != nil {
			list = append(list, wrong(check, HealthProblem, "mv "+path+" "+path+".mine && dokku doctor "+app+" --fix",
				"the hook %s is not a link to %s: pushes may not deploy", name, d.Server.Binary))
			continue
		}
		text := fmt.Sprintf("the hook %s is missing: pushes are accepted and not deployed", name)
		if err == nil {
			text = fmt.Sprintf("the hook %s runs %s, not %s", name, target, d.Server.Binary)
		}
		list = append(list, wrong(check, HealthProblem, "dokku doctor "+app+" --fix", "%s", text).
			fixable("hooks "+app, func(context.Context) error {
				return repo.LinkHooks(d.Server.Env.Store.Disk, d.Server.Env.Store.Dir(app), d.Server.Binary)
			}))
	}
	list = append(list, d.checkDurable(app)...)
	left, err := repo.Leftovers(d.Server.Env.Store.Dir(app))
	if err != nil {
		return append(list, wrong(check, HealthProblem, "", "cannot look for leftovers of git: %s", err))
	}
	if _, busy, _ := d.Server.Env.Store.Peek(app); len(left) > 0 && !busy && !repo.Pushing(d.Server.Env.Store.Dir(app)) {
		list = append(list, wrong(check, HealthProblem, "dokku doctor "+app+" --fix",
			"a killed git left %s, which may block pushes", several(left)).
			fixable("sweep "+app, func(context.Context) error { return d.sweep(app) }))
	}
	if list == nil {
		return fine(check, "its hooks run %s", d.Server.Binary)
	}
	return list
}

// checkDurable checks whether git syncs pushes.
func (d *examination) checkDurable(app string) (list []Finding) {
	const check = "repository"
	lacks, err := repo.Lacking(d.Server.Env.Store.Dir(app), false)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "%s", err)}
	}
	for _, g := range lacks {
		list = append(list, wrong(check, HealthWarning, "dokku doctor "+app+" --fix",
			"%s is not %s: git may lose a recent push in a power loss", g.Name(), g.Value).
			fixable("harden "+app, func(context.Context) error { return d.hardenGit(app) }))
	}
	return list
}

// hardenGit makes git sync pushes, under the app's lock. It skips a locked app.
func (d *examination) hardenGit(app string) error {
	l, ok, err := d.Server.Env.Store.TryLock(app, "doctor")
	if err != nil || !ok {
		return err
	}
	defer l.Release()
	return repo.Harden(d.Server.Env.Store.Disk, d.Server.Env.Store.Dir(app), true)
}

// sweep removes leftovers of git, under the app's lock. It skips a locked app.
func (d *examination) sweep(app string) error {
	l, ok, err := d.Server.Env.Store.TryLock(app, "doctor")
	if err != nil || !ok {
		return err
	}
	defer l.Release()
	return repo.Sweep(d.Server.Env.Store.Dir(app), proc.Owner{})
}
