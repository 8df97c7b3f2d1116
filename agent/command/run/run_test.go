package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
)

// fakeTerminal counts.
type fakeTerminal struct {
	raw, restored int
	sizes         chan engine.Size
}

func (f *fakeTerminal) Raw() (func(), error) {
	f.raw++
	return func() { f.restored++ }, nil
}

func (f *fakeTerminal) Sizes(context.Context) <-chan engine.Size { return f.sizes }

func (f *fakeTerminal) Type() string { return "xterm-256color" }

// TestTerminalIsRestored: whatever ends a command, and once only.
func TestTerminalIsRestored(t *testing.T) {
	for name, test := range map[string]struct {
		started, cancelled, released bool
		raw, restored                int
	}{
		"the command ends":        {started: true, released: true, raw: 1, restored: 1},
		"the client goes":         {started: true, cancelled: true, raw: 1, restored: 1},
		"both":                    {started: true, cancelled: true, released: true, raw: 1, restored: 1},
		"nothing is ever started": {released: true},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		console := &fakeTerminal{sizes: make(chan engine.Size)}
		c := &cli.Call{Ctx: ctx, Runner: &cli.Runner{Env: cli.Env{Console: console}}}
		st, release := streams(c, true)
		if st.Sizes == nil || !st.TTY {
			t.Errorf("%s: streams %+v", name, st)
		}
		if test.started {
			st.Started(engine.Instance{})
		}
		if test.cancelled {
			done := make(chan struct{})
			context.AfterFunc(ctx, func() { close(done) })
			cancel()
			<-done
		}
		if test.released {
			release()
		}
		if test.cancelled && !test.released {
			release() // waits for the one under way
		}
		if console.raw != test.raw || console.restored != test.restored {
			t.Errorf("%s: raw %d times, restored %d times", name, console.raw, console.restored)
		}
		cancel()
		release()
		if st.Started(engine.Instance{}); console.raw != test.raw {
			t.Errorf("%s: raw after the end", name)
		}
	}
}

func TestStreamsWithoutATerminal(t *testing.T) {
	console := &fakeTerminal{}
	for _, test := range []struct {
		console cli.Console
		tty     bool
	}{{console, false}, {nil, true}, {nil, false}} {
		c := &cli.Call{Ctx: t.Context(), Runner: &cli.Runner{Env: cli.Env{Console: test.console}}}
		st, release := streams(c, test.tty)
		release()
		if st.Sizes != nil || st.Started != nil || st.TTY != test.tty || console.raw != 0 {
			t.Errorf("%+v: %+v", test, st)
		}
		if env := terminalEnv(c, test.tty); env != nil {
			t.Errorf("%+v: environment %q", test, env)
		}
	}
	if cli.NewConsole(os.Stdin, devNull(t), "xterm") != nil {
		t.Error("/dev/null is a terminal")
	}
}

func devNull(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
		text string
	}{
		{exited(0), 0, ""},
		{exited(7), 7, ""},
		{coded(errors.New("cannot")), 1, " !     cannot\n"},
		{coded(fmt.Errorf("cannot run x: %w", engine.ErrNoCommand)), 127, " !     cannot run x: does the image have that command?\n"},
	} {
		var errs strings.Builder
		if code := cli.Report(t.Context(), &errs, test.err); code != test.code || errs.String() != test.text {
			t.Errorf("%v: %d %q", test.err, code, errs.String())
		}
	}
}

func TestTTL(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 0, "1": time.Second, oneOffTTL: 24 * time.Hour, "31536000": 365 * 24 * time.Hour} {
		if got, err := parseTTL(value); got != want || err != nil {
			t.Errorf("%q: %s, %v", value, got, err)
		}
	}
	if _, err := parseTTL("31536001"); err == nil {
		t.Error("more than a year is accepted")
	}
}

// TestLogsToTheirEnd: no line is lost when the containers end.
func TestLogsToTheirEnd(t *testing.T) {
	console := &fakeConsole{logs: map[string]string{}, more: map[string]chan string{"a": make(chan string), "b": make(chan string)}}
	list := []engine.Instance{instance("a", "run", 11, engine.StatusRunning), instance("b", "run", 22, engine.StatusRunning)}
	for _, i := range list {
		console.logs[i.ID] = "2026-11-22T10:00:00Z old\n"
		go func() {
			console.more[i.ID] <- "2026-11-22T10:00:0" + fmt.Sprint(i.Index/11) + "Z new\n"
			close(console.more[i.ID])
		}()
	}
	out := &lockedBuffer{}
	l := reader(t, t.Context(), out, console, func() []engine.Instance { return list })
	if err := l.toTheirEnd(list, 100); err != nil {
		t.Fatal(err)
	}
	got := out.take()
	for _, want := range []string{"[run.11]: old\n", "[run.22]: old\n", "Z app[run.11]: new\n", "Z app[run.22]: new\n"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

// TestShells: enter tries the shell of scheduler:set first, the app's before the server's.
func TestShells(t *testing.T) {
	v := app.View{App: &app.App{}}
	for _, test := range []struct{ own, server, want string }{
		{"", "", "/bin/bash /bin/sh"},
		{"", "zsh", "zsh /bin/bash /bin/sh"},
		{"ash", "zsh", "ash /bin/bash /bin/sh"},
	} {
		v.State.Scheduler, v.Settings.Scheduler = map[string]string{app.PropShell: test.own}, map[string]string{app.PropShell: test.server}
		if got := strings.Join(shellsOf(v), " "); got != test.want {
			t.Errorf("app %q, server %q: %s, want %s", test.own, test.server, got, test.want)
		}
	}
}
