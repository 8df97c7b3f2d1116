package fault

import (
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"

	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/load"
)

// A cellRun is a running cell.
type cellRun struct {
	*bench
	*attempt
	app      *lab.App
	cell     cell
	recovery string
	before   string // the settings
	first    string // the revision of main
	accepted bool   // git has moved main
	versions *load.History
	traffic  *load.Traffic
}

// strike waits for the fault and for the operation's end.
func (r *cellRun) strike() bool {
	f := r.cell.fault
	t := r.app.Lab.T
	if f.action != "" {
		lab.WaitFor(t, "the point is reached", func() bool { return r.points().Struck() || r.attempt.Ended() })
	}
	struck := r.points().Struck()
	if struck && f.held != nil {
		f.held(r.bench, r.app, r.attempt)
	}
	r.points().Release()
	r.attempt.Wait()
	if struck && f.ended != nil {
		f.ended(r.bench, r.app)
	}
	waitSlowly(t, func() error { return busy(r.app) })
	if r.attempt.other != nil && r.attempt.done() {
		r.app, r.attempt.other = r.attempt.other, r.app
	}
	r.accepted = r.rev != "" && r.app.Tip("main") == r.rev
	return struck
}

// recover runs the cell's recovery until the app is at rest.
func (r *cellRun) recover() {
	a := r.app
	a.Lab.T.Logf("recovers: %s; it ended with %d:\n%s", r.recovery, r.attempt.Cmd.ProcessState.ExitCode(), r.attempt.Output())
	next := func() { a.Lab.Try("ps:restore", a.Name) }
	switch {
	case r.cell.point == "":
	case r.cell.op.verb() == "apps:destroy" && r.recovery == "command":
		if out, code := a.Lab.Try("apps:destroy", a.Name, "--force"); code != 0 && code != 20 {
			a.Lab.T.Fatalf("apps:destroy cannot be repeated:\n%s", out)
		}
	case r.recovery == "agent that is started":
		r.StartAgent()
		next = func() {}
	case r.recovery == "agent that runs":
		next = func() {}
	case r.recovery == "push" && (r.cell.op.first() || lab.Exists(a.Dir())):
		if r.traffic != nil && r.cell.fault.other && !lab.Exists(a.Dir()) {
			return
		}
		next := *a
		p := pushes(&next, lab.Files{"version": "the next of " + a.Lab.T.Name(), "Procfile": appFiles["Procfile"]})
		p.Succeeds()
		if err := gitRest(a); err != nil {
			a.Lab.T.Error(err)
		}
	}
	waitForRest(a, next)
	if r.Agent != nil {
		r.Agent.Process.Signal(unix.SIGTERM)
		r.Agent.Wait()
	}
}

// tellsMore matches what an operation says that failed and has changed something
// nevertheless.
var tellsMore = regexp.MustCompile(`[Tt]he agent will retry|a power loss may bring back|is called \S+ now`)

// check fails the test unless the served version matches main (I3), no other version ever
// answered (I1, I4), the app is at rest (I5, I9: see unrest), and the operation is done, or
// has changed nothing and said so (I7, I8).
func (r *cellRun) check() {
	a, c := r.app, r.cell
	a.Lab.T.Helper()
	if r.traffic != nil {
		r.traffic.Answered(r.versions.Stop())
	}
	if tip := a.Tip("main"); tip != "" {
		a.Serves(tip)
	}
	if o := r.attempt.other; o != nil {
		if left := o.Left(); left != "" || lab.Exists(o.Dir()) {
			a.Lab.T.Errorf("of the other name is left: %s", left)
		}
	}
	trash, _ := filepath.Glob(filepath.Join(a.Lab.Root, ".dokku", "trash", "*"))
	if len(trash) > 0 && r.recovery == "agent that is started" {
		a.Lab.T.Errorf("the trash has %v", trash)
	}
	if !c.fault.other {
		r.outcome()
	}
}

// outcome compares the operation's report with its effect.
func (r *cellRun) outcome() {
	a, c := r.app, r.cell
	a.Lab.T.Helper()
	out, code := r.attempt.Output(), r.attempt.Cmd.ProcessState.ExitCode()
	if c.op.pushes() {
		switch {
		case r.rejects && (code == 0 || r.accepted):
			a.Lab.T.Errorf("a version that does not start is accepted (%d)", code)
		case code == 0 && !r.accepted:
			a.Lab.T.Errorf("the push succeeds, and main is not at %s", r.rev)
		case !r.accepted && r.recovery != "push" && asked(a) != r.before:
			a.Lab.T.Errorf("the push was not accepted, and changed\n%s\ninto\n%s", r.before, asked(a))
		}
		return
	}
	switch done := r.attempt.done(); {
	case code == 0 && !done:
		a.Lab.T.Errorf("it was reported done, and is not")
	case code != 0 && done && !c.fault.kills && r.recovery != "command" && !tellsMore.MatchString(out):
		a.Lab.T.Errorf("it failed, is done all the same, and does not say so")
	}
}
