package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dokku/agent/e2e/lab"
)

// TestRun runs one-off commands with their streams and exit codes, on the server and over ssh.
func TestRun(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.WithShell(t, l))
	l.Dokku("config:set", "--no-restart", a.Name, "COLOUR=blue")

	t.Run("streams and exit code", func(t *testing.T) {
		out, errs, code := lab.Split(t, l.Command("run", a.Name, "sh", "-c", "cat; echo oops >&2; exit 7"), "one\ntwo")
		if out != "one\ntwo" || errs != "oops\n" || code != 7 {
			t.Errorf("got %q, %q and %d", out, errs, code)
		}
		line := "run " + a.Name + " sh -c 'cat; echo oops >&2; exit 7'"
		out, errs, code = lab.Split(t, l.SSH(l.Front.Dest, line), strings.Repeat("x", 1<<20))
		if len(out) != 1<<20 || errs != "oops\n" || code != 7 {
			t.Errorf("over ssh got %d bytes, %q and %d", len(out), errs, code)
		}
		a.With(t).NoOneOffs()
	})
	t.Run("environment", func(t *testing.T) {
		a := a.With(t)
		out := a.Lab.Dokku("run", "-e", "GREETING=hello world", "--env", "A=b", a.Name, "env")
		for _, want := range []string{"COLOUR=blue\n", "GREETING=hello world\n", "A=b\n", "GIT_REV=" + a.Tip("main") + "\n", "DYNO=run."} {
			lab.Contains(t, out, want)
		}
		lab.Lacks(t, out, "PORT=")
	})
	t.Run("words are arguments", func(t *testing.T) {
		a := a.With(t)
		got := a.Lab.Dokku("run", a.Name, "printf", "%s|", "-la", "a  b", "$HOME", "*", "--no-tty", "")
		if got != "-la|a  b|$HOME|*|--no-tty||" {
			t.Errorf("arguments arrive as %q", got)
		}
		out := a.Lab.Dokku("run", "--label", "com.example.job=test", a.Name, "console", "-c", "echo of the Procfile")
		if out != "-----> Found 'console' in Procfile, running that command\nof the Procfile\n" {
			t.Errorf("the Procfile's command prints %q", out)
		}
		if got := a.Lab.Dokku("--quiet", "run", a.Name, "console", "-c", "echo of the Procfile"); got != "of the Procfile\n" {
			t.Errorf("with --quiet it prints %q", got)
		}
	})
	t.Run("what cannot run", func(t *testing.T) {
		a := a.With(t)
		out, code := a.Lab.Try("run", a.Name, "/nosuch")
		if lab.Contains(t, out, "does the image have that command?"); code != 127 {
			t.Errorf("a command that does not exist ends with %d", code)
		}
		out, code = a.Lab.Try("enter", a.Name, "web", "/nosuch")
		if lab.Contains(t, out, "does the image have that command?"); code != 127 || strings.Contains(out, "OCI") {
			t.Errorf("a command that does not exist ends with %d:\n%s", code, out)
		}
		a.NoOneOffs()
	})
	t.Run("enter", func(t *testing.T) {
		a := a.With(t)
		out, errs, code := lab.Split(t, l.Command("enter", a.Name), "echo $DYNO; echo oops >&2; exit 4\n")
		if out != "web.1\n" || errs != "oops\n" || code != 4 {
			t.Errorf("got %q, %q and %d", out, errs, code)
		}
		if out := a.Lab.Dokku("enter", a.Name, "web.1", "echo", "-n", "a  b"); out != "a  b" {
			t.Errorf("got %q", out)
		}
		id := a.Instances()["web.1"]
		if out := a.Lab.Dokku("enter", a.Name, "--container-id", id[:11], "echo", "x"); out != "x\n" {
			t.Errorf("got %q", out)
		}
		lab.Contains(t, a.Lab.Refused("enter", a.Name, "worker"), "No containers found for type 'worker'", "Available types for app ("+a.Name+"): web.1")
		lab.Contains(t, a.Lab.Refused("enter", a.Name, "--container-id", "ffffffffffffffff"), "Invalid container id for app", id[:11])
	})
	t.Run("a stopped app", func(t *testing.T) {
		a := a.With(t)
		a.Lab.Dokku("ps:stop", a.Name)
		if out := a.Lab.Dokku("run", a.Name, "echo", "still"); out != "still\n" {
			t.Errorf("got %q", out)
		}
		lab.Contains(t, a.Lab.Refused("enter", a.Name), "App "+a.Name+" is not running", "ps:start")
	})
}

// TestRunOnTerminal: a terminal on both sides, with keys, sizes and restored modes.
func TestRunOnTerminal(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.WithShell(t, l))
	for _, test := range []struct{ name, prompt string }{{"run", "# "}, {"enter", "# "}} {
		t.Run(test.name, func(t *testing.T) {
			a := a.With(t)
			words := map[string][]string{"run": {"run", a.Name, "sh"}, "enter": {"enter", a.Name}}[test.name]
			cmd := a.Lab.SSH(append([]string{"-t", a.Lab.Front.Dest}, words...)...)
			cmd.Env = append(os.Environ(), "TERM=vt220")
			p := a.Lab.OnTerminal(cmd)
			before := p.Settings()
			p.Prints(test.prompt)
			// As with docker exec, the size follows once the command runs.
			lab.WaitFor(t, "the shell has the terminal's size and kind", func() bool {
				p.Types("echo size=$(stty size) term=$TERM\n")
				return strings.Contains(p.Output(), "size=24 80 term=vt220\r\n")
			})
			p.Resize(132, 43)
			lab.WaitFor(t, "the shell sees the new size", func() bool {
				p.Types("stty size\n")
				return strings.Contains(p.Output(), "\n43 132\r\n")
			})
			p.Types("sh -c 'trap \"echo c\"aught INT; echo rea\"\"dy; sleep 1000'\n")
			p.Prints("ready\r\n")
			lab.WaitFor(t, "Ctrl-C is the command's", func() bool {
				p.Types("\x03")
				return strings.Contains(p.Output(), "caught\r\n")
			})
			p.Types("exit 3\n")
			out, code := p.Wait()
			if code != 3 {
				t.Errorf("the command's exit code arrives as %d:\n%s", code, out)
			}
			if after := p.Settings(); after != before {
				t.Errorf("the terminal was %+v, is %+v", before, after)
			}
			a.NoOneOffs()
		})
	}
	t.Run("a signal ends it", func(t *testing.T) {
		a := a.With(t)
		p := a.Lab.OnTerminal(a.Lab.Command("run", a.Name, "sh"))
		before := p.Settings()
		p.Prints("# ")
		if during := p.Settings(); during == before {
			t.Errorf("the terminal is not raw")
		}
		p.Signal(unix.SIGTERM)
		if out, code := p.Wait(); code != 130 {
			t.Errorf("ends with %d:\n%s", code, out)
		}
		if after := p.Settings(); after != before {
			t.Errorf("the terminal was %+v, is %+v", before, after)
		}
		a.NoOneOffs()
	})
	t.Run("flags", func(t *testing.T) {
		a := a.With(t)
		tty := []string{"sh", "-c", "test -t 0 && test -t 1 && echo is a terminal || echo is none"}
		p := a.Lab.OnTerminal(a.Lab.Command(append([]string{"run", "--no-tty", a.Name}, tty...)...))
		lab.Contains(t, p.Succeeds(), "is none")
		out, _, code := lab.Split(t, a.Lab.Command(append([]string{"run", "--force-tty", a.Name}, tty...)...), "")
		if out != "is a terminal\r\n" || code != 0 {
			t.Errorf("got %q and %d", out, code)
		}
	})
}

// TestRunClientGoes: a client that goes away, in whatever way, leaves nothing behind.
func TestRunClientGoes(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.WithShell(t, l))
	runs := func(what string) {
		t.Helper()
		lab.WaitFor(t, what+" runs", func() bool { return len(a.OneOffs()) == 1 })
	}
	// A client that has time to clean up needs no agent.
	p := l.OnTerminal(l.SSH("-t", l.Front.Dest, "run "+a.Name+" sh"))
	p.Prints("# ")
	p.Signal(unix.SIGKILL)
	a.NoOneOffs()

	c := l.Start(l.SSH(l.Front.Dest, "run "+a.Name+" sh -c 'trap exit TERM; echo up; while :; do sleep 1; done'"))
	c.Prints("up")
	c.Signal(unix.SIGKILL)
	a.NoOneOffs()

	l.StartAgent()
	c = l.Start(l.Command("run", a.Name, "sh", "-c", "echo up; sleep 1000"))
	c.Prints("up")
	runs("the command")
	a.Push(lab.Files{"version": "2"})
	runs("the command, after a deploy,")
	c.Signal(unix.SIGKILL)
	a.NoOneOffs()

	// The shell of enter ends with its client, too.
	p = l.OnTerminal(l.SSH("-t", l.Front.Dest, "enter "+a.Name+" web sh"))
	p.Prints("# ")
	p.Types("exec sleep 4321\n")
	lab.WaitFor(t, "the shell runs", func() bool { return strings.Contains(l.Dokku("ps", a.Name), "sleep 4321") })
	p.Signal(unix.SIGKILL)
	lab.WaitFor(t, "the shell is gone", func() bool { return !strings.Contains(l.Dokku("ps", a.Name), "sleep 4321") })
	a.Serves(a.Tip("main"))
}

// TestRunDetached: detached commands continue by themselves, up to their time to live.
func TestRunDetached(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	a := l.Deployed(lab.WithShell(t, l))
	long := strings.TrimSpace(l.Dokku("run:detached", a.Name, "sh", "-c", "echo hello; echo $DYNO; trap exit TERM; while :; do sleep 1; done"))
	if !strings.HasPrefix(long, a.Name+".run.") {
		t.Fatalf("run:detached prints %q", long)
	}
	lab.WaitFor(t, "the log has both lines", func() bool { return strings.Contains(l.Dokku("run:logs", a.Name), ": run.") })
	lab.Contains(t, l.Dokku("run:logs", "--container", long), "app["+strings.TrimPrefix(long, a.Name+".")+"]: hello\n")

	// Ended commands, and those beyond their time to live, are removed.
	l.Dokku("run:detached", a.Name, "true")
	l.Dokku("run:detached", "--ttl-seconds", "2", a.Name, "sh", "-c", "trap exit TERM; while :; do sleep 1; done")
	lab.WaitFor(t, "only the long one is left", func() bool { return fmt.Sprint(a.OneOffs()) == "["+long+"]" })

	l.Dokku("ps:restart", a.Name)
	a.Push(lab.Files{"version": "2"})
	l.Dokku("ps:scale", a.Name, "web=2")
	l.Dokku("ps:stop", a.Name)
	var list []struct{ Name, State, Command, Deadline string }
	lab.Must(t, json.Unmarshal([]byte(l.Dokku("run:list", a.Name, "--format", "json")), &list))
	if len(list) != 1 || list[0].Name != long || list[0].State != "running" || !strings.HasPrefix(list[0].Command, "sh -c 'echo hello") ||
		list[0].Deadline == "" {
		t.Errorf("run:list prints %+v", list)
	}
	lab.Contains(t, l.Dokku("run:list", a.Name), long+"   sh -c ")
	lab.Contains(t, l.Refused("run:stop", a.Name, "--container", a.Name+".run.1"), "Specified container does not exist")
	follow := l.Start(l.Command("run:logs", a.Name, "-t", "-n", "1"))
	follow.Prints("run.")
	lab.Contains(t, l.Dokku("run:stop", a.Name), "-----> Stopping "+long)
	follow.Succeeds()
	if left := a.OneOffs(); len(left) > 0 {
		t.Errorf("run:stop leaves %v", left)
	}

	l.Dokku("run:detached", "--force-tty", a.Name, "sh", "-c", "echo on $(tty); sleep 1000")
	lab.WaitFor(t, "the log of a terminal can be read", func() bool { return strings.Contains(l.Dokku("run:logs", a.Name), ": on /dev/") })
	l.Dokku("apps:destroy", "--force", a.Name)
	if left := a.Resources(); left != "" {
		t.Errorf("apps:destroy leaves:\n%s", left)
	}
}

// TestEnterWithoutShell: an image without a shell gets a clear error.
func TestEnterWithoutShell(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	lab.Contains(t, l.Refused("enter", a.Name), "neither /bin/bash nor /bin/sh", "dokku enter "+a.Name+" web.1 COMMAND")
	if out, code := l.Try("run", a.Name, "/server", "-say=hi", "-exit=5"); code != 5 || out != "hi\n" {
		t.Errorf("got %d and %q", code, out)
	}
}
