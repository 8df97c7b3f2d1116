package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"
)

// slowBuild and slowGate are pushes that stay at their step until they are
// cancelled.
var (
	slowBuild = files{"Dockerfile": "FROM BASE\nCOPY . /app/\nRUN [\"/server\", \"-say=building\", \"-sleep=60s\", \"-exit=0\"]\n"}
	slowGate  = files{"CHECKS": "WAIT=20\nATTEMPTS=3\n/ never\n"}
)

// victims are what can end in the middle of a push.
var victims = []struct {
	name string
	end  func(l *lab, push *process)
}{
	{"Ctrl-C", func(_ *lab, push *process) { push.signal(unix.SIGINT) }},
	{"kill -9 of the client", func(_ *lab, push *process) { push.signal(unix.SIGKILL) }},
	{"kill -9 of the wrapper", func(l *lab, _ *process) { l.kill("shell") }},
	{"kill -9 of receive-pack", func(l *lab, _ *process) { l.kill("receive-pack") }},
	{"kill -9 of the hook", func(l *lab, _ *process) { l.kill("pre-receive", "post-receive", "reference-transaction") }},
	{"kill -9 of all of them", func(l *lab, _ *process) {
		l.kill("shell", "receive-pack", "pre-receive", "post-receive", "reference-transaction")
	}},
}

// A push that loses one of its processes before git has decided leaves nothing
// behind; afterwards it is carried out. The next command or the agent sees to it.
func TestKilledPush(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(files{"Procfile": twoTypes, "DOKKU_SCALE": "web=1\nworker=1\n"})
	for n, v := range victims {
		// Half of them are mended by a command, the others by the agent.
		mend := func(a *app) { a.dokku("config:set", "--no-restart", a.name, "NUMBER=1") }
		if n >= len(victims)/2 {
			mend = func(*app) {}
		}
		if n == len(victims)/2 {
			l.startAgent()
		}
		t.Run(v.name, func(t *testing.T) {
			a := a.with(t)
			t.Run("build", func(t *testing.T) {
				a.with(t).killedEarly(v.end, mend, slowBuild, "building")
			})
			t.Run("gate", func(t *testing.T) {
				a.with(t).killedEarly(v.end, mend, slowGate, "pre-flight checks")
			})
			t.Run("in git's transaction", func(t *testing.T) {
				a.with(t).killedBetween(v.end, mend)
			})
			t.Run("after the ref moved", func(t *testing.T) {
				a.with(t).killedLate(v.end, mend)
			})
		})
	}
}

// killedEarly ends a process of a push that has printed text, and sees to it
// that everything is as it was.
func (a *app) killedEarly(end func(*lab, *process), mend func(*app), f files, text string) {
	a.t.Helper()
	if a.agent != nil {
		a.rests()
	}
	live, before := a.tip("main"), a.everything()
	for name, text := range f {
		f[name] = strings.ReplaceAll(text, "BASE", a.tools.base)
	}
	a.commit(f)
	push := a.pushing()
	push.prints(text)
	end(a.lab, push)
	out := push.fails()
	a.git("reset", "-q", "--hard", "HEAD~1")
	mend(a)
	waitFor(a.t, "nothing is left of the push", func() bool { return a.resources() == a.last(before) && a.idle() })
	a.serves(live)
	if tip := a.tip("main"); tip != live {
		a.t.Errorf("main is at %s, want %s:\n%s", tip, live, out)
	}
	a.repositoryIsClean()
}

// last is the part of everything that resources gives.
func (a *app) last(everything string) string {
	return everything[strings.Index(everything, "container "):]
}

// killedBetween ends a process of a push that pre-receive has accepted, while git
// moves the ref. Whether it still does is git's affair; the app follows.
func (a *app) killedBetween(end func(*lab, *process), mend func(*app)) {
	a.t.Helper()
	hook := a.dir("hooks", "reference-transaction")
	a.script(hook, atCommit, "", "")
	arrived, release := a.hold(atCommit)
	rev := a.commit(files{"version": a.t.Name()})
	push := a.pushing()
	arrived()
	if a.state().Staged == nil || a.tip("main") == rev {
		a.t.Fatalf("nothing is staged, or main has moved already")
	}
	end(a.lab, push)
	release()
	push.wait()
	waitFor(a.t, "no process of the push is left", a.idle)
	must(a.t, os.Remove(hook))
	mend(a)
	waitFor(a.t, "nothing is staged", func() bool { return a.state().Staged == nil })
	waitFor(a.t, "only web.1 and worker.1 are left", func() bool { return len(a.instances()) == 2 && len(a.serving()) == 2 })
	a.serves(a.tip("main"))
	a.commit(files{"version": "after " + a.t.Name()})
	a.pushing("+main").succeeds()
	a.serves(a.git("rev-parse", "HEAD"))
}

// killedLate ends a process of a push whose ref has moved and whose version does
// not serve yet.
func (a *app) killedLate(end func(*lab, *process), mend func(*app)) {
	a.t.Helper()
	arrived, release := a.hold(afterCommit)
	rev := a.commit(files{"version": a.t.Name()})
	push := a.pushing()
	arrived()
	if tip := a.tip("main"); tip != rev {
		a.t.Fatalf("main is at %s, want %s", tip, rev)
	}
	end(a.lab, push)
	release()
	push.wait()
	mend(a)
	waitFor(a.t, "the pushed version serves", func() bool { _, body := a.get("/"); return strings.HasPrefix(body, rev) })
	waitFor(a.t, "no process of the push is left", a.idle)
	waitFor(a.t, "only web.1 and worker.1 are left", func() bool {
		return len(a.instances()) == 2 && len(a.serving()) == 2 && a.state().Staged == nil
	})
	a.repositoryIsClean()
}

// repositoryIsClean fails the test if git has left locks or quarantines that
// stay: those of a killed one may wait for the next push.
func (a *app) repositoryIsClean() {
	a.t.Helper()
	if exists(a.dir("refs", "heads", "main.lock")) {
		a.t.Errorf("git left main.lock")
	}
}

// Commands that end the wrong way, at every moment of theirs, lose no request,
// and nothing that nginx passes requests to is ever taken away. It goes red when
// processes are not marked before the switch (setRetiring in executor.execute).
func TestKilledCommand(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]any{"checks": map[string]string{"default-wait": "0.1", "wait-to-retire": "4"}})
	l.startAgent()
	a := l.deployed(files{"CHECKS": "WAIT=5\nATTEMPTS=2\n/\n"})
	l.dokku("ps:scale", a.name, "web=2")
	for _, c := range []struct{ name, there, back string }{
		{"ps:restart", "ps:restart APP", ""},
		{"ps:scale up", "ps:scale APP web=3", "ps:scale APP web=2"},
		{"ps:scale down", "ps:scale APP web=1", "ps:scale APP web=2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := a.with(t)
			a.rests()
			h := a.watch()
			long := a.traffic("/slow?for=3s", 10)
			quick := a.traffic("/slow?for=20ms", 50)
			a.killedAtSwitch(c.there, c.back)
			events := a.killAtEvery(c.there, c.back)
			t.Logf("killed after each of %d events", events)
			versions := h.stop()
			quick.check(versions)
			long.check(versions)
			a.rests()
			a.serves(a.tip("main"))
			a.routed()
		})
	}
}

// A command that is killed while the engine creates a container for it leaves
// one that never starts. No event tells of its end: the agent has to look by
// itself, long before it would look at all apps.
func TestKilledWhileCreating(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.startAgent()
	a := l.deployed(nil)
	l.dokku("ps:scale", a.name, "web=1")
	for range 3 {
		a.rests()
		command := a.start(a.command("ps:restart", a.name))
		waitFor(t, "a container is being created", func() bool {
			return slices.ContainsFunc(a.containers(), func(c container.Summary) bool { return c.State == "created" })
		})
		command.cmd.Process.Kill()
		<-command.done
		a.settles("")
	}
	a.serves(a.tip("main"))
}

// killAtEvery runs a command again and again, and kills it after the first
// event that it logs, after the second, and so on until it ends by itself. The
// other command, if there is one, undoes what it did. It returns the number of
// events.
func (a *app) killAtEvery(there, back string) int {
	a.t.Helper()
	for n := 1; ; n++ {
		if n > 60 {
			a.t.Fatalf("%s never ends by itself", there)
		}
		command := a.start(a.command(a.words(there)...))
		killed := command.killedAfter(a.lab, n)
		a.settles(back)
		if !killed {
			return n - 1
		}
	}
}

// killedAtSwitch kills a command that has told nginx of its new processes, and
// has written nothing about that yet.
func (a *app) killedAtSwitch(there, back string) {
	a.t.Helper()
	arrived, release := a.hold(afterSwitch)
	command := a.start(a.command(a.words(there)...))
	arrived()
	told := 0
	waitFor(a.t, "nginx passes requests to the new processes", func() bool {
		told++
		if live, _, err := a.nginx.Proxy().Live(a.t.Context(), a.name); err != nil || !slices.Equal(live.Upstreams, a.upstreams()) {
			told = 0
		}
		return told == 20
	})
	command.cmd.Process.Kill()
	<-command.done
	release()
	a.settles("")
	a.rests() // nothing that comes later may put off the end of the old processes
	a.settles(back)
}

// settles waits until the agent has cleaned up behind a command, and runs the one
// that undoes it.
func (a *app) settles(back string) {
	a.t.Helper()
	waitFor(a.t, "the agent has settled", func() bool {
		a.routed()
		return a.settled()
	})
	if back != "" {
		a.dokku(a.words(back)...)
	}
}

// settled reports whether what runs is what the app's state asks for, beside
// what retires.
func (a *app) settled() bool {
	st, count := a.state(), 0
	for _, n := range st.Scale {
		count += n
	}
	return len(a.serving()) == count && len(a.instances()) == count && len(a.upstreams()) == st.Scale["web"]
}

// routed fails the test unless every address that nginx knows belongs to a
// process that runs.
func (a *app) routed() {
	a.t.Helper()
	upstreams := a.upstreams()
	var have []string
	for _, c := range a.containers() {
		if n := c.NetworkSettings.Networks; c.State == "running" {
			for _, e := range n {
				have = append(have, e.IPAddress)
			}
		}
	}
	for _, u := range upstreams {
		if !slices.Contains(have, u.Addr().String()) && fmt.Sprint(a.upstreams()) == fmt.Sprint(upstreams) {
			a.t.Errorf("nginx passes requests to %s, where nothing runs: %v", u, have)
		}
	}
}
