package e2e

import (
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"
)

// A cellRun is a cell while it runs.
type cellRun struct {
	*bench
	*attempt
	app      *app
	cell     faultCell
	recovery string
	before   string // what was asked for
	first    string // where main was
	accepted bool   // git has moved main
	versions *history
	traffic  *traffic
}

// strike lets the fault happen, and the operation end.
func (r *cellRun) strike() bool {
	f := r.cell.fault
	t := r.app.t
	if f.action != "" {
		waitFor(t, "the point is reached", func() bool { return r.struck() || r.attempt.ended() })
	}
	struck := r.struck()
	if struck && f.held != nil {
		f.held(r.bench, r.app, r.attempt)
	}
	r.release()
	r.attempt.wait()
	if struck && f.ended != nil {
		f.ended(r.bench, r.app)
	}
	waitSlowly(t, r.app.busy)
	if r.attempt.other != nil && r.attempt.done() {
		r.app, r.attempt.other = r.attempt.other, r.app
	}
	r.accepted = r.rev != "" && r.app.tip("main") == r.rev
	return struck
}

// recover lets somebody find what the fault has left, until nothing is.
func (r *cellRun) recover() {
	a := r.app
	a.t.Logf("recovers: %s; it ended with %d:\n%s", r.recovery, r.attempt.cmd.ProcessState.ExitCode(), r.attempt.output())
	next := func() { a.try("ps:restore", a.name) }
	switch {
	case r.cell.point == "":
	case r.cell.op.name == "apps:destroy" && r.recovery == "command":
		if out, code := a.try("apps:destroy", a.name, "--force"); code != 0 && code != 20 {
			a.t.Fatalf("apps:destroy cannot be repeated:\n%s", out)
		}
	case r.recovery == "agent that is started":
		r.startAgent()
		next = func() {}
	case r.recovery == "agent that runs":
		next = func() {}
	case r.recovery == "push" && (r.cell.op.name == "first push" || exists(a.dir())):
		if r.traffic != nil && r.cell.fault.other && !exists(a.dir()) {
			return
		}
		next := *a
		p := next.pushes(files{"version": "the next of " + a.t.Name(), "Procfile": faultFiles["Procfile"]})
		p.succeeds()
		if err := a.gitRest(); err != nil {
			a.t.Error(err)
		}
	}
	a.waitForRest(next)
	if r.agent != nil {
		r.agent.Process.Signal(unix.SIGTERM)
		r.agent.Wait()
	}
}

// tellsMore matches what an operation says that failed and has changed something
// nevertheless.
var tellsMore = regexp.MustCompile(`the agent goes on trying|The agent keeps trying|a power loss may bring back|is called \S+ now`)

// check fails the test unless what serves is what main says (I3), nothing of
// another version was ever answered (I1, I4), nothing is left (I5, I9: see
// unrest), and the operation is done, or has changed nothing and said so (I7, I8).
func (r *cellRun) check() {
	a, c := r.app, r.cell
	a.t.Helper()
	if r.traffic != nil {
		r.traffic.answered(r.versions.stop())
	}
	if tip := a.tip("main"); tip != "" {
		a.serves(tip)
	}
	if o := r.attempt.other; o != nil {
		if left := o.left(); left != "" || exists(o.dir()) {
			a.t.Errorf("of the other name is left: %s", left)
		}
	}
	trash, _ := filepath.Glob(filepath.Join(a.root, ".dokku", "trash", "*"))
	if len(trash) > 0 && r.recovery == "agent that is started" {
		a.t.Errorf("the trash has %v", trash)
	}
	if !c.fault.other {
		r.outcome()
	}
}

// outcome compares what the operation has told with what it has done.
func (r *cellRun) outcome() {
	a, c := r.app, r.cell
	a.t.Helper()
	out, code := r.attempt.output(), r.attempt.cmd.ProcessState.ExitCode()
	if c.op.push {
		switch {
		case r.rejects && (code == 0 || r.accepted):
			a.t.Errorf("a version that does not start is accepted (%d)", code)
		case code == 0 && !r.accepted:
			a.t.Errorf("the push succeeds, and main is not at %s", r.rev)
		case !r.accepted && r.recovery != "push" && a.asked() != r.before:
			a.t.Errorf("the push was not accepted, and changed\n%s\ninto\n%s", r.before, a.asked())
		}
		return
	}
	switch done := r.attempt.done(); {
	case code == 0 && !done:
		a.t.Errorf("it was reported done, and is not")
	case code != 0 && done && !c.fault.kills && r.recovery != "command" && !tellsMore.MatchString(out):
		a.t.Errorf("it failed, is done all the same, and does not say so")
	}
}
