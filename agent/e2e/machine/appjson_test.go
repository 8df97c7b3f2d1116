package machine

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// A fresh app is one that was never deployed, with the containers that its pushes start.
type fresh struct {
	m    *machine
	dir  string // the client's repository
	tip  string
	ctx  context.Context // of its pushes
	with deploy.PushOptions
	mu   sync.Mutex
	runs []engine.Spec
	fail string // the command that fails
}

func newFresh(t *testing.T, provisional bool) *fresh {
	t.Helper()
	m := newMachine(t, newHistory(t))
	f := &fresh{m: m, dir: t.TempDir(), tip: deploy.ZeroID, ctx: context.Background()}
	git(t, f.dir, "init", "-q", "-b", "main")
	if err := m.server.Create(t.Context(), "fresh", provisional); err != nil {
		t.Fatal(err)
	}
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.runs = append(f.runs, s)
		b := behaviour(s)
		if strings.Join(s.Command, " ") == f.fail {
			b.Exits, b.Code = true, 3
		}
		return b
	})
	return f
}

// push commits files and pushes them. It returns the push's log, as JSON, and error.
func (f *fresh) push(files map[string]string) (string, error) {
	f.m.t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o644); err != nil {
			f.m.t.Fatal(err)
		}
	}
	git(f.m.t, f.dir, "add", "-A")
	git(f.m.t, f.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m", "x")
	rev := git(f.m.t, f.dir, "rev-parse", "HEAD")
	git(f.m.t, f.m.server.Env.Store.Dir("fresh"), "fetch", "-q", f.dir, "main")
	f.runs = nil
	var out bytes.Buffer
	err := f.m.pushWith(f.ctx, "fresh", f.tip, rev, f.with, event.New(zerolog.SyncWriter(&out)))
	if err == nil {
		f.tip = rev
	}
	return out.String(), err
}

// pushed is push, which must succeed.
func (f *fresh) pushed(files map[string]string) string {
	f.m.t.Helper()
	out, err := f.push(files)
	if err != nil {
		f.m.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

func (f *fresh) app() *app.App {
	f.m.t.Helper()
	a, err := f.m.server.Env.Store.Load("fresh")
	if err != nil {
		f.m.t.Fatal(err)
	}
	return a
}

// commands are the commands that ran in the last push, sorted.
func (f *fresh) commands() string {
	var list []string
	for _, s := range f.runs {
		list = append(list, strings.Join(s.Command, " "))
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ", ") // a process that fails is started again
}

// env returns web's environment in the last push.
func (f *fresh) env(name string) string {
	for _, s := range f.runs {
		for _, pair := range s.Env {
			if v, ok := strings.CutPrefix(pair, name+"="); ok && s.Type == "web" {
				return v
			}
		}
	}
	return ""
}

var freshFiles = map[string]string{"Dockerfile": "FROM scratch\n", "Procfile": "web: serve\nrelease: migrate\n"}

func with(json string) map[string]string {
	files := maps.Clone(freshFiles)
	files["app.json"] = json
	return files
}

// TestEnvOfAppJSON: a push without a required variable is refused before the build and
// changes nothing. The next one gets its defaults and a secret, which later ones keep.
func TestEnvOfAppJSON(t *testing.T) {
	f := newFresh(t, true)
	file := with("{\"env\": {\n\"SECRET_KEY\": {\"generator\": \"secret\"},\n\"MODE\": \"prod\",\n" +
		"\"DATABASE_URL\": {\"required\": true, \"description\": \"Where data lives\"}, \"PORT\": {}, \"TOKEN\": {},\n" +
		"\"FLAGS\": {\"value\": \"a\", \"sync\": true}}}")
	out, err := f.push(file)
	want := "app.json:4: required env var DATABASE_URL has no value (\"Where data lives\")\n" +
		"app.json:4: required env var TOKEN has no value\n" +
		"Set it and push again: dokku config:set fresh DATABASE_URL=... TOKEN=...\n" +
		keptText
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if st := f.app().State; f.runs != nil || strings.Contains(out, "Building") || len(st.Config) > 0 || st.Provisional {
		t.Errorf("ran %v, state %+v, %s", f.runs, st, out)
	}

	f.configure(map[string]string{"DATABASE_URL": "db", "TOKEN": "t"})
	out = f.pushed(nil)
	if !strings.Contains(out, `"message":"Setting 3 env var(s) from app.json: FLAGS MODE SECRET_KEY"`) {
		t.Error(out)
	}
	secret := f.env("SECRET_KEY")
	config := f.app().State.Config
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(secret) || config["SECRET_KEY"] != secret {
		t.Errorf("the secret is %q in web and %q in the config", secret, config["SECRET_KEY"])
	}
	if f.env("MODE") != "prod" || config["MODE"] != "prod" || config["DATABASE_URL"] != "db" || f.env("FLAGS") != "a" || len(config) != 5 {
		t.Errorf("the config is %v", config)
	}

	// Later a variable without sync is left alone, whatever the file says.
	f.configure(map[string]string{"FLAGS": "b", "MODE": ""})
	out = f.pushed(with(`{"env": {"SECRET_KEY": {"generator": "secret"}, "MODE": "test", "NEW": {}, "FLAGS": {"value": "c", "sync": true}}}`))
	if !strings.Contains(out, `"app.json's env counts at the first deploy, so these stay unset: dokku config:set fresh MODE=... NEW=..."`) {
		t.Error(out)
	}
	config = f.app().State.Config
	if f.env("SECRET_KEY") != secret || config["SECRET_KEY"] != secret || config["MODE"] != "" || f.env("FLAGS") != "c" || config["FLAGS"] != "c" {
		t.Errorf("the config is %v", config)
	}
}

// TestEnvOfRejectedPush: the values of a rejected push are gone, the secret too.
func TestEnvOfRejectedPush(t *testing.T) {
	f := newFresh(t, false)
	f.fail = "serve"
	if _, err := f.push(with(`{"env": {"MODE": "prod", "KEY": {"generator": "secret"}}}`)); err == nil {
		t.Fatal("a failing web is accepted")
	}
	rejected := f.env("KEY")
	if config := f.app().State.Config; f.env("MODE") != "prod" || len(config) > 0 {
		t.Errorf("a rejected push leaves %v", config)
	}
	f.fail = ""
	f.pushed(nil)
	if key := f.app().State.Config["KEY"]; key == rejected || key == "" {
		t.Errorf("the secret is %q, and was %q in the rejected push", key, rejected)
	}
}

func (f *fresh) configure(config map[string]string) {
	f.m.t.Helper()
	err := f.m.server.SetConfig(context.Background(), "fresh", config, nil, false, event.Log{})
	if err != nil {
		f.m.t.Fatal(err)
	}
}

// TestFirstScript: scripts.postdeploy runs at the first deploy, before web, and never
// again. scripts.dokku.postdeploy runs at each.
func TestFirstScript(t *testing.T) {
	f := newFresh(t, true)
	file := with(`{"scripts": {"postdeploy": "init-db --reset", "dokku": {"postdeploy": "tell"}}}`)
	f.fail = "serve"
	if _, err := f.push(file); err == nil || strings.Contains(err.Error(), "is kept") { // it stays for good
		t.Fatalf("a failing web: %v", err)
	}
	if got := f.commands(); got != "init-db --reset, migrate, serve" {
		t.Errorf("ran %s", got)
	}
	if st := f.app().State; !st.FirstScriptRan || st.Current != 0 {
		t.Errorf("state %+v", st)
	}
	// A rebuild fails the same way, and keeps the record.
	git(t, f.m.server.Env.Store.Dir("fresh"), "update-ref", "refs/heads/main", git(t, f.dir, "rev-parse", "HEAD"))
	f.runs = nil
	if err := f.m.server.Rebuild(t.Context(), "fresh", event.Log{}); err == nil || f.commands() != "migrate, serve" {
		t.Errorf("a rebuild ran %s, %v", f.commands(), err)
	}
	if st := f.app().State; !st.FirstScriptRan {
		t.Errorf("state %+v", st)
	}
	f.fail, f.tip = "", git(t, f.dir, "rev-parse", "HEAD")
	f.pushed(nil)
	if got := f.commands(); got != "migrate, serve, tell" {
		t.Errorf("the second push ran %s", got)
	}
	f.pushed(nil)
	if got := f.commands(); got != "migrate, serve, tell" {
		t.Errorf("the third push ran %s", got)
	}
}

// TestFirstScriptOrder: the record is on the disk before the script runs.
func TestFirstScriptOrder(t *testing.T) {
	f := newFresh(t, false)
	f.m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		if len(s.Command) > 0 && s.Command[0] == "init" {
			if !f.app().State.FirstScriptRan {
				t.Error("the script runs before the record is written")
			}
			return memory.Behaviour{Exits: true, Code: 4}
		}
		return behaviour(s)
	})
	out, err := f.push(with(`{"scripts": {"postdeploy": "init"}}`))
	if err == nil || !strings.Contains(err.Error(), "the postdeploy command failed with exit code 4: init\n"+
		"scripts.postdeploy runs once, so the next push does not run it again; after that push: dokku run fresh init") {
		t.Errorf("%v\n%s", err, out)
	}
	f.pushed(nil)
}

// TestFirstScriptOfOldApp: an app that was deployed before there was such a record counts
// as done, after a restore too.
func TestFirstScriptOfOldApp(t *testing.T) {
	f := newFresh(t, false)
	f.pushed(freshFiles)
	f.pushed(with(`{"scripts": {"postdeploy": "init-db --reset"}}`))
	if got := f.commands(); got != "migrate, serve" {
		t.Errorf("ran %s", got)
	}
	if err := f.m.server.Rebuild(t.Context(), "fresh", event.Log{}); err != nil {
		t.Fatal(err)
	}
	if got := f.commands(); strings.Contains(got, "init-db") {
		t.Errorf("a rebuild ran %s", got)
	}
}
