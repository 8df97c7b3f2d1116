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
	"dokku/agent/repo"
	"dokku/agent/store"
	"dokku/agent/text"
)

// An entry is a file or folder with the mode that its owner needs at least, and
// the bits that nobody may have.
type entry struct {
	path string
	need fs.FileMode
	deny fs.FileMode
}

// modes compares owners and modes. What is not there has no finding.
func (d *Examination) modes(check string, entries ...entry) []Finding {
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
		list = append(list, wrong(check, HealthProblem, "chown -R "+ownName()+" "+d.Server.Env.Store.Root, "%s belongs to somebody else", several(foreign)))
	}
	if open != nil {
		list = append(list, wrong(check, HealthWarning, "chmod", "%s", several(open)).fixed(check+" "+entries[0].path,
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

// several names the first one and how many more there are.
func several(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s (and %d more)", names[0], len(names)-1)
}

func ownName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Geteuid())
}

// secret is a file or folder of which others are to see nothing.
func secret(path string) entry {
	if fi, err := os.Lstat(path); err == nil && fi.IsDir() {
		return entry{path, 0o700, 0o077}
	}
	return entry{path, 0o600, 0o177}
}

// secrets are a folder and what is in it.
func secrets(dir string) []entry {
	list := []entry{secret(dir)}
	found, _ := os.ReadDir(dir)
	for _, e := range found {
		list = append(list, secret(filepath.Join(dir, e.Name())))
	}
	return list
}

func (d *Examination) checkPermissions(context.Context) []Finding {
	const check = "permissions"
	// sshd refuses keys below a folder that others may write.
	entries := []entry{{d.Server.Env.Store.Root, 0o700, 0o022}, secret(d.Server.Env.Store.Own()), secret(d.Server.Env.Store.Own("server.json"))}
	entries = append(append(entries, secrets(d.Server.Env.Store.Own("locks"))...), secrets(d.Server.Env.Store.Own("log"))...)
	if list := d.modes(check, entries...); list != nil {
		return list
	}
	return fine(check, "only %s may read what is below %s", ownName(), d.Server.Env.Store.Own())
}

func (d *Examination) checkModes(app string) []Finding {
	const check = "permissions"
	entries := secrets(d.Server.Env.Store.File(app))
	for _, sub := range []string{"releases", "deploys"} {
		entries = append(entries, secrets(d.Server.Env.Store.File(app, sub))...)
	}
	if list := d.modes(check, append(entries, secret(d.Server.Env.Store.Dir(app)))...); list != nil {
		return list
	}
	return fine(check, "only %s may read them", ownName())
}

// CheckStray looks for what a create or a destroy left that was killed, and for
// repositories that are no app.
func (d *Examination) CheckStray(context.Context) []Finding {
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
				"%s is a repository, but dokku/state.json is missing: it is no app", dir))
		}
	}
	old := append(olderThan(d.Server.Env.Store.Own("trash", "*"), time.Hour), olderThan(filepath.Join(d.Server.Env.Store.Root, store.NewPrefix+"*"), time.Hour)...)
	if old != nil {
		list = append(list, wrong(check, HealthWarning, service("restart", "dokku-agent"), "%s was left by a command that was killed", several(old)).
			fixed("trash", func(context.Context) error {
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

// checkState reads all that is kept of an app.
func (d *Examination) checkState(app string) (*app.App, []Finding) {
	const check = "state"
	bad := func(err error) []Finding {
		mend := "restore it from a backup"
		if strings.Contains(err.Error(), "install the newer dokku") { // it says so itself
			mend = ""
		}
		return []Finding{wrong(check, HealthProblem, mend, "%s", err)}
	}
	a, err := d.Server.Env.Store.Load(app)
	if err != nil {
		return nil, bad(err)
	}
	releases, err := d.Server.Env.Store.Releases(app)
	if err != nil {
		return nil, bad(err)
	}
	return a, fine(check, "can be read, with %s", text.Plural(len(releases), "release"))
}

// checkRepository looks at the hooks, without which a push is accepted and never
// deployed, and for what a killed git has left.
func (d *Examination) checkRepository(app string) []Finding {
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
			fixed("hooks "+app, func(context.Context) error {
				return repo.LinkHooks(d.Server.Env.Store.Disk, d.Server.Env.Store.Dir(app), d.Server.Binary)
			}))
	}
	list = append(list, d.checkDurable(app)...)
	left, err := repo.Leftovers(d.Server.Env.Store.Dir(app))
	if err != nil {
		return append(list, wrong(check, HealthProblem, "", "cannot look for what git has left: %s", err))
	}
	if _, busy, _ := d.Server.Env.Store.Peek(app); len(left) > 0 && !busy && !repo.Pushing(d.Server.Env.Store.Dir(app)) {
		list = append(list, wrong(check, HealthProblem, "dokku doctor "+app+" --fix",
			"%s was left by a git that was killed, and may block pushes", several(left)).
			fixed("sweep "+app, func(context.Context) error { return d.sweep(app) }))
	}
	if list == nil {
		return fine(check, "its hooks run %s", d.Server.Binary)
	}
	return list
}
