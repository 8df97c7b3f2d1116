package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/inspect"
	"dokku/agent/repo"
	"dokku/scale"
)

// errPlanOnly ends every push with the option plan, so that git moves no ref.
var errPlanOnly = errors.New("plan only: nothing was built, and nothing has changed")

// A foresight says what a push would do.
type foresight struct {
	*building
	push   *push
	report *inspect.Report
	// lacks are the variables that app.json requires and that have no value.
	lacks error
}

// foresee prints what the push would do, and what is wrong with it. It builds and changes
// nothing, and always returns an error: git has to decline the push. Submodules and files
// of LFS are fetched into the app's cache, as by a push.
func (x *Session) foresee(ctx context.Context, p Push) error {
	err := x.foretell(ctx, p)
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(err, errPlanOnly)
}

func (x *Session) foretell(ctx context.Context, p Push) error {
	ref, adopt, err := x.deployRef(p.Refs, p.Origin.adopts())
	if err != nil || ref == nil {
		return err
	}
	if tip, err := repo.Ref(x.Dir, ref.Name); err != nil || cmp.Or(tip, ZeroID) != ref.Old {
		return cmp.Or(err, movedError(*ref, tip))
	}
	b, err := x.open(ctx, p.Objects, ref.New, p.Origin.cause(), p.Origin.source())
	if err != nil {
		return err
	}
	defer b.source.Close()
	f := &foresight{building: b, push: &push{session: x, ref: *ref, others: p.Refs, objects: p.Objects, adopt: adopt, origin: p.Origin}}
	if f.report, err = b.report(ctx); err != nil {
		return err
	}
	f.head()
	if f.report.Choice.Builder != "" {
		x.Log.Step("Builder")
		x.Log.Detail("%s", f.report.Choice)
	}
	switch {
	case f.report.Formation != nil:
		f.processes()
	case f.report.Unscaled != nil:
		x.Log.Step("Processes")
		x.Log.Detail("%s", inspect.Unfound)
		x.Log.Detail("%s", f.report.Unscaled)
	}
	f.checks()
	f.cron()
	f.ways()
	f.variables()
	f.problems(ctx)
	return nil
}

// head prints the release that the push would make, and the state that it would meet.
func (f *foresight) head() {
	x, r := f.session, f.release
	x.Log.Result("Plan of %s v%d: %s", x.Name, r.Number, r.Title())
	x.Log.Detail("%s", x.View().Serves())
	if tip, err := RolledBack(x.View()); err == nil && tip != "" {
		x.Log.Detail("v%d (%s) serves since a rollback from %s: this push ends that", x.Current.Number, x.Current.Short(), app.Short(tip))
	}
	if x.State.Stopped {
		x.Log.Detail("This push starts %s", x.Name)
	}
	if f.push.adopt != "" {
		x.Log.Detail("%s becomes the deploy branch", f.push.adopt)
	}
}

// processes prints the counts, and what the push would start, run and stop.
func (f *foresight) processes() {
	x, report := f.session, f.report
	now := x.formationNow()
	x.Log.Step("Processes, now -> then")
	for _, e := range report.Formation {
		x.Log.Detail("%s: %d -> %d (%s)", e.Type, now.Count(e.Type), e.Count, inspect.Origin(e))
	}
	for _, e := range now {
		if report.Formation.Origin(e.Type) == "" {
			x.Log.Detail("%s: %d -> 0 (the Procfile has no %[1]s any more)", e.Type, e.Count)
		}
	}
	for _, n := range report.Notes {
		if !n.Warning { // problems has the others
			x.Log.Detail("%s", n.Text)
		}
	}
	if report.Open {
		x.Log.Detail("The build may find other process types, since there is no Procfile")
	}
	f.commands()
	starts, stops := processes(x.View(), f.release, report.Formation, x.State.ProxyDisabled), processes(x.View(), nil, now, false)
	if len(starts) > 0 {
		x.Log.Detail("Starts %s", names(starts))
	}
	if len(stops) > 0 {
		x.Log.Detail("Stops %s of v%d", names(stops), x.Current.Number)
	}
	if alone := slices.DeleteFunc(starts, func(p app.Process) bool { return !p.Alone }); len(alone) > 0 && len(stops) > 0 {
		x.Log.Detail("Starts %s only after the end of the old ones", names(alone))
	}
}

// commands prints the commands that the deploy would run once.
func (f *foresight) commands() {
	x, c := f.session, f.release.Control
	release, _ := c.Procfile.Release()
	first := c.AppJSON.FirstDeploy
	if x.Current != nil || x.State.FirstScriptRan {
		first = ""
	}
	for _, once := range [][2]string{{"predeploy", c.AppJSON.Predeploy}, {"release", release}, {"postdeploy (at the first deploy)", first}, {"postdeploy", c.AppJSON.Postdeploy}} {
		if once[1] != "" {
			x.Log.Detail("Runs once: %s: %s", once[0], event.OneLine(once[1]))
		}
	}
}

// formationNow are the processes that run now, as far as they are wanted.
func (x *Session) formationNow() scale.Formation {
	if x.Current == nil || x.State.Stopped {
		return nil
	}
	f, err := x.View().FormationWith(x.State.Scale)
	if err != nil {
		return nil // a release of an older version; its push was accepted
	}
	return f
}

// checks prints the checks of all process types that run.
func (f *foresight) checks() {
	var types []string
	for _, e := range f.report.Formation {
		if e.Count > 0 {
			types = append(types, e.Type)
		}
	}
	lines := inspect.Describe(f.report.Checks, types)
	if len(lines) == 0 {
		return
	}
	f.session.Log.Step("Checks")
	for _, line := range lines {
		f.session.Log.Detail("%s", event.OneLine(line))
	}
}

// cron prints the cron tasks that would run.
func (f *foresight) cron() {
	lines := inspect.DescribeCron(f.release)
	if len(lines) == 0 {
		return
	}
	f.session.Log.Step("Cron tasks")
	for _, line := range lines {
		f.session.Log.Detail("%s", event.OneLine(line))
	}
}

// variables prints what becomes of the variables that app.json asks for.
func (f *foresight) variables() {
	x, env := f.session, f.release.Control.AppJSON
	present := f.release.Environment(app.Process{Type: scale.Web, Index: 1})
	set, missing := env.Variables(present, x.Current == nil, func() string { return "secret" })
	if len(missing) > 0 {
		f.lacks = &UnsetError{x.Name, f.release.RepositoryPath(app.FileAppJSON), missing}
	}
	if len(env.Env) == 0 {
		return
	}
	x.Log.Step("Variables of app.json")
	lacking := variables(missing)
	for _, v := range env.Env {
		x.Log.Detail("%s %s", v.Name, becomes(v, set, present, lacking))
	}
	if x.Current != nil {
		unsetSince(x, env, present)
	}
}

// problems prints what is wrong with the push: errors would reject it.
func (f *foresight) problems(ctx context.Context) {
	x := f.session
	warnings := f.report.Warnings()
	errs := []error{f.report.Err(), f.lacks, f.push.acceptable(), reachableFirst(x.View()), x.Env.checkOptions(ctx, x.View(), f.release.ContainerOptions), x.swarmReady(ctx, f.release)}
	if f.report.Formation != nil && !f.report.Open {
		errs = append(errs, keepsWeb(x, f.release, f.report.Formation))
	}
	errs = append(errs, x.Env.CheckSpace("build", x.Log))
	if x.State.Locked {
		errs = append(errs, fmt.Errorf("%s is locked, so a push is rejected: dokku apps:unlock %[1]s", x.Name))
	}
	if x.View().Property(app.PropSkipDeploy) == "true" {
		warnings = append(warnings, "skip-deploy is set: the push is accepted and not deployed")
	}
	if err := errors.Join(errs...); err != nil || len(warnings) > 0 {
		x.Log.Step("Problems")
		for _, w := range warnings {
			x.warn(w)
		}
		if err != nil {
			x.Log.Error("%s", err)
		}
		return
	}
	x.Log.Step("No problems found")
}
