package move

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jdx/go-netrc"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/keys"
	"dokku/agent/sources"
	"dokku/agent/store"
	"dokku/build/registry"
)

// A Task is a cron task.
type Task struct{ ID, Command, Schedule string }

// own reads what people have put beside an app: nginx directives, a page for maintenance,
// cron tasks that are suspended.
func (s *Server) own(ctx context.Context, a *App) error {
	list, err := output(ctx, s.Host, "ls", "--", path.Join(a.Dir, "nginx.conf.d"))
	var failed *Failed
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	a.OwnNginx = map[string]string{}
	for _, name := range lines(list) {
		if !strings.HasSuffix(name, ".conf") || slices.Contains(written, name) {
			continue
		}
		if a.OwnNginx[name], err = s.file(ctx, path.Join(a.Dir, "nginx.conf.d", name)); err != nil {
			return err
		}
	}
	if s.Plugins["acl"] {
		list, err := output(ctx, s.Host, "ls", "--", path.Join(a.Dir, "acl"))
		if err != nil && !errors.As(err, &failed) {
			return err
		}
		a.Allowed = lines(list)
	}
	if s.Plugins["maintenance"] {
		// The command is younger than the folder.
		a.Page, err = s.dokku(ctx, "maintenance:custom-page-export", a.Name)
		if errors.As(err, &failed) {
			a.Page, err = output(ctx, s.Host, "tar", "-C", path.Join(a.Dir, "maintenance"), "-cf", "-", ".")
		}
		if errors.As(err, &failed) {
			a.Page, err = "", nil
		}
		if err != nil {
			return err
		}
	}
	return s.suspended(ctx, a)
}

func (s *Server) suspended(ctx context.Context, a *App) error {
	text, err := s.dokku(ctx, "cron:list", a.Name, "--format", "json")
	var failed *Failed
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	var tasks []struct {
		Task
		Suspended bool `json:"task-in-maintenance"`
	}
	if json.Unmarshal([]byte(text), &tasks) != nil {
		return nil // no tasks, or a version without suspended ones
	}
	for _, t := range tasks {
		if t.Suspended {
			a.Suspended = append(a.Suspended, t.Task)
		}
	}
	return nil
}

// credentials reads the passwords of git servers and registries.
func (s *Server) credentials(ctx context.Context, root string) error {
	text, err := s.file(ctx, path.Join(root, ".netrc"))
	if err != nil {
		return err
	}
	if s.netrc, err = netrc.ParseString(text); err != nil {
		return fmt.Errorf("cannot read %s of %s: %w", path.Join(root, ".netrc"), s.Host, err)
	}
	s.docker, err = s.file(ctx, path.Join(root, ".docker", registry.ConfigFile))
	return err
}

// registryDir is where Dokku keeps the apps' own logins to registries.
const registryDir = "/var/lib/dokku/config/registry"

// registry reads the app's own passwords of registries.
func (s *Server) registry(ctx context.Context, a *App) (err error) {
	dir := path.Join(registryDir, a.Name)
	if a.state.Version != 0 {
		dir = path.Join(a.Dir, "dokku", store.RegistryDir)
	}
	a.Docker, err = s.file(ctx, path.Join(dir, registry.ConfigFile))
	return err
}

// logins logs in to the registries for which nothing is stored here, where the old server has
// the password in its file. A login that is here stays.
func (p *planning) logins(config string, here []string) {
	servers, err := registry.Servers([]byte(config))
	if err != nil {
		p.note("the logins to registries are not taken: cannot read %s: %s", registry.ConfigFile, err)
	}
	target := cmp.Or(p.app, "--global")
	for _, server := range servers {
		l, err := registry.Stored([]byte(config), server)
		switch {
		case slices.Contains(here, server):
		case err != nil || l.User == "" || l.Secret == "":
			p.note("the login to %s is not taken, since its password is not in %s there; to log in here: dokku registry:login %s %[1]s USER PASSWORD", event.OneLine(server), registry.ConfigFile, target)
		default:
			words := []string{"registry:login", "--password-stdin", "--", p.app, server, l.User}
			if p.app == "" {
				words = []string{"registry:login", "--password-stdin", "--global", "--", server, l.User}
			}
			p.steps = append(p.steps, Step{Words: words, Stdin: l.Secret + "\n", Shown: fmt.Sprintf("registry:login --password-stdin %s %s %s < password", target, quoted(server), quoted(l.User))})
		}
	}
}

// auth stores the passwords of git servers that are not those here.
func (m *Mover) auth(p *planning) error {
	if m.From.netrc == nil {
		return nil
	}
	for _, host := range m.From.netrc.Machines() {
		user, password := host.Get("login"), host.Get("password")
		same, err := sources.HasAuth(m.Here.Env.Store, host.Name, user, password)
		if err != nil {
			p.note("the password of %s is not taken: %s", event.OneLine(host.Name), err)
			continue
		}
		if !same && user != "" {
			p.steps = append(p.steps, Step{Words: []string{"git:auth", "--", host.Name, user}, Stdin: password + "\n", Shown: fmt.Sprintf("git:auth %s %s < password", quoted(host.Name), quoted(user))})
		}
	}
	return nil
}

// allow gives the app to the keys that the plugin acl lists. Keys come as admins', so the
// list alone limits nobody.
func (p *planning) allow(a *App) {
	planned := len(p.steps)
	for _, name := range a.Allowed {
		switch {
		case !keys.ValidName(name):
			p.note("%s of its list of the plugin acl is not taken: no key may have this name", event.OneLine(name))
		case !slices.Contains(p.have.Allowed, name):
			p.do("acl:add", p.app, name)
		}
	}
	if len(p.steps) > planned {
		p.note("the plugin acl limits keys there; here they come as admins', who may use every app: dokku ssh-keys:set NAME --role operator")
	}
}

// page imports the app's page for maintenance.
func (p *planning) page(a *App) {
	if files := untar(a.Page); len(files) == 0 || store.PageID(files) == p.have.Reports["maintenance"]["custom-page-sha256"] {
		return
	}
	p.steps = append(p.steps, Step{Words: []string{"maintenance:custom-page", "--", p.app}, Stdin: a.Page, Shown: "maintenance:custom-page " + p.app + " < page.tar"})
}

// untar returns the files of a tar by their path.
func untar(text string) map[string][]byte {
	files := map[string][]byte{}
	for t := tar.NewReader(strings.NewReader(text)); ; {
		h, err := t.Next()
		if err != nil {
			return files
		}
		if h.Typeflag == tar.TypeReg {
			files[path.Clean(h.Name)], _ = io.ReadAll(t) // what is missing is noticed when it is imported
		}
	}
}

// suspend suspends the cron tasks that are suspended there, before the app is deployed: none
// of them may run once.
func (m *Mover) suspend(ctx context.Context, a *App, log event.Log) (done int, err error) {
	var here []string
	if l, err := m.Here.Load(a.Name); err == nil {
		here = l.State.CronSuspended
	}
	for _, t := range a.Suspended {
		key := app.CronKey(t.Command, t.Schedule)
		if slices.Contains(here, key) {
			continue
		}
		log.Detail("dokku cron:suspend %s %s", a.Name, event.OneLine(t.ID))
		if done++; m.Plan {
			continue
		}
		err := m.Here.Update(ctx, a.Name, deploy.Op{Name: "cron:suspend"}, event.Log{}, func(st *app.State) error {
			st.Suspend(key, true)
			return nil
		})
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// nginx brings the app's own files for nginx, each of which nginx accepts beside those that
// are here. A file that is here stays. left says why others do not come.
func (m *Mover) nginx(ctx context.Context, a *App, log event.Log) (done int, left []string, err error) {
	dir := filepath.Join(m.Here.Env.Store.Dir(a.Name), "nginx.conf.d")
	for _, name := range slices.Sorted(maps.Keys(a.OwnNginx)) {
		have, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			if string(have) != a.OwnNginx[name] {
				left = append(left, fmt.Sprintf("nginx.conf.d/%s is another file here, and stays", event.OneLine(name)))
			}
			continue
		}
		if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
			continue
		}
		if !m.Plan {
			if err := m.tryNginx(ctx, a, dir, name); err != nil {
				left = append(left, fmt.Sprintf("nginx.conf.d/%s is left out, since nginx refuses it here: %s", event.OneLine(name), event.OneLine(err.Error())))
				continue
			}
		}
		log.Detail("copy %s", path.Join(a.Dir, "nginx.conf.d", event.OneLine(name)))
		if done++; m.Plan {
			continue
		}
		if err := m.Here.Env.Store.Disk.MkdirAll(dir, 0o755); err != nil {
			return done, left, err
		}
		if err := m.Here.Env.Store.Disk.Replace(filepath.Join(dir, name), []byte(a.OwnNginx[name]), 0o644); err != nil {
			return done, left, err
		}
	}
	if done > 0 && !m.Plan {
		err = m.Here.PublishRoute(ctx, a.Name, event.Log{})
	}
	return done, left, err
}

// tryNginx tests a file with those that are here.
func (m *Mover) tryNginx(ctx context.Context, a *App, dir, name string) error {
	here, err := m.Here.Load(a.Name)
	if err != nil {
		return err
	}
	set, err := m.Here.Env.Store.Settings()
	if err != nil {
		return err
	}
	staged, done, err := m.Here.Env.Store.Staging("import-")
	if err != nil {
		return err
	}
	defer done()
	files, _ := filepath.Glob(filepath.Join(dir, "*.conf"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(staged, filepath.Base(file)), data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(staged, name), []byte(a.OwnNginx[name]), 0o644); err != nil {
		return err
	}
	return m.Here.Env.StageOwn(ctx, app.View{App: here, Settings: set}, staged)
}

// lock keeps the app from being deployed, as it is there, once the import has deployed it.
func (m *Mover) lock(ctx context.Context, a *App, log event.Log) (done int, failed []Step, err error) {
	here, err := m.Here.Load(a.Name)
	none := new(app.NoAppError)
	switch {
	case a.Reports["apps"]["locked"] != "true", err == nil && here.State.Locked:
		return 0, nil, nil
	case err == nil && !m.Plan && a.Tip != "" && here.Current == nil:
		return 0, nil, nil // another import deploys it
	case err != nil && !errors.As(err, &none):
		return 0, nil, err
	}
	return m.steps(ctx, Plan{Steps: []Step{{Words: []string{"apps:lock", "--", a.Name}}}}, log)
}

// counts tells of process types that DOKKU_SCALE gives another number than there: this program
// reads that file, and Dokku does so no longer.
func (m *Mover) counts(a *App, log event.Log) error {
	r, err := m.current(a.Name)
	if err != nil || r == nil || a.state.Version != 0 || r.Control.AppJSON.Scales() {
		return err
	}
	for _, c := range r.Control.Scale {
		if there := cmp.Or(a.Scale[c.Type], "0"); there != strconv.Itoa(c.Count) {
			log.Warn("%s: %s=%d is from DOKKU_SCALE in its repository, which Dokku %s does not read: %[2]s=%[5]s there. To have that here, push a version without the file", a.Name, c.Type, c.Count, m.From.Version, there)
		}
	}
	return nil
}
