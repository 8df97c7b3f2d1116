package machine

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// files returns every file below the app's dokku folder by name, with its content.
func (m *machine) files() map[string]string {
	m.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(m.server.Env.Store.File("shop"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".log") || filepath.Base(path) == "manifest" {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}

// TestRejectedPush tries each cause of a rejection. The push must fail and leave
// settings, releases, containers, images and the route as they were (I4, I8).
func TestRejectedPush(t *testing.T) {
	h := newHistory(t)
	isNew := func(s engine.Spec) bool { return s.Release > 1 }
	for _, test := range []struct {
		name   string
		behave func(engine.Spec) memory.Behaviour
		want   []string
	}{
		{"the release command fails", func(s engine.Spec) memory.Behaviour {
			return memory.Behaviour{Exits: s.Kind == engine.KindRelease, Code: 3}
		}, []string{"the release command failed with exit code 3"}},
		{"a worker ends at once", func(s engine.Spec) memory.Behaviour {
			return memory.Behaviour{Exits: s.Kind == engine.KindRelease || isNew(s) && s.Type == "worker"}
		}, []string{"worker.1 exited with code 0", " !     The release command had run by then"}},
		{"web runs out of memory", func(s engine.Spec) memory.Behaviour {
			if isNew(s) && s.Type == "web" {
				return memory.Behaviour{Exits: true, Code: 137, OOMKilled: true}
			}
			return memory.Behaviour{Exits: s.Kind == engine.KindRelease}
		}, []string{"ran out of memory", " !     The release command had run by then"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t, h)
			files := m.files()
			before, _ := m.engine.Observe(context.Background(), "shop")
			published := len(m.proxy.Published())
			m.engine.Behave(test.behave)
			var printed strings.Builder
			term := event.NewTerminal(&printed, &printed, false)
			err := m.pushLogged(h.one, h.two, event.New(term))
			term.Close()
			if err == nil {
				t.Fatal("the push was accepted")
			}
			all := printed.String() + err.Error()
			for _, want := range test.want {
				if !strings.Contains(all, want) {
					t.Errorf("it prints\n%s\nwant %q", all, want)
				}
			}
			after, _ := m.engine.Observe(context.Background(), "shop")
			same := slices.EqualFunc(before.Instances, after.Instances, func(a, b engine.Instance) bool { return a.ID == b.ID })
			if !same || len(before.Images) != len(after.Images) {
				t.Errorf("before: %v\nafter: %v", before, after)
			}
			if len(m.proxy.Published()) != published {
				t.Error("the route was changed")
			}
			for path, content := range m.files() {
				if files[path] != content {
					t.Errorf("%s has changed:\n%s", path, content)
				}
			}
			if err := m.atRest(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDeployRef chooses the ref that deploys.
func TestDeployRef(t *testing.T) {
	const a, b = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	for _, test := range []struct {
		branch string
		refs   []deploy.Ref
		want   string // ref, adopted branch
		prints string
		err    string
	}{
		{"", []deploy.Ref{{Old: deploy.ZeroID, New: a, Name: "refs/heads/main"}}, "refs/heads/main main", "-----> Set main as deploy-branch\n", ""},
		{"", []deploy.Ref{{Old: deploy.ZeroID, New: a, Name: "refs/heads/master"}, {Old: deploy.ZeroID, New: b, Name: "refs/heads/main"}}, "refs/heads/main main",
			"-----> Set main as deploy-branch\n", ""},
		{"", []deploy.Ref{{Old: deploy.ZeroID, New: a, Name: "refs/heads/master"}}, "refs/heads/master master", "-----> Set master as deploy-branch\n", ""},
		{"live", []deploy.Ref{{Old: a, New: b, Name: "refs/heads/main"}, {Old: a, New: b, Name: "refs/heads/live"}}, "refs/heads/live ", "", ""},
		{"main", []deploy.Ref{{Old: deploy.ZeroID, New: a, Name: "refs/heads/feature"}}, " ", " !     WARNING: deploy did not complete, you must push to main.\n" +
			"-----> for example, try 'git push <dokku> feature:main'\n", ""},
		{"main", []deploy.Ref{{Old: a, New: deploy.ZeroID, Name: "refs/heads/feature"}}, " ", "", ""},
		{"main", []deploy.Ref{{Old: a, New: deploy.ZeroID, Name: "refs/heads/main"}}, "", "", "apps:destroy shop"},
	} {
		var printed strings.Builder
		term := event.NewTerminal(&printed, &printed, false)
		x := &deploy.Session{App: &app.App{Name: "shop", State: app.State{DeployBranch: test.branch}}, Log: event.New(term)}
		ref, adopt, err := x.DeployRef(test.refs)
		term.Close()
		got := " " + adopt
		if ref != nil {
			got = ref.Name + got
		}
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v: error %v, want %q", test.refs, err, test.err)
			}
			continue
		}
		if err != nil || got != test.want || printed.String() != test.prints {
			t.Errorf("%v: got %q, %v and\n%swant %q and\n%s", test.refs, got, err, printed.String(), test.want, test.prints)
		}
	}
}

// TestDeniedForcePush: a push that git would refuse after the build is refused before it.
func TestDeniedForcePush(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	if err := m.push(h.one, h.two); err != nil {
		t.Fatal(err)
	}
	git(t, m.server.Env.Store.Dir("shop"), "config", "receive.denyNonFastForwards", "true")
	m.settle()
	m.count = 0
	err := m.push(h.two, h.one)
	if err == nil || !strings.Contains(err.Error(), "receive.denyNonFastForwards") || m.count != 0 {
		t.Errorf("%d changes, error %v", m.count, err)
	}
	git(t, m.server.Env.Store.Dir("shop"), "config", "receive.denyNonFastForwards", "false")
	if err := m.push(h.two, h.one); err != nil {
		t.Errorf("a force push that is allowed: %v", err)
	}
}

// TestOneOffCommands runs the commands of a revision once each, in order. As in Dokku,
// the message about the deploy comes last.
func TestOneOffCommands(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	for name, deploy := range map[string]func(event.Log) error{
		"a push":     func(log event.Log) error { return m.pushLogged(h.one, h.two, log) },
		"ps:rebuild": func(log event.Log) error { return m.server.Rebuild(t.Context(), "shop", log) },
	} {
		var printed strings.Builder
		term := event.NewTerminal(&printed, &printed, false)
		err := deploy(event.New(term))
		term.Close()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rest := printed.String()
		for _, want := range []string{"Running release command: migrate", "release ran", "Running predeploy command: prepare", "predeploy ran",
			"Starting web.1 web.2 worker.1", "Running postdeploy command: tell", "postdeploy ran", "=====> Application deployed"} {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Fatalf("%s: %q is missing, or not in its place:\n%s", name, want, printed.String())
			}
			rest = after
		}
		m.settle()
		if err := m.atRest(); err != nil {
			t.Error(err)
		}
	}
}
