package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// One-off commands with their streams and exit codes, on the server and over ssh.
func TestRun(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(withShell(t, l))
	l.dokku("config:set", "--no-restart", a.name, "COLOUR=blue")

	t.Run("streams and exit code", func(t *testing.T) {
		out, errs, code := split(t, l.command("run", a.name, "sh", "-c", "cat; echo oops >&2; exit 7"), "one\ntwo")
		if out != "one\ntwo" || errs != "oops\n" || code != 7 {
			t.Errorf("got %q, %q and %d", out, errs, code)
		}
		line := "run " + a.name + " sh -c 'cat; echo oops >&2; exit 7'"
		out, errs, code = split(t, l.ssh(l.front.dest, line), strings.Repeat("x", 1<<20))
		if len(out) != 1<<20 || errs != "oops\n" || code != 7 {
			t.Errorf("over ssh got %d bytes, %q and %d", len(out), errs, code)
		}
		a.with(t).noOneOffs()
	})
	t.Run("environment", func(t *testing.T) {
		a := a.with(t)
		out := a.dokku("run", "-e", "GREETING=hello world", "--env", "A=b", a.name, "env")
		for _, want := range []string{"COLOUR=blue\n", "GREETING=hello world\n", "A=b\n", "GIT_REV=" + a.tip("main") + "\n", "DYNO=run."} {
			contains(t, out, want)
		}
		lacks(t, out, "PORT=")
	})
	t.Run("words are arguments", func(t *testing.T) {
		a := a.with(t)
		got := a.dokku("run", a.name, "printf", "%s|", "-la", "a  b", "$HOME", "*", "--no-tty", "")
		if got != "-la|a  b|$HOME|*|--no-tty||" {
			t.Errorf("arguments arrive as %q", got)
		}
		if got := a.dokku("run", a.name, "console", "-c", "echo of the Procfile"); got != "of the Procfile\n" {
			t.Errorf("the Procfile's command prints %q", got)
		}
	})
	t.Run("what cannot run", func(t *testing.T) {
		a := a.with(t)
		out, code := a.try("run", a.name, "/nosuch")
		if contains(t, out, "does the image have that command?"); code != 127 {
			t.Errorf("a command that does not exist ends with %d", code)
		}
		out, code = a.try("enter", a.name, "web", "/nosuch")
		if contains(t, out, "does the image have that command?"); code != 127 || strings.Contains(out, "OCI") {
			t.Errorf("a command that does not exist ends with %d:\n%s", code, out)
		}
		a.noOneOffs()
	})
	t.Run("enter", func(t *testing.T) {
		a := a.with(t)
		out, errs, code := split(t, l.command("enter", a.name), "echo $DYNO; echo oops >&2; exit 4\n")
		if out != "web.1\n" || errs != "oops\n" || code != 4 {
			t.Errorf("got %q, %q and %d", out, errs, code)
		}
		if out := a.dokku("enter", a.name, "web.1", "echo", "-n", "a  b"); out != "a  b" {
			t.Errorf("got %q", out)
		}
		id := a.instances()["web.1"]
		if out := a.dokku("enter", a.name, "--container-id", id[:11], "echo", "x"); out != "x\n" {
			t.Errorf("got %q", out)
		}
		contains(t, a.refused("enter", a.name, "worker"), "No containers found for type 'worker'", "Available types for app ("+a.name+"): web.1")
		contains(t, a.refused("enter", a.name, "--container-id", "ffffffffffffffff"), "Invalid container id for app", id[:11])
	})
	t.Run("a stopped app", func(t *testing.T) {
		a := a.with(t)
		a.dokku("ps:stop", a.name)
		if out := a.dokku("run", a.name, "echo", "still"); out != "still\n" {
			t.Errorf("got %q", out)
		}
		contains(t, a.refused("enter", a.name), "App "+a.name+" is not running", "ps:start")
	})
}

// A terminal on both sides: keys, sizes and how it is given back.
func TestRunOnTerminal(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(withShell(t, l))
	for _, test := range []struct{ name, prompt string }{{"run", "# "}, {"enter", "# "}} {
		t.Run(test.name, func(t *testing.T) {
			a := a.with(t)
			words := map[string][]string{"run": {"run", a.name, "sh"}, "enter": {"enter", a.name}}[test.name]
			cmd := a.ssh(append([]string{"-t", a.front.dest}, words...)...)
			cmd.Env = append(os.Environ(), "TERM=vt220")
			p := a.onTerminal(cmd)
			before := p.settings()
			p.prints(test.prompt)
			// As with docker exec, the size follows once the command runs.
			waitFor(t, "the shell has the terminal's size and kind", func() bool {
				p.types("echo size=$(stty size) term=$TERM\n")
				return strings.Contains(p.output(), "size=24 80 term=vt220\r\n")
			})
			p.resize(132, 43)
			waitFor(t, "the shell sees the new size", func() bool {
				p.types("stty size\n")
				return strings.Contains(p.output(), "\n43 132\r\n")
			})
			p.types("sh -c 'trap \"echo c\"aught INT; echo rea\"\"dy; sleep 1000'\n")
			p.prints("ready\r\n")
			waitFor(t, "Ctrl-C is the command's", func() bool {
				p.types("\x03")
				return strings.Contains(p.output(), "caught\r\n")
			})
			p.types("exit 3\n")
			out, code := p.wait()
			if code != 3 {
				t.Errorf("the command's exit code arrives as %d:\n%s", code, out)
			}
			if after := p.settings(); after != before {
				t.Errorf("the terminal was %+v, is %+v", before, after)
			}
			a.noOneOffs()
		})
	}
	t.Run("a signal ends it", func(t *testing.T) {
		a := a.with(t)
		p := a.onTerminal(a.command("run", a.name, "sh"))
		before := p.settings()
		p.prints("# ")
		if during := p.settings(); during == before {
			t.Errorf("the terminal is not raw")
		}
		p.signal(unix.SIGTERM)
		if out, code := p.wait(); code != 130 {
			t.Errorf("ends with %d:\n%s", code, out)
		}
		if after := p.settings(); after != before {
			t.Errorf("the terminal was %+v, is %+v", before, after)
		}
		a.noOneOffs()
	})
	t.Run("flags", func(t *testing.T) {
		a := a.with(t)
		tty := []string{"sh", "-c", "test -t 0 && test -t 1 && echo is a terminal || echo is none"}
		p := a.onTerminal(a.command(append([]string{"run", "--no-tty", a.name}, tty...)...))
		contains(t, p.succeeds(), "is none")
		out, _, code := split(t, a.command(append([]string{"run", "--force-tty", a.name}, tty...)...), "")
		if out != "is a terminal\r\n" || code != 0 {
			t.Errorf("got %q and %d", out, code)
		}
	})
}

// Whoever goes away leaves nothing, however he goes.
func TestRunClientGoes(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(withShell(t, l))
	runs := func(what string) {
		t.Helper()
		waitFor(t, what+" runs", func() bool { return len(a.oneOffs()) == 1 })
	}
	// The agent has nothing to do with a client that has time to say goodbye.
	p := l.onTerminal(l.ssh("-t", l.front.dest, "run "+a.name+" sh"))
	p.prints("# ")
	p.signal(unix.SIGKILL)
	a.noOneOffs()

	c := l.start(l.ssh(l.front.dest, "run "+a.name+" sh -c 'trap exit TERM; echo up; while :; do sleep 1; done'"))
	c.prints("up")
	c.signal(unix.SIGKILL)
	a.noOneOffs()

	l.startAgent()
	c = l.start(l.command("run", a.name, "sh", "-c", "echo up; sleep 1000"))
	c.prints("up")
	runs("the command")
	a.push(files{"version": "2"})
	runs("the command, after a deploy,")
	c.signal(unix.SIGKILL)
	a.noOneOffs()

	// A shell that was entered goes with its client, too.
	p = l.onTerminal(l.ssh("-t", l.front.dest, "enter "+a.name+" web sh"))
	p.prints("# ")
	p.types("exec sleep 4321\n")
	waitFor(t, "the shell runs", func() bool { return strings.Contains(l.dokku("ps", a.name), "sleep 4321") })
	p.signal(unix.SIGKILL)
	waitFor(t, "the shell is gone", func() bool { return !strings.Contains(l.dokku("ps", a.name), "sleep 4321") })
	a.serves(a.tip("main"))
}

// Detached commands go on by themselves, up to their time to live.
func TestRunDetached(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.startAgent()
	a := l.deployed(withShell(t, l))
	long := strings.TrimSpace(l.dokku("run:detached", a.name, "sh", "-c", "echo hello; echo $DYNO; trap exit TERM; while :; do sleep 1; done"))
	if !strings.HasPrefix(long, a.name+".run.") {
		t.Fatalf("run:detached prints %q", long)
	}
	waitFor(t, "the log has both lines", func() bool { return strings.Contains(l.dokku("run:logs", a.name), ": run.") })
	contains(t, l.dokku("run:logs", "--container", long), "app["+strings.TrimPrefix(long, a.name+".")+"]: hello\n")

	// What has ended, and what has lived too long, is removed.
	l.dokku("run:detached", a.name, "true")
	l.dokku("run:detached", "--ttl-seconds", "2", a.name, "sh", "-c", "trap exit TERM; while :; do sleep 1; done")
	waitFor(t, "only the long one is left", func() bool { return fmt.Sprint(a.oneOffs()) == "["+long+"]" })

	l.dokku("ps:restart", a.name)
	a.push(files{"version": "2"})
	l.dokku("ps:scale", a.name, "web=2")
	l.dokku("ps:stop", a.name)
	var list []struct{ Name, State, Command, Deadline string }
	must(t, json.Unmarshal([]byte(l.dokku("run:list", a.name, "--format", "json")), &list))
	if len(list) != 1 || list[0].Name != long || list[0].State != "running" || !strings.HasPrefix(list[0].Command, "sh -c 'echo hello") ||
		list[0].Deadline == "" {
		t.Errorf("run:list prints %+v", list)
	}
	contains(t, l.dokku("run:list", a.name), long+"   sh -c ")
	contains(t, l.refused("run:stop", a.name, "--container", a.name+".run.1"), "Specified container does not exist")
	follow := l.start(l.command("run:logs", a.name, "-t", "-n", "1"))
	follow.prints("run.")
	contains(t, l.dokku("run:stop", a.name), "-----> Stopping "+long)
	follow.succeeds()
	if left := a.oneOffs(); len(left) > 0 {
		t.Errorf("run:stop leaves %v", left)
	}

	l.dokku("run:detached", "--force-tty", a.name, "sh", "-c", "echo on $(tty); sleep 1000")
	waitFor(t, "the log of a terminal can be read", func() bool { return strings.Contains(l.dokku("run:logs", a.name), ": on /dev/") })
	l.dokku("apps:destroy", "--force", a.name)
	if left := a.resources(); left != "" {
		t.Errorf("apps:destroy leaves:\n%s", left)
	}
}

// An image without a shell says so.
func TestEnterWithoutShell(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(nil)
	contains(t, l.refused("enter", a.name), "neither /bin/bash nor /bin/sh", "dokku enter "+a.name+" web.1 COMMAND")
	if out, code := l.try("run", a.name, "/server", "-say=hi", "-exit=5"); code != 5 || out != "hi\n" {
		t.Errorf("got %d and %q", code, out)
	}
}
