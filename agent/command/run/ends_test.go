package run

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// current is an instance of the release that deployed stores.
func current(id, kind string, index int, status engine.Status) engine.Instance {
	i := instance(id, kind, index, status)
	i.Kind, i.Release, i.Attempt = engine.KindDeploy, 1, "a"
	return i
}

// deployed gives the app hello a release with web and worker.
func deployed(t *testing.T, l *logReader, stopped bool) {
	t.Helper()
	r := app.Release{Version: 1, Number: 1, Attempt: "a", Files: map[string]string{"Procfile": "web: a\nworker: b\n"}}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	root := l.Call.Env.Root
	if err := os.WriteFile(filepath.Join(root, "hello", "dokku", "releases", "1.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	setState(t, root, app.State{Version: 1, Current: 1, Scale: map[string]int{"web": 2, "worker": 1}, Stopped: stopped})
	if l.Call.App, err = l.Call.Server.Load("hello"); err != nil {
		t.Fatal(err)
	}
}

func date(sec int) time.Time { return time.Date(2026, 11, 22, 10, 0, sec, 5, time.UTC) }

// TestLogsSayWhyItEnded: the ends stand between the lines of their processes, and count as
// lines. One that the agent has not recorded is shown as the engine knows it.
func TestLogsSayWhyItEnded(t *testing.T) {
	console := &fakeConsole{logs: map[string]string{
		"a": "2026-11-22T10:00:01Z one\n2026-11-22T10:00:03Z two\n2026-11-22T10:00:05Z three\n", "b": "", "c": "2026-11-22T10:00:00Z job\n",
	}}
	over := current("c", "worker", 1, engine.StatusExited)
	over.Finished, over.ExitCode, over.Restarts = date(8), 7, 2
	over.Policy = engine.RestartPolicy{Name: "on-failure", Max: 2}
	all := func() []engine.Instance {
		return []engine.Instance{current("a", "web", 1, engine.StatusRunning), current("b", "web", 2, engine.StatusRunning), over}
	}
	var out bytes.Buffer
	read := func(process string, tail int, stopped bool, ends ...app.End) string {
		t.Helper()
		out.Reset()
		l := reader(t, t.Context(), &out, console, all)
		l.process = process
		deployed(t, l, stopped)
		for _, e := range ends {
			if err := l.Call.Server.Env.Store.NoteEnd("hello", e); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.history(tail); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	ends := []app.End{
		{At: date(4), Container: "a", Process: "web.1", ExitCode: 137, OOMKilled: true, Memory: 256 << 20, Restarted: true, Restarts: 2, Policy: "on-failure:10"},
		{At: date(2), Container: "a", Process: "web.1", ExitCode: 3, Restarted: true, Restarts: 1, Policy: "on-failure:10"},
		{At: date(6), Container: "gone", Process: "web.1", ExitCode: 9, Policy: "no"}, // of an earlier release
	}
	const unrecorded = "2026-11-22T10:00:08.000000005Z app[worker.1]: dokku: exited with 7; restarts used up (2): dokku ps:restart hello starts it again\n"
	const killed = "2026-11-22T10:00:04.000000005Z app[web.1]: dokku: killed: out of memory (limit 256 MB), restarted (2 of 10)\n"
	for _, test := range []struct{ got, want string }{
		{read("", 100, false, ends...), "2026-11-22T10:00:00Z app[worker.1]: job\n" +
			"2026-11-22T10:00:01Z app[web.1]: one\n" +
			"2026-11-22T10:00:02.000000005Z app[web.1]: dokku: exited with 3, restarted (1 of 10)\n" +
			"2026-11-22T10:00:03Z app[web.1]: two\n" + killed +
			"2026-11-22T10:00:05Z app[web.1]: three\n" + unrecorded},
		{read("", 2, false, ends...), "2026-11-22T10:00:00Z app[worker.1]: job\n" + killed + "2026-11-22T10:00:05Z app[web.1]: three\n" + unrecorded},
		{read("web", 2, false, ends...), killed + "2026-11-22T10:00:05Z app[web.1]: three\n"},
		{read("worker", allLines, false), "2026-11-22T10:00:00Z app[worker.1]: job\n" + unrecorded},
		// ps:stop ended it.
		{read("worker", allLines, true), "2026-11-22T10:00:00Z app[worker.1]: job\n"},
		{read("worker", 1, false, app.End{At: date(8).Add(time.Millisecond), Container: "c", Process: "worker.1", ExitCode: 7, Policy: "on-failure:2", Restarts: 2}),
			"2026-11-22T10:00:08.001000005Z app[worker.1]: dokku: exited with 7; restarts used up (2): dokku ps:restart hello starts it again\n"},
	} {
		if test.got != test.want {
			t.Errorf("got\n%s\nwant\n%s", test.got, test.want)
		}
	}
}

// TestLogsWithoutEnds: a file of ends that cannot be read costs only its lines, and a warning.
func TestLogsWithoutEnds(t *testing.T) {
	var out, warnings bytes.Buffer
	console := &fakeConsole{logs: map[string]string{"a": "2026-11-22T10:00:01Z one\n"}}
	l := reader(t, t.Context(), &out, console, func() []engine.Instance {
		return []engine.Instance{current("a", "web", 1, engine.StatusRunning)}
	})
	l.Call.Env.Stderr = &warnings
	deployed(t, l, false)
	path := filepath.Join(l.Call.Env.Root, "hello", "dokku", "ends.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.history(allLines); err != nil || out.String() != "2026-11-22T10:00:01Z app[web.1]: one\n" {
		t.Errorf("%v\n%s", err, out.String())
	}
	if want := " !     The lines about ended processes are missing: cannot read " + path; !strings.Contains(warnings.String(), want) {
		t.Errorf("it warns %q", warnings.String())
	}
}

// TestLogsFollowEnds: -t shows a recorded end once, and one without a record after a while.
func TestLogsFollowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		console := &fakeConsole{logs: map[string]string{"a": "", "b": ""}, more: map[string]chan string{"a": make(chan string), "b": make(chan string)}}
		over := current("b", "web", 2, engine.StatusExited)
		over.Finished, over.ExitCode, over.Policy = time.Now(), 1, engine.RestartPolicy{Name: "no"}
		close(console.more["b"])
		ctx, cancel := context.WithCancel(t.Context())
		out := &lockedBuffer{}
		l := reader(t, ctx, out, console, func() []engine.Instance {
			return []engine.Instance{current("a", "web", 1, engine.StatusRunning), over}
		})
		deployed(t, l, false)
		if err := l.history(100); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- l.follow() }()
		expect := func(after time.Duration, want string) {
			t.Helper()
			<-time.After(after)
			synctest.Wait()
			if got := out.take(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		expect(2*lookInterval, "")
		end := app.End{At: date(4), Container: "a", Process: "web.1", ExitCode: 3, Restarted: true, Restarts: 1, Policy: "on-failure:10"}
		if err := l.Call.Server.Env.Store.NoteEnd("hello", end); err != nil {
			t.Fatal(err)
		}
		expect(2*lookInterval, "2026-11-22T10:00:04.000000005Z app[web.1]: dokku: exited with 3, restarted (1 of 10)\n")
		expect(lateRecord, "2000-01-01T00:00:00Z app[web.2]: dokku: exited with 1; not restarted (restart policy no): dokku ps:restart hello starts it again\n")
		expect(10*lookInterval, "")
		cancel()
		<-done
	})
}
