package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"

	"dokku/agent/e2e/fault"
	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/load"
)

// slowBuild and slowGate are pushes that stay at their step until they are cancelled.
var (
	slowBuild = lab.Files{"Dockerfile": "FROM BASE\nCOPY . /app/\nRUN [\"/server\", \"-say=building\", \"-sleep=60s\", \"-exit=0\"]\n"}
	slowGate  = lab.Files{"CHECKS": "WAIT=20\nATTEMPTS=3\n/ never\n"}
)

// victims are the processes that can end in the middle of a push.
var victims = []struct {
	name string
	end  func(l *lab.Lab, push *lab.Process)
}{
	{"Ctrl-C", func(_ *lab.Lab, push *lab.Process) { push.Signal(unix.SIGINT) }},
	{"kill -9 of the client", func(_ *lab.Lab, push *lab.Process) { push.Signal(unix.SIGKILL) }},
	{"kill -9 of the wrapper", func(l *lab.Lab, _ *lab.Process) { fault.Kill(l, "shell") }},
	{"kill -9 of receive-pack", func(l *lab.Lab, _ *lab.Process) { fault.Kill(l, "receive-pack") }},
	{"kill -9 of the hook", func(l *lab.Lab, _ *lab.Process) {
		fault.Kill(l, "pre-receive", "post-receive", "reference-transaction")
	}},
	{"kill -9 of all of them", func(l *lab.Lab, _ *lab.Process) {
		fault.Kill(l, "shell", "receive-pack", "pre-receive", "post-receive", "reference-transaction")
	}},
}

// TestKilledPush: a push that loses a process before git has decided leaves nothing behind.
// After git's decision, the next command or the agent finishes it.
func TestKilledPush(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes, "DOKKU_SCALE": "web=1\nworker=1\n"})
	for n, v := range victims {
		// A command recovers half of them, the agent the others.
		recovery := func(a *lab.App) { a.Lab.Dokku("config:set", "--no-restart", a.Name, "NUMBER=1") }
		if n >= len(victims)/2 {
			recovery = func(*lab.App) {}
		}
		if n == len(victims)/2 {
			l.StartAgent()
		}
		t.Run(v.name, func(t *testing.T) {
			a := a.With(t)
			t.Run("build", func(t *testing.T) {
				killedEarly(a.With(t), v.end, recovery, slowBuild, "building")
			})
			t.Run("gate", func(t *testing.T) {
				killedEarly(a.With(t), v.end, recovery, slowGate, "pre-flight checks")
			})
			t.Run("in git's transaction", func(t *testing.T) {
				killedBetween(a.With(t), v.end, recovery)
			})
			t.Run("after the ref moved", func(t *testing.T) {
				killedLate(a.With(t), v.end, recovery)
			})
		})
	}
}

// killedEarly ends a process of a push that has printed text, and checks that nothing has
// changed.
func killedEarly(a *lab.App, end func(*lab.Lab, *lab.Process), recovery func(*lab.App), f lab.Files, text string) {
	a.Lab.T.Helper()
	if a.Lab.Agent != nil {
		a.Rests()
	}
	live, before := a.Tip("main"), a.Everything()
	for name, text := range f {
		f[name] = strings.ReplaceAll(text, "BASE", a.Lab.Tools.Base)
	}
	a.Commit(f)
	push := a.Pushing()
	push.Prints(text)
	end(a.Lab, push)
	out := push.Fails()
	a.Git("reset", "-q", "--hard", "HEAD~1")
	recovery(a)
	lab.WaitFor(a.Lab.T, "nothing is left of the push", func() bool { return a.Resources() == last(a, before) && fault.Idle(a) })
	a.Serves(live)
	if tip := a.Tip("main"); tip != live {
		a.Lab.T.Errorf("main is at %s, want %s:\n%s", tip, live, out)
	}
	repositoryIsClean(a)
}

// last returns the part of everything that resources returns.
func last(a *lab.App, everything string) string {
	return everything[strings.Index(everything, "container "):]
}

// killedBetween ends a process of a push that pre-receive has accepted, while git moves
// the ref. Git may or may not finish; the app follows the ref.
func killedBetween(a *lab.App, end func(*lab.Lab, *lab.Process), recovery func(*lab.App)) {
	a.Lab.T.Helper()
	hook := a.Dir("hooks", "reference-transaction")
	a.Lab.Script(hook, lab.AtCommit, "", "")
	arrived, release := a.Lab.Hold(lab.AtCommit)
	rev := a.Commit(lab.Files{"version": a.Lab.T.Name()})
	push := a.Pushing()
	arrived()
	if a.State().Staged == nil || a.Tip("main") == rev {
		a.Lab.T.Fatalf("nothing is staged, or main has moved already")
	}
	end(a.Lab, push)
	release()
	push.Wait()
	lab.WaitFor(a.Lab.T, "no process of the push is left", func() bool { return fault.Idle(a) })
	lab.Must(a.Lab.T, os.Remove(hook))
	recovery(a)
	lab.WaitFor(a.Lab.T, "nothing is staged", func() bool { return a.State().Staged == nil })
	lab.WaitFor(a.Lab.T, "only web.1 and worker.1 are left", func() bool { return len(a.Instances()) == 2 && len(a.Serving()) == 2 })
	a.Serves(a.Tip("main"))
	a.Commit(lab.Files{"version": "after " + a.Lab.T.Name()})
	a.Pushing("+main").Succeeds()
	a.Serves(a.Git("rev-parse", "HEAD"))
}

// killedLate ends a process of a push whose ref has moved and whose version is not live
// yet.
func killedLate(a *lab.App, end func(*lab.Lab, *lab.Process), recovery func(*lab.App)) {
	a.Lab.T.Helper()
	arrived, release := a.Lab.Hold(lab.AfterCommit)
	rev := a.Commit(lab.Files{"version": a.Lab.T.Name()})
	push := a.Pushing()
	arrived()
	if tip := a.Tip("main"); tip != rev {
		a.Lab.T.Fatalf("main is at %s, want %s", tip, rev)
	}
	end(a.Lab, push)
	release()
	push.Wait()
	recovery(a)
	lab.WaitFor(a.Lab.T, "the pushed version serves", func() bool { _, body := a.Get("/"); return strings.HasPrefix(body, rev) })
	lab.WaitFor(a.Lab.T, "no process of the push is left", func() bool { return fault.Idle(a) })
	lab.WaitFor(a.Lab.T, "only web.1 and worker.1 are left", func() bool {
		return len(a.Instances()) == 2 && len(a.Serving()) == 2 && a.State().Staged == nil
	})
	repositoryIsClean(a)
}

// repositoryIsClean fails the test if git has left permanent locks or quarantines. Those
// of a killed git may stay until the next push.
func repositoryIsClean(a *lab.App) {
	a.Lab.T.Helper()
	if lab.Exists(a.Dir("refs", "heads", "main.lock")) {
		a.Lab.T.Errorf("git left main.lock")
	}
}

// TestKilledCommand kills commands at each of their events. No request is lost, and no
// process is removed while nginx routes to it. It fails if processes are not marked before
// the switch (setRetiring in executor.execute).
func TestKilledCommand(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"checks": map[string]string{"default-wait": "0.1", "wait-to-retire": "4"}})
	l.StartAgent()
	a := l.Deployed(lab.Files{"CHECKS": "WAIT=5\nATTEMPTS=2\n/\n"})
	l.Dokku("ps:scale", a.Name, "web=2")
	for _, c := range []struct{ name, there, back string }{
		{"ps:restart", "ps:restart APP", ""},
		{"ps:scale up", "ps:scale APP web=3", "ps:scale APP web=2"},
		{"ps:scale down", "ps:scale APP web=1", "ps:scale APP web=2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := a.With(t)
			a.Rests()
			h := load.Watch(a)
			long := load.Ask(a, "/slow?for=3s", 10)
			quick := load.Ask(a, "/slow?for=20ms", 50)
			killedAtSwitch(a, c.there, c.back)
			events := killAtEvery(a, c.there, c.back)
			t.Logf("killed after each of %d events", events)
			versions := h.Stop()
			quick.Check(versions)
			long.Check(versions)
			a.Rests()
			a.Serves(a.Tip("main"))
			routed(a)
		})
	}
}

// TestKilledWhileCreating kills a command while the engine creates a container for it. The
// container never starts, and no event tells of it, so the agent has to look by itself,
// long before it looks at all apps.
func TestKilledWhileCreating(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	a := l.Deployed(nil)
	l.Dokku("ps:scale", a.Name, "web=1")
	for range 3 {
		a.Rests()
		command := a.Lab.Start(a.Lab.Command("ps:restart", a.Name))
		lab.WaitFor(t, "a container is being created", func() bool {
			return slices.ContainsFunc(a.Containers(), func(c container.Summary) bool { return c.State == "created" })
		})
		command.Cmd.Process.Kill()
		<-command.Done
		settles(a, "")
	}
	a.Serves(a.Tip("main"))
}

// killAtEvery runs a command repeatedly, and kills it after its first logged event, then
// after its second, and so on until it ends by itself. The undo command, if any, reverts
// it. killAtEvery returns the number of events.
func killAtEvery(a *lab.App, there, back string) int {
	a.Lab.T.Helper()
	for n := 1; ; n++ {
		if n > 60 {
			a.Lab.T.Fatalf("%s never ends by itself", there)
		}
		command := a.Lab.Start(a.Lab.Command(a.Words(there)...))
		killed := fault.KilledAfter(command, a.Lab, n)
		settles(a, back)
		if !killed {
			return n - 1
		}
	}
}

// killedAtSwitch kills a command after nginx got its new processes and before the command
// recorded that.
func killedAtSwitch(a *lab.App, there, back string) {
	a.Lab.T.Helper()
	arrived, release := a.Lab.Hold(lab.AfterSwitch)
	command := a.Lab.Start(a.Lab.Command(a.Words(there)...))
	arrived()
	told := 0
	lab.WaitFor(a.Lab.T, "nginx passes requests to the new processes", func() bool {
		told++
		if live, _, err := a.Lab.Nginx.Proxy().Live(a.Lab.T.Context(), a.Name); err != nil || !slices.Equal(live.Upstreams, a.Upstreams()) {
			told = 0
		}
		return told == 20
	})
	command.Cmd.Process.Kill()
	<-command.Done
	release()
	settles(a, "")
	a.Rests() // later commands must not delay the end of the old processes
	settles(a, back)
}

// settles waits until the agent has cleaned up after a command, and runs the undo command.
func settles(a *lab.App, back string) {
	a.Lab.T.Helper()
	lab.WaitFor(a.Lab.T, "the agent has settled", func() bool {
		routed(a)
		return settled(a)
	})
	if back != "" {
		a.Lab.Dokku(a.Words(back)...)
	}
}

// settled reports whether the running containers match the app's state, apart from the
// retiring ones.
func settled(a *lab.App) bool {
	st, count := a.State(), 0
	for _, n := range st.Scale {
		count += n
	}
	return len(a.Serving()) == count && len(a.Instances()) == count && len(a.Upstreams()) == st.Scale["web"]
}

// routed fails the test unless every address in nginx belongs to a running process.
func routed(a *lab.App) {
	a.Lab.T.Helper()
	upstreams := a.Upstreams()
	var have []string
	for _, c := range a.Containers() {
		if n := c.NetworkSettings.Networks; c.State == "running" {
			for _, e := range n {
				have = append(have, e.IPAddress)
			}
		}
	}
	for _, u := range upstreams {
		if !slices.Contains(have, u.Addr().String()) && fmt.Sprint(a.Upstreams()) == fmt.Sprint(upstreams) {
			a.Lab.T.Errorf("nginx passes requests to %s, where nothing runs: %v", u, have)
		}
	}
}
