package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/oneoff"
	"dokku/agent/proc"
	"dokku/agent/watch"
)

// consoles gives the machine's engine commands for one-off containers: "spec" prints
// its own Spec, "fail" exits with 7, "cat" copies, and "stay" keeps running.
func (m *machine) consoles() {
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		if s.Kind != engine.KindRun {
			return memory.Behaviour{Exits: s.Kind == engine.KindRelease}
		}
		return memory.Behaviour{Exits: s.Command[0] == "end", Talk: func(ctx context.Context, argv []string, st engine.Streams) int {
			switch argv[0] {
			case "fail":
				return 7
			case "cat":
				io.Copy(st.Stdout, st.Stdin)
			case "stay":
				<-ctx.Done()
			default:
				fmt.Fprintf(st.Stdout, "%s %q %s %s", s.Image, argv, s.Env, s.Deadline.Format(time.RFC3339))
			}
			return 0
		}}
	})
}

func (m *machine) oneOffs() (names []string) {
	m.t.Helper()
	list, err := oneoff.List(m.t.Context(), m.server, "shop")
	if err != nil {
		m.t.Fatal(err)
	}
	for _, i := range list {
		names = append(names, i.Name)
	}
	return names
}

func (m *machine) attached(ctx context.Context, words ...string) (string, int, error) {
	var out bytes.Buffer
	last, err := oneoff.RunAttached(ctx, m.server, "shop", oneoff.OneOff{Words: words, Env: []string{"GREETING=hi"}},
		engine.Streams{Stdin: strings.NewReader("typed"), Stdout: &out, Stderr: &out}, event.Log{})
	return out.String(), last.ExitCode, err
}

func TestRunAttached(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.consoles()
	ctx := t.Context()
	if err := m.server.SetConfig(ctx, "shop", map[string]string{"COLOUR": "red", "PORT": "1"}, nil, false, event.Log{}); err != nil {
		t.Fatal(err)
	}
	// A deploy holds the lock in the meantime.
	l, ok, err := m.server.Env.Store.TryLock("shop", "a push")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	defer l.Release()
	a, _ := m.server.Env.Store.Load("shop")

	out, code, err := m.attached(ctx, "spec", "-l", "a b")
	if err != nil || code != 0 {
		t.Fatalf("ends with %d, %v", code, err)
	}
	for _, part := range []string{a.Current.Image, `["spec" "-l" "a b"]`, "COLOUR=red", "DYNO=run.", "GIT_REV=" + a.Current.Revision, "GREETING=hi"} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is missing in %s", part, out)
		}
	}
	if strings.Contains(out, "PORT=") || !strings.HasSuffix(out, " 0001-01-01T00:00:00Z") {
		t.Errorf("a port or a deadline in %s", out)
	}
	if out, code, err := m.attached(ctx, "cat"); out != "typed" || code != 0 || err != nil {
		t.Errorf("got %q, %d, %v", out, code, err)
	}
	if _, code, err := m.attached(ctx, "fail"); code != 7 || err != nil {
		t.Errorf("ends with %d, %v", code, err)
	}
	if left := m.oneOffs(); left != nil {
		t.Errorf("%v are left", left)
	}
}

// TestRunProcfile runs the command of a process type, with its arguments.
func TestRunProcfile(t *testing.T) {
	r := &app.Release{Port: 8080, Files: map[string]string{
		app.FileProcfile: "web: serve -p $PORT -x '$HOME'\nconsole: rails console\nboth: cd / && two $A\nrelease: migrate\n"}}
	if err := r.ReadFiles(1); err != nil {
		t.Fatal(err)
	}
	for words, want := range map[string]string{
		"web":          `["serve" "-p" "8080" "-x" "$HOME"]`,
		"console -e x": `["rails" "console" "-e" "x"]`,
		"both":         `["/bin/sh" "-c" "cd / && exec two $A"]`,
		"both three":   `["/bin/sh" "-c" "cd / && exec two $A \"$@\"" "sh" "three"]`,
		"release":      `["migrate"]`,
		"web.1":        `["web.1"]`,
		"ls web $A":    `["ls" "web" "$A"]`,
	} {
		p, err := oneoff.OneOff{Words: strings.Fields(words)}.Program(r, map[string]string{})
		if got := fmt.Sprintf("%q", p.Argv()); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", words, got, err, want)
		}
	}
}

// TestRunAttachedLeaves: an attached container ends with its client.
func TestRunAttachedLeaves(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.consoles()
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, _, err := m.attached(ctx, "stay")
		ended <- err
	}()
	eventually(t, "the command runs", func() bool { return len(m.oneOffs()) == 1 })
	m.settle() // the agent leaves it alone
	if n := len(m.oneOffs()); n != 1 {
		t.Errorf("%d one-off containers after the agent's look", n)
	}
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ends with %v", err)
	}
	if left := m.oneOffs(); left != nil {
		t.Errorf("%v are left", left)
	}
}

func TestRunRefused(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.consoles()
	ctx := t.Context()
	o := oneoff.OneOff{Words: []string{"stay"}}
	if err := m.server.Create(ctx, "empty", false); err != nil {
		t.Fatal(err)
	}
	if _, err := oneoff.RunDetached(ctx, m.server, "empty", o, event.Log{}); err == nil || err.Error() != "App empty has not been deployed" {
		t.Errorf("got %v", err)
	}
	if _, err := oneoff.RunDetached(ctx, m.server, "nosuch", o, event.Log{}); err == nil || err.Error() != "App nosuch does not exist" {
		t.Errorf("got %v", err)
	}
	// The app is destroyed while its container is created.
	m.engine.Fail(func(call string, _ ...any) error {
		if call == "Start" || call == "RunAttached" {
			a, _ := m.server.Env.Store.Load("shop")
			a.State.Destroying = true
			return m.server.Env.Store.SaveState("shop", &a.State)
		}
		return nil
	})
	if _, err := oneoff.RunDetached(ctx, m.server, "shop", o, event.Log{}); err == nil || err.Error() != "App shop is being destroyed; to finish: dokku apps:destroy shop --force" {
		t.Errorf("got %v", err)
	}
	a, _ := m.server.Env.Store.Load("shop")
	a.State.Destroying = false
	if err := m.server.Env.Store.SaveState("shop", &a.State); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.attached(ctx, "stay"); err == nil || err.Error() != "App shop is being destroyed; to finish: dokku apps:destroy shop --force" {
		t.Errorf("got %v", err)
	}
	m.engine.Fail(nil)
	if left := m.oneOffs(); left != nil {
		t.Errorf("%v are left", left)
	}
}

// foreign starts a one-off container of another process.
func (m *machine) foreign(client proc.Owner, words ...string) string {
	m.t.Helper()
	spec, err := oneoff.SpecOf(m.t.Context(), m.server, "shop", oneoff.OneOff{Words: words})
	if err != nil {
		m.t.Fatal(err)
	}
	spec.Client = client.Label()
	ctx, leave := context.WithCancel(m.t.Context())
	_, err = m.engine.RunAttached(ctx, spec, engine.Streams{Stdout: io.Discard, Stderr: io.Discard,
		Started: func(engine.Instance) { leave() }})
	if !errors.Is(err, context.Canceled) {
		m.t.Fatal(err)
	}
	return spec.Name
}

// TestOneOffsOverTime: deploys, ps:stop and scaling leave one-off containers alone; the
// agent removes those whose client or time is gone.
func TestOneOffsOverTime(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	m.consoles()
	ctx := t.Context()
	self, err := proc.This()
	if err != nil {
		t.Fatal(err)
	}
	mine := m.foreign(self, "stay")
	detached, err := oneoff.RunDetached(ctx, m.server, "shop", oneoff.OneOff{Words: []string{"stay"}, TTL: time.Hour}, event.Log{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{mine, detached.Name}
	slices.Sort(want)
	for what, do := range map[string]func() error{
		"a deploy":   func() error { return m.push(h.one, h.two) },
		"ps:restart": func() error { return m.server.Restart(ctx, "shop", event.Log{}) },
		"scaling": func() error {
			return m.server.Scale(ctx, "shop", map[string]int{"web": 1}, false, event.Log{})
		},
		"ps:stop": func() error { return m.server.Stop(ctx, "shop", event.Log{}) },
	} {
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		m.settle()
		if got := m.oneOffs(); !slices.Equal(got, want) {
			t.Errorf("after %s there are %v, want %v", what, got, want)
		}
	}

	m.foreign(proc.Owner{Boot: self.Boot, PID: self.PID, Start: self.Start + 1}, "stay")
	if _, err := oneoff.RunDetached(ctx, m.server, "shop", oneoff.OneOff{Words: []string{"end"}}, event.Log{}); err != nil {
		t.Fatal(err)
	}
	if _, err := oneoff.RunDetached(ctx, m.server, "shop", oneoff.OneOff{Words: []string{"stay"}, TTL: time.Nanosecond}, event.Log{}); err != nil {
		t.Fatal(err)
	}
	if n := len(m.oneOffs()); n != 5 {
		t.Errorf("%d one-off containers, want 5", n)
	}
	m.settle()
	if got := m.oneOffs(); !slices.Equal(got, want) {
		t.Errorf("the agent leaves %v, want %v", got, want)
	}
	m.engine.Exit(detached.ID, 0)
	m.settle()
	if got := m.oneOffs(); !slices.Equal(got, []string{mine}) {
		t.Errorf("the agent leaves %v, want %s", got, mine)
	}
	if err := m.server.Destroy(ctx, "shop", event.Log{}); err != nil {
		t.Fatal(err)
	}
	if got := m.oneOffs(); got != nil {
		t.Errorf("apps:destroy leaves %v", got)
	}
}

// TestAgentWatchesOneOffs: the agent notices a killed client or an expired time to live
// without an event.
func TestAgentWatchesOneOffs(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.consoles()
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error, 1)
	defer func() {
		cancel()
		if err := <-running; err != nil {
			t.Errorf("the agent ends with: %v", err)
		}
	}()
	client := exec.Command("sleep", "1000")
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	owner, err := proc.OwnerOf(client.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	m.foreign(owner, "stay")
	var looked atomic.Int64
	m.engine.Fail(func(call string, _ ...any) error {
		if call == "Observe" {
			looked.Store(time.Now().UnixNano())
		}
		return nil
	})
	go func() { running <- watch.Run(ctx, m.server, event.Log{}) }()
	// At rest the agent does not look at the app at each tick.
	rests := func() bool {
		at := looked.Load()
		return at != 0 && time.Since(time.Unix(0, at)) > 2*watch.Tick+watch.Tick/2
	}
	eventually(t, "the agent rests", rests)
	client.Process.Kill()
	client.Wait()
	eventually(t, "the container of the killed client is gone", func() bool { return m.oneOffs() == nil })

	if _, err := oneoff.RunDetached(ctx, m.server, "shop", oneoff.OneOff{Words: []string{"stay"}, TTL: 5 * time.Second}, event.Log{}); err != nil {
		t.Fatal(err)
	}
	looked.Store(0)
	eventually(t, "the agent rests", rests)
	if n := len(m.oneOffs()); n != 1 {
		t.Errorf("%d one-off containers before the deadline", n)
	}
	eventually(t, "the time to live is over", func() bool { return m.oneOffs() == nil })
}

func TestStopOneOffs(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.consoles()
	for range 2 {
		if _, err := oneoff.RunDetached(t.Context(), m.server, "shop", oneoff.OneOff{Words: []string{"stay"}}, event.Log{}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := oneoff.List(t.Context(), m.server, "shop")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := m.server.Env.Store.Load("shop")
	var calls []string
	m.engine.Fail(func(call string, _ ...any) error { calls = append(calls, call); return nil })
	if err := oneoff.StopAll(t.Context(), m.server, a, list[:1], event.Log{}); err != nil {
		t.Fatal(err)
	}
	m.engine.Fail(nil)
	if fmt.Sprint(calls) != "[Stop Remove]" { // to remove it would kill it
		t.Errorf("the engine is asked for %v", calls)
	}
	if left := m.oneOffs(); !slices.Equal(left, []string{list[1].Name}) {
		t.Errorf("%v are left, want %s", left, list[1].Name)
	}
}

// TestRunIsLogged: the host's log has the user and the command, but no secret.
func TestRunIsLogged(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.consoles()
	path := filepath.Join(t.TempDir(), "dokku.log")
	o := oneoff.OneOff{Words: []string{"KEY=secret", "--password", "secret"}, Env: []string{"TOKEN=secret"}, By: "alice"}
	if _, err := oneoff.RunAttached(t.Context(), m.server, "shop", o, engine.Streams{Stdout: io.Discard, Stderr: io.Discard},
		event.New(event.NewHost(path))); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), ": KEY with 2 arguments, TOKEN set, by alice") || strings.Contains(string(text), "secret") {
		t.Errorf("the log says\n%s", text)
	}
}

func TestOwnerLabel(t *testing.T) {
	o, err := proc.This()
	if err != nil {
		t.Fatal(err)
	}
	if got := proc.ParseOwner(o.Label()); got != o || !got.Alive() {
		t.Errorf("%q is read as %+v, want %+v", o.Label(), got, o)
	}
	for _, label := range []string{"", "boot", o.Boot, o.Boot + "/1", o.Boot + "/x/1", o.Boot + "/1/x", "other/1/1"} {
		if got := proc.ParseOwner(label); got.Alive() {
			t.Errorf("%q is alive: %+v", label, got)
		}
	}
}
