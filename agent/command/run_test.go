package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"dokku/agent/engine"
)

// wrongRunLines belong to wrongLines.
const wrongRunLines = `
run                                => Please specify an app to run the command on
run ""                             => Please specify an app to run the command on
run hello                          => Missing COMMAND
run -e A=1 hello                   => Missing COMMAND
run hello ""                       => No command specified: the first word after the app is empty
run hello "  " x                   => No command specified: the first word after the app is empty
run hello "a\x00b"                 => Invalid argument "ab": it has a NUL byte, which a command line cannot hold
run hello ls "\xff"                => Invalid argument
run nosuch ls                      => 20 App nosuch does not exist
run ../hello ls                    => App name "../hello" is not valid
run fresh ls                       => App fresh has not been deployed
run fresh --help                   => App fresh has not been deployed
run --rm hello ls                  => Invalid flag --rm for run, valid flags: --app, --env, --force, --force-tty, --no-tty
run -e hello                       => Please specify an app to run the command on
run -e A hello ls                  => Invalid env pair: A
run -e A-B=1 hello ls              => Invalid key name: 'A-B'
run -e =1 hello ls                 => Invalid key name: ''
run -e "A=\x00" hello ls           => Invalid value for key 'A': it has a NUL byte
run --env "A\nB=1" hello ls        => Invalid key name: 'A B'
run --ttl-seconds x hello ls       => --ttl-seconds must be a positive integer
run --ttl-seconds 0 hello ls       => --ttl-seconds must be a positive integer
run --ttl-seconds=-1 hello ls      => --ttl-seconds must be a positive integer
run --ttl-seconds 99999999999 hello ls => --ttl-seconds must be a positive integer
run --no-tty --force-tty hello ls  => Cannot specify both --force-tty and --no-tty
run:detached fresh ls              => App fresh has not been deployed
run:detached hello                 => Missing COMMAND
run:detached --ttl-seconds 1.5 hello ls => --ttl-seconds must be a positive integer
run:list                           => Please specify an app to run the command on
run:list nosuch                    => 20 App nosuch does not exist
run:list hello x                   => Unexpected argument "x"
run:list hello --format xml        => Invalid format "xml", valid values: stdout, json
run:logs                           => No container or app specified
run:logs hello -n x                => Invalid value "x" for --num: it is how many lines to show
run:logs hello --container ""      => Invalid container name specified:
run:logs hello --container x       => Invalid container name specified: x
run:logs hello --container hello.run.x => Invalid container name specified: hello.run.x
run:logs hello --container hello.web.1 => Specified container must be a run container: hello.web.1
run:logs hello --container fresh.run.1 => Specified container fresh.run.1 is not one of app hello
run:logs --container nosuch.run.1  => 20 App nosuch does not exist
run:logs --container ../x.run.1    => App name "../x" is not valid
run:stop                           => No container or app specified
run:stop hello --container "\x1b[2J" => Invalid container name specified:
run:stop hello --container .run.1  => Invalid container name specified: .run.1
run:nosuch hello                   => ${"\x60run:nosuch\x60 is not a dokku command."}
enter                              => Please specify an app to run the command on
enter nosuch                       => 20 App nosuch does not exist
enter fresh                        => App fresh has not been deployed
enter fresh web ls                 => App fresh has not been deployed
enter hello --container-id         => No container id specified.
enter hello --container-id= ls     => No container id specified.
enter --container-id "" hello      => No container id specified.
enter hello --nosuch               => Invalid flag --nosuch for enter, valid flags: --container-id
enter hello web ""                 => No command specified: the first word after the app is empty
enter hello web "a\x00"            => Invalid argument
`

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
		c := &Call{Ctx: ctx, Runner: &Runner{Env: Env{Console: console}}}
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
		console Console
		tty     bool
	}{{console, false}, {nil, true}, {nil, false}} {
		c := &Call{Ctx: t.Context(), Runner: &Runner{Env: Env{Console: test.console}}}
		st, release := streams(c, test.tty)
		release()
		if st.Sizes != nil || st.Started != nil || st.TTY != test.tty || console.raw != 0 {
			t.Errorf("%+v: %+v", test, st)
		}
		if env := terminalEnv(c, test.tty); env != nil {
			t.Errorf("%+v: environment %q", test, env)
		}
	}
	if NewConsole(os.Stdin, devNull(t), "xterm") != nil {
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

// TestFlagsOfTheCommand: what follows the app is not looked at. There is no engine
// here, which is as far as a right command line gets.
func TestFlagsOfTheCommand(t *testing.T) {
	f := newFixture(t)
	before := f.snapshot()
	for _, line := range []string{
		"run hello ls -la", "run hello ls --no-tty --force-tty", "run hello --help", "run hello ls -- -e A", "run hello -e A",
		"--app hello run ls --env x", "run --no-tty -e A=1 --env=B=2 -e=C=,x --ttl-seconds 5 hello ls --ttl-seconds x",
		"run stopped ls", "run:detached --force-tty hello web -x", "run:list hello", "run:logs --container hello.run.1",
		"run:stop hello", "enter hello web ls -la", "enter hello worker.2 --container-id", "enter hello --container-id abc ls -x",
		"enter --container-id abc hello ls -x",
	} {
		got := f.run(strings.Fields(line)...)
		if got.code != 1 || !strings.Contains(got.stderr, "cannot reach the Docker Engine") || got.stdout != "" {
			t.Errorf("dokku %s: %+v", line, got)
		}
	}
	if after := f.snapshot(); after != before {
		t.Errorf("the state has changed:\n%s\nbefore:\n%s", after, before)
	}
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
		if code := Report(t.Context(), &errs, test.err); code != test.code || errs.String() != test.text {
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
