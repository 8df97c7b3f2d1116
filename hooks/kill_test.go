package hooks

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// family finds the processes of a push from its pre- or post-receive: the
// hook itself, git receive-pack, and the wrapper.
func family(hook *call) (pid, git, wrapper int) {
	git = parentOf(hook.PID)
	return hook.PID, git, parentOf(git)
}

func kill(t *testing.T, pid int) {
	t.Helper()
	must(t, unix.Kill(pid, unix.SIGKILL))
}

func TestClientGoneBeforeTheCommitPointCancels(t *testing.T) {
	for name, s := range map[string]unix.Signal{"Ctrl-C": unix.SIGINT, "kill -9": unix.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c := l.push("hello", "main")
			p := l.next("Prepare")
			hook, git, wrapper := family(p)
			c.signal(s)
			// Whoever reads the history of deploys wants to know.
			if why := p.says("cancelled").Why; !strings.Contains(why, "the client is gone") {
				t.Errorf("the cause is %q", why)
			}
			ended(t, "the hook", hook)
			ended(t, "git receive-pack", git)
			ended(t, "the wrapper", wrapper)
			l.wantGone("hello")
			l.quiet()
		})
	}
}

func TestClientGoneAfterTheCommitPointFinishes(t *testing.T) {
	l := newLab(t)
	c := l.push("hello", "main")
	l.next("Prepare").reply("ok")
	r := l.next("Reconcile")
	_, git, wrapper := family(r)
	c.signal(unix.SIGKILL)
	<-c.done
	r.reply("ok")
	r.says("done")
	ended(t, "git receive-pack", git)
	ended(t, "the wrapper", wrapper)
	l.wantTip("hello", l.git("rev-parse", "main"))
	l.quiet()
}

// sshd sends HUP or TERM to the wrapper when the server goes down or an
// administrator ends the connection.
func TestSignalToTheWrapperCancels(t *testing.T) {
	for name, s := range map[string]unix.Signal{"HUP": unix.SIGHUP, "TERM": unix.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c := l.push("hello", "main")
			p := l.next("Prepare")
			_, _, wrapper := family(p)
			must(t, unix.Kill(wrapper, s))
			p.says("cancelled")
			c.fail()
			l.wantGone("hello")
			l.quiet()
		})
	}
}

func TestHookThatDoesNotCancelIsKilled(t *testing.T) {
	l := newLab(t)
	c := l.push("hello", "main")
	p := l.next("Prepare")
	p.reply("hang")
	p.says("hanging")
	hook, _, wrapper := family(p)
	c.signal(unix.SIGKILL)
	ended(t, "the hook", hook)
	l.next("Reconcile").reply("ok") // settles the killed hook's push
	ended(t, "the wrapper", wrapper)
	l.wantGone("hello")
}

func TestKillWrapper(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		l := newLab(t)
		c := l.push("hello", "main")
		p := l.next("Prepare")
		hook, git, wrapper := family(p)
		kill(t, wrapper)
		p.says("cancelled")
		ended(t, "the hook", hook)
		ended(t, "git receive-pack", git)
		c.fail()
		if l.tip("hello", "refs/heads/main") != "" {
			t.Error("the ref moved")
		}
		l.deploy("hello", "main") // nothing is in the way of the next push
	})
	t.Run("after", func(t *testing.T) {
		l := newLab(t)
		c := l.push("hello", "main")
		l.next("Prepare").reply("ok")
		r := l.next("Reconcile")
		_, _, wrapper := family(r)
		kill(t, wrapper)
		ended(t, "the wrapper", wrapper)
		c.fail()
		r.reply("ok")
		r.says("done")
		l.wantTip("hello", l.git("rev-parse", "main"))
	})
}

func TestKillGit(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		l := newLab(t)
		c := l.push("hello", "main")
		p := l.next("Prepare")
		hook, git, _ := family(p)
		kill(t, git)
		p.says("cancelled")
		ended(t, "the hook", hook)
		c.fail()
		l.wantGone("hello")
		l.quiet()
	})
	t.Run("after", func(t *testing.T) {
		l := newLab(t)
		c := l.push("hello", "main")
		l.next("Prepare").reply("ok")
		r := l.next("Reconcile")
		_, git, wrapper := family(r)
		kill(t, -git) // the group: post-receive is no part of it
		ended(t, "git receive-pack", git)
		r.reply("ok")
		r.says("done")
		c.fail() // it was not told how its push went
		ended(t, "the wrapper", wrapper)
		l.wantTip("hello", l.git("rev-parse", "main"))
		l.quiet()
	})
}

func TestKillHook(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		l := newLab(t)
		c := l.push("hello", "main")
		hook, _, wrapper := family(l.next("Prepare"))
		kill(t, hook)
		r := l.next("Reconcile")
		if r.PID != wrapper {
			t.Errorf("process %d reconciles, want the wrapper (%d)", r.PID, wrapper)
		}
		r.reply("ok")
		c.fail()
		l.wantGone("hello")
	})
	t.Run("after", func(t *testing.T) {
		l := newLab(t)
		c := l.push("hello", "main")
		l.next("Prepare").reply("ok")
		hook, _, wrapper := family(l.next("Reconcile"))
		kill(t, hook)
		r := l.next("Reconcile")
		if r.PID != wrapper {
			t.Errorf("process %d reconciles, want the wrapper (%d)", r.PID, wrapper)
		}
		r.reply("ok")
		c.succeed()
		l.wantTip("hello", l.git("rev-parse", "main"))
	})
}

// Ctrl-Z on a push: the hook, which holds the app's lock, must not notice.
func TestStalledClientBlocksNobody(t *testing.T) {
	l := newLab(t)
	c := l.push("hello", "main")
	p := l.next("Prepare")
	c.signal(unix.SIGSTOP)
	p.reply("flood")
	p.says("flooded")
	p.reply("ok")
	r := l.next("Reconcile")
	r.reply("ok")
	r.says("done")
	_, git, wrapper := family(r)
	ended(t, "git receive-pack", git)
	if state, _ := processState(wrapper); state == 0 || state == 'Z' {
		t.Error("the wrapper has given up a client that is still there")
	}
	c.signal(unix.SIGCONT)
	c.succeed()
	ended(t, "the wrapper", wrapper)
	l.wantTip("hello", l.git("rev-parse", "main"))
}

// A hook that an administrator's hook calls has git further above.
func TestHookBelowAnotherHookNoticesGitsEnd(t *testing.T) {
	l := newLab(t)
	l.deploy("hello", "main")
	l.commit("two")
	dir := l.root + "/hello/hooks/"
	l.mustRun(exec.Command("sh", "-c", `mkdir "$1/below" && mv "$1/pre-receive" "$1/below" &&
		printf '#!/bin/sh\n%s/below/pre-receive; exit $?\n' "$1" >"$1/pre-receive" && chmod +x "$1/pre-receive"`, "sh", dir))
	c := l.push("hello", "main")
	p := l.next("Prepare")
	kill(t, parentOf(parentOf(p.PID)))
	p.says("cancelled")
	c.fail()
}
