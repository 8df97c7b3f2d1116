package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/build"
)

// rejected is a push that must fail before anything is built. It returns the error's text.
func (f *fresh) rejected(files map[string]string) string {
	f.m.t.Helper()
	out, err := f.push(files)
	if err == nil || strings.Contains(out, "Building") {
		f.m.t.Fatalf("%v\n%s", err, out)
	}
	return err.Error()
}

// TestWebIsNotLost: a push that takes web away while it serves is refused before its build,
// unless web was set to 0 before.
func TestWebIsNotLost(t *testing.T) {
	f := newFresh(t, false)
	f.pushed(map[string]string{"Dockerfile": "FROM scratch\n", "Procfile": "web: serve\nworker: work\n"})
	for procfile, want := range map[string]string{
		"wbe: serve\n":            `Procfile:1: "wbe: serve": it has no web any more`,
		"worker: x\nWeb: serve\n": `Procfile:2: "Web: serve": it has no web any more`,
		"worker: work\n":          "Procfile: it has no web any more",
	} {
		if got := f.rejected(map[string]string{"Procfile": procfile}); !strings.Contains(got, want) || !strings.Contains(got, "dokku ps:scale fresh web=0") {
			t.Errorf("%q: %s", procfile, got)
		}
	}
	got := f.rejected(map[string]string{"Procfile": "web: serve\nworker: work\n", "DOKKU_SCALE": "worker=1\n"})
	if !strings.Contains(got, "DOKKU_SCALE: it leaves out web") {
		t.Error(got)
	}
	f.pushed(map[string]string{"DOKKU_SCALE": "web=0\nworker=1\n"})
	if got := f.commands(); got != "work" {
		t.Errorf("it starts %s", got)
	}
	f.pushed(map[string]string{"Procfile": "worker: work\n", "DOKKU_SCALE": "worker=1\n"}) // nothing is lost any more
}

// TestOldContainersAreAnnounced: a push says that old containers shut down later while they
// finish requests. Workers stop at once.
func TestOldContainersAreAnnounced(t *testing.T) {
	f := newFresh(t, false)
	check(t, f.m.server.Env.Store.UpdateSettings(f.ctx, func(s *app.Settings) error { s.Checks["wait-to-retire"] = "60"; return nil }))
	const said = "Shutting down old containers in 60 seconds"
	f.pushed(map[string]string{"Dockerfile": "FROM scratch\n", "Procfile": "worker: work\n"})
	if out := f.pushed(nil); strings.Contains(out, said) {
		t.Errorf("workers alone:\n%s", out)
	}
	f.pushed(map[string]string{"Procfile": "web: serve\nworker: work\n"})
	if out := f.pushed(nil); !strings.Contains(out, said) {
		t.Errorf("with web:\n%s", out)
	}
}

// TestPredeployIsKept: web finds what predeploy wrote. predeploy of the next push begins
// with its own image.
func TestPredeployIsKept(t *testing.T) {
	f := newFresh(t, false)
	f.m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		b := behaviour(s)
		b.Reads = []string{"/built"}
		if s.Type == "predeploy" {
			b.Writes, b.Reads = []string{"/built"}, nil
		}
		return b
	})
	log := func() string {
		var out strings.Builder
		check(t, f.m.engine.Logs(t.Context(), "fresh.web.1", engine.LogOptions{}, &out))
		return out.String()
	}
	f.pushed(with(`{"scripts": {"dokku": {"predeploy": "make"}}}`))
	if got := log(); !strings.HasPrefix(got, "read written from /built\n") {
		t.Errorf("web prints %q", got)
	}
	check(t, f.m.server.Restart(t.Context(), "fresh", event.Log{}))
	if got := log(); !strings.HasPrefix(got, "read written from /built\n") {
		t.Errorf("after ps:restart web prints %q", got)
	}
	f.pushed(with(`{}`))
	if got := log(); !strings.HasPrefix(got, "cannot read /built\n") {
		t.Errorf("without predeploy web prints %q", got)
	}
}

// TestImageHealthcheckRejects: the gate runs the image's HEALTHCHECK, and checks:set leaves
// it out.
func TestImageHealthcheckRejects(t *testing.T) {
	f := newFresh(t, false)
	var mend bool
	f.m.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) {
		result, err := f.m.build(ctx, r)
		f.m.engine.SetImage(r.App, engine.ImageInfo{ID: result.ImageID, Ports: []int{8080},
			Healthcheck: &engine.Healthcheck{Command: []string{"check", "all"}, Interval: time.Millisecond, Timeout: time.Second, Retries: 2}})
		return result, err
	}
	f.m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		b := behaviour(s)
		b.Exec = func(argv []string) (string, int) {
			if strings.Join(argv, " ") != "check all" {
				return "not the command of the image", 2
			}
			return "the cache is cold", map[bool]int{false: 1}[mend]
		}
		return b
	})
	out, err := f.push(freshFiles)
	if err == nil || !strings.Contains(out, "the cache is cold") {
		t.Errorf("%v\n%s", err, out)
	}
	f.setChecks("image-healthcheck", "false")
	f.pushed(nil)
	f.setChecks("image-healthcheck", "")
	mend = true
	f.pushed(nil)
}

// setChecks is checks:set.
func (f *fresh) setChecks(name, value string) {
	f.m.t.Helper()
	check(f.m.t, f.m.server.Update(context.Background(), "fresh", deploy.Op{Name: "checks:set"}, event.Log{}, func(st *app.State) error {
		st.Checks = map[string]string{name: value, "listen-timeout": "0.1"}
		return nil
	}))
}

// TestSilentWebOfAnApp: require-listening is the app's own setting. Without it a web process
// that does not listen is accepted, with a warning.
func TestSilentWebOfAnApp(t *testing.T) {
	f := newFresh(t, false)
	f.setChecks("require-listening", "")
	f.m.server.Env.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	f.m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		b := behaviour(s)
		b.Ports = []int{3000}
		return b
	})
	const silent = "does not accept connections on port 8080"
	for _, deploys := range []func() (string, error){
		func() (string, error) { return f.push(freshFiles) },
		func() (string, error) { return f.push(nil) },
	} {
		if out, err := deploys(); err == nil || !strings.Contains(out, silent) || strings.Contains(out, "All checks successful!") {
			t.Errorf("%v\n%s", err, out)
		}
	}
	f.setChecks("require-listening", "false")
	if out := f.pushed(nil); !strings.Contains(out, silent) || strings.Contains(out, "All checks successful!") {
		t.Error(out)
	}
	check(t, f.m.server.Restart(t.Context(), "fresh", event.Log{}))
	f.setChecks("require-listening", "true")
	if err := f.m.server.Restart(t.Context(), "fresh", event.Log{}); err == nil {
		t.Error("ps:restart accepts a web process that does not listen")
	}
}

// hostShell runs a command of an app on this host, with the shells that this has.
func hostShell(ctx context.Context, argv []string, s engine.Streams) int {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Stdin, s.Stdout, s.Stderr
	var ended *exec.ExitError
	switch err := cmd.Run(); {
	case errors.As(err, &ended):
		return ended.ExitCode()
	case err != nil:
		return 127
	}
	return 0
}

// TestEveryPartCounts: release, predeploy and postdeploy fail when a part of them does.
func TestEveryPartCounts(t *testing.T) {
	f := newFresh(t, false)
	f.m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		switch s.Type {
		case "release", "postdeploy":
			return memory.Behaviour{Exits: true, Code: hostShell(context.Background(), s.Command, engine.Streams{Stdout: io.Discard})}
		case "predeploy":
			return memory.Behaviour{Talk: func(ctx context.Context, _ []string, st engine.Streams) int {
				return hostShell(ctx, slices.Concat(s.Entrypoint, s.Command), st)
			}}
		}
		return memory.Behaviour{}
	})
	for command, code := range map[string]int{"false; true": 1, "false | true": 1, `sh -c "exit 3"; echo done`: 3, "true; true": 0, "false || true": 0} {
		for _, label := range []string{"release", "predeploy", "postdeploy"} {
			files := map[string]string{"Dockerfile": "FROM scratch\n", "Procfile": "web: serve\n", "app.json": "{}"}
			if label == "release" {
				files["Procfile"] += "release: " + command + "\n"
			} else {
				files["app.json"] = fmt.Sprintf(`{"scripts": {"dokku": {%q: %q}}}`, label, command)
			}
			out, err := f.push(files)
			text := strings.ReplaceAll(fmt.Sprint(out, err), `\"`, `"`)
			failed := strings.Contains(text, fmt.Sprintf("the %s command failed with exit code %d: %s", label, code, command))
			rejected := err != nil
			if failed != (code != 0) || rejected != (code != 0 && label != "postdeploy") {
				t.Errorf("%s: %s: %v\n%s", label, command, err, out)
			}
		}
	}
}

// TestStopsGoTogether: ps:stop, ps:restart and apps:destroy stop all processes at the same
// time.
func TestStopsGoTogether(t *testing.T) {
	m := newMachine(t, newHistory(t))
	synctest.Test(t, func(t *testing.T) {
		none := event.Log{}
		m.engine.Behave(func(s engine.Spec) memory.Behaviour { return memory.Behaviour{IgnoreStop: true} })
		check(t, m.server.Restart(t.Context(), "shop", none)) // these end at once
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"ps:restart", func() error { return m.server.Restart(t.Context(), "shop", none) }},
			{"ps:stop", func() error { return m.server.Stop(t.Context(), "shop", none) }},
			{"ps:start", func() error { return m.server.Start(t.Context(), "shop", none) }},
			{"apps:destroy", func() error { return m.server.Destroy(t.Context(), "shop", none) }},
		} {
			began := time.Now()
			check(t, step.do())
			want := 30 * time.Second // the stop timeout, once
			if step.name == "ps:start" {
				want = 0
			}
			if took := time.Since(began).Round(time.Second); took != want {
				t.Errorf("%s takes %s, want %s", step.name, took, want)
			}
		}
	})
}
