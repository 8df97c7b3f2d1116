package fault

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dokku/agent/e2e/lab"
)

// A fault strikes at a point of an operation.
type fault struct {
	name string
	// action is an action of the program itself; see agent/failpoint. "hold": held runs
	// while the program waits at the point.
	action string
	held   func(b *bench, a *lab.App, p *attempt)
	// ended repairs the surroundings once the operation has ended.
	ended func(b *bench, a *lab.App)
	// on reports whether the fault can strike at a point.
	on func(op operation, point string) bool
	// kills: the operation cannot report its outcome.
	kills bool
	// outage: no request can be answered while the fault lasts.
	outage bool
	// other: another command changes the app too.
	other bool
}

func anywhere(operation, string) bool { return true }

// named matches points that have a name.
func named(_ operation, point string) bool { return !numbered(point) }

func inPush(op operation, point string) bool { return op.pushes() && named(op, point) }

func inCommand(op operation, point string) bool { return !op.pushes() && named(op, point) }

// numbered reports whether a point is only counted and has no name.
func numbered(point string) bool {
	name := pointName(point)
	return name == "any" || strings.Contains(name, ": ")
}

func inEngine(op operation, point string) bool {
	return named(op, point) || strings.HasPrefix(pointName(point), "engine")
}

func inFiles(op operation, point string) bool {
	return named(op, point) || strings.HasPrefix(pointName(point), "file")
}

// everybody are the processes of a push.
var everybody = []string{"shell", "receive-pack", "pre-receive", "post-receive"}

var faults = []fault{
	{name: "kill -9", action: "kill", on: anywhere, kills: true},
	{name: "kill -9 of the wrapper", action: "hold", on: inPush, kills: true, held: func(b *bench, _ *lab.App, _ *attempt) { b.killAll("shell") }},
	{name: "kill -9 of receive-pack", action: "hold", on: inPush, kills: true, held: func(b *bench, _ *lab.App, _ *attempt) { b.killAll("receive-pack") }},
	{name: "kill -9 of all", action: "hold", on: inPush, kills: true, held: func(b *bench, _ *lab.App, _ *attempt) { b.killAll(everybody...) }},
	{name: "client gone", action: "hold", on: inPush, kills: true, held: func(_ *bench, _ *lab.App, p *attempt) { p.Signal(unix.SIGKILL); <-p.Process.Done }},
	{name: "client stalls, then gone", action: "hold", on: inPush, kills: true, held: func(b *bench, a *lab.App, p *attempt) {
		p.Signal(unix.SIGSTOP)
		b.points().Release()
		lab.WaitFor(a.Lab.T, "no hook runs", func() bool { return len(b.Processes("pre-receive"))+len(b.Processes("post-receive")) == 0 })
		p.Signal(unix.SIGKILL)
		<-p.Process.Done
	}},
	{name: "TERM", action: "hold", on: inCommand, held: func(_ *bench, _ *lab.App, p *attempt) { p.Signal(unix.SIGTERM) }},
	{name: "error", action: "error", on: anywhere},
	{name: "disk full", action: "full", on: inFiles},
	{name: "I/O error", action: "io", on: inFiles},
	{name: "engine call times out", action: "timeout", on: inEngine},
	{name: "engine answer lost", action: "lost", on: inEngine},
	{name: "engine refuses", action: "hold", on: named, held: relaying(relayRefuse), ended: passing},
	{name: "engine drops an answer", action: "hold", on: named, held: relaying(relayDrop), ended: passing},
	{name: "engine paused", action: "hold", on: named, ended: passing, held: func(b *bench, a *lab.App, p *attempt) {
		b.relay.set(relayStall)
		b.points().Release()
		lab.WaitFor(a.Lab.T, "somebody waits for the engine", func() bool { return b.relay.struck() || p.Ended() })
		b.relay.set(relayPass)
	}},
	{name: "nginx down", action: "hold", on: named, outage: true, held: func(b *bench, _ *lab.App, _ *attempt) { b.Nginx.Kill() },
		ended: func(b *bench, _ *lab.App) { b.Nginx.Start() }},
	{name: "nginx rejects", action: "hold", on: named,
		held: func(b *bench, a *lab.App, _ *attempt) {
			lab.Must(a.Lab.T, os.WriteFile(b.badConfig(), []byte("no such directive;\n"), 0o644))
		},
		ended: func(b *bench, a *lab.App) { lab.Must(a.Lab.T, os.Remove(b.badConfig())) }},
	{name: "another push", action: "hold", on: existing, other: true, held: func(b *bench, a *lab.App, p *attempt) {
		b.meanwhile(a, p, func() *lab.Process { return pushes(a, lab.Files{"version": "another " + a.Lab.T.Name()}).Process })
	}},
	{name: "ps:scale at the same time", action: "hold", on: existing, other: true, held: besides("ps:scale", "APP", "worker=2")},
	{name: "config:set at the same time", action: "hold", on: existing, other: true, held: besides("config:set", "APP", "OTHER=1")},
	{name: "apps:destroy at the same time", action: "hold", on: existing, other: true, outage: true, held: besides("apps:destroy", "APP", "--force")},
}

// existing matches named points of an operation on an app that exists.
func existing(op operation, point string) bool { return named(op, point) && !op.own() }

// killAll kills all running processes of these kinds.
func (b *bench) killAll(kinds ...string) {
	for _, kind := range kinds {
		for _, pid := range b.Processes(kind) {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}

func relaying(m relayMode) func(*bench, *lab.App, *attempt) {
	return func(b *bench, _ *lab.App, _ *attempt) { b.relay.set(m) }
}

func passing(b *bench, _ *lab.App) { b.relay.set(relayPass) }

func (b *bench) badConfig() string { return filepath.Join(b.Nginx.Etc, "conf.d", "bad.conf") }

// besides runs a command while the operation is held.
func besides(words ...string) func(*bench, *lab.App, *attempt) {
	return func(b *bench, a *lab.App, p *attempt) {
		b.meanwhile(a, p, func() *lab.Process { return a.Lab.Start(a.Lab.Command(a.Words(strings.Join(words, " "))...)) })
	}
}

// meanwhile starts another command, releases the operation once that command waits for the
// app's lock or has ended, and waits for both.
func (b *bench) meanwhile(a *lab.App, p *attempt, start func() *lab.Process) {
	asking := func() int { return b.countReached("/lock-asked#1") }
	before := asking()
	other := start()
	lab.WaitFor(a.Lab.T, "the other one waits for the lock, or has ended", func() bool { return asking() > before || other.Ended() })
	b.points().Release()
	p.Wait()
	other.Wait()
}

// countReached counts the visits of all processes to points that end with text.
func (b *bench) countReached(text string) int {
	data, err := os.ReadFile(b.points().failpoints("reached"))
	lab.Must(b.T, err)
	return len(slices.Collect(func(yield func(string) bool) {
		for line := range strings.Lines(string(data)) {
			if strings.HasSuffix(strings.TrimSpace(line), text) && !yield(line) {
				return
			}
		}
	}))
}
