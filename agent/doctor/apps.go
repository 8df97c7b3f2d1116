package doctor

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/plan"
	"dokku/agent/repo"
	"dokku/agent/text"
)

// folders are the apps, readable or not.
func (d *Examination) folders() []string {
	apps, _ := d.Server.Env.Store.Apps() // checkStray tells why not
	return apps
}

// checkApp looks at one app. What cannot be read cannot be compared with what
// runs.
func (d *Examination) checkApp(ctx context.Context, app string) []Finding {
	a, list := d.checkState(app)
	list = slices.Concat(list, d.checkModes(app), d.checkRepository(app))
	if a != nil {
		list = slices.Concat(list, d.checkDeploy(a), d.checkProblem(app), d.checkProcesses(ctx, a))
	}
	for i := range list {
		list[i].App = app
	}
	return list
}

// reconciled makes a finding one that reconciling the app mends.
func (d *Examination) reconciled(app string, f Finding) Finding {
	if f.Mend == "" {
		f.Mend = "dokku doctor " + app + " --fix"
	}
	return f.fixed("reconcile "+app, func(ctx context.Context) error {
		if _, busy, _ := d.Server.Env.Store.Peek(app); busy {
			return fmt.Errorf("%s is being worked on", app)
		}
		return d.Server.Reconcile(ctx, app, event.Log{})
	})
}

// checkDeploy looks for what was begun and is not finished, although nobody is at
// work on it.
func (d *Examination) checkDeploy(a *app.App) []Finding {
	const check = "deploy"
	h, busy, abandoned := d.Server.Env.Store.Peek(a.Name)
	if busy {
		return fine(check, "under way (%s)", h)
	}
	var list []Finding
	add := func(is bool, format string, args ...any) {
		if is {
			list = append(list, d.reconciled(a.Name, wrong(check, HealthProblem, "", format, args...)))
		}
	}
	add(abandoned, "%s was killed, process %d, %s ago", h.Step, h.PID, time.Since(h.Since).Round(time.Second))
	st := a.State
	if st.Staged != nil {
		add(time.Since(st.Staged.Since) > deploy.OwnerPatience, "v%d is staged since %s, and git has not accepted it",
			st.Staged.Release, st.Staged.Since.Format(time.RFC3339))
	}
	add(st.Destroying, "apps:destroy has begun and was not finished")
	fi, err := os.Stat(d.Server.Env.Store.File(a.Name, "state.json"))
	old := err == nil && time.Since(fi.ModTime()) > halfDone
	add(st.Provisional && old && !repo.Pushing(a.Dir), "the app was made by a push of which nothing was accepted")
	if r := st.Renamed; r != nil && old {
		add(r.From == a.Name, "a rename has begun and was not finished")
		add(r.From != a.Name && r.Redeploy, "the processes from when the app was %s were not replaced yet", r.From)
	}
	if list != nil {
		return list
	}
	if a.Current == nil {
		return fine(check, "never deployed")
	}
	return fine(check, "v%d, %s", a.Current.Number, a.Current.Revision[:min(7, len(a.Current.Revision))])
}

// checkProblem repeats what the last attempt to bring the app where it should be
// ended with.
func (d *Examination) checkProblem(app string) []Finding {
	const check = "problem"
	p, err := d.Server.Env.Store.Problem(app)
	switch {
	case err != nil:
		return []Finding{d.reconciled(app, wrong(check, HealthProblem, "", "%s", err))}
	case p == nil:
		return fine(check, "none is recorded")
	}
	return []Finding{d.reconciled(app, wrong(check, HealthProblem, "", "since %s: %s", p.Since.Format(time.RFC3339), p.Text))}
}

// checkProcesses compares what runs with what was asked for, and with what
// converging would do. An app that somebody works on is on its way.
func (d *Examination) checkProcesses(ctx context.Context, a *app.App) []Finding {
	const check = "processes"
	if _, err := d.engine(); err != nil {
		return []Finding{wrong(check, HealthWarning, service("start", "docker"), "cannot be told while the engine does not answer")}
	}
	if d.moving(a) {
		return fine(check, "a deploy is under way")
	}
	host, err := d.Server.Env.Engine(d.set)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "%s", err)}
	}
	o, err := deploy.Observe(ctx, host, a)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "%s", err)}
	}
	v := app.View{App: a, Settings: d.set}
	want, err := deploy.Desired(d.Server.Env.Store, v)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "cannot tell what is to run: %s", err)}
	}
	list := d.CompareProcesses(a, want, o)
	list = append(list, d.surplus(ctx, v, want, o)...)
	if list != nil && d.moving(a) {
		return fine(check, "a deploy is under way")
	}
	if list != nil {
		return list
	}
	switch {
	case a.Current == nil:
		return fine(check, "none: never deployed")
	case a.State.Stopped:
		return fine(check, "stopped (ps:stop)")
	}
	return fine(check, "%d run, as asked for", len(want.Want))
}

// moving reports whether somebody is changing what runs: whoever has the lock, or
// the git that is about to accept a release.
func (d *Examination) moving(a *app.App) bool {
	_, busy, _ := d.Server.Env.Store.Peek(a.Name)
	now, err := d.Server.Env.Store.Load(a.Name)
	return busy || err != nil || now.State.Staged != nil || now.State.Current != a.State.Current
}

// CompareProcesses says of each process that should run why it does not. What is
// missing is made by reconciling; what has ended stays so, since its restart
// policy has decided, or somebody has stopped it.
func (d *Examination) CompareProcesses(a *app.App, want plan.Desired, o engine.Observed) []Finding {
	const check = "processes"
	if want.Stopped {
		return nil
	}
	w := plan.Observation{Observed: o}
	var list []Finding
	for _, process := range want.Want {
		logs := fmt.Sprintf("dokku logs %s -p %s", a.Name, process)
		switch i, found := plan.Find(want, w, process); {
		case !found:
			list = append(list, d.reconciled(a.Name, wrong(check, HealthProblem, "", "%s is missing", process)))
		case i.Status == engine.StatusRestarting:
			list = append(list, wrong(check, HealthProblem, logs, "%s ends again and again%s, %s so far", process, deploy.Ending(i), text.Plural(i.Restarts, "restart")))
		case i.Status == engine.StatusPaused:
			list = append(list, wrong(check, HealthProblem, "docker unpause "+i.Name, "%s is paused", process))
		case !i.Running():
			list = append(list, wrong(check, HealthProblem, fmt.Sprintf("dokku ps:start %s (why it ended: %s)", a.Name, logs),
				"%s has ended%s at %s", process, deploy.Ending(i), i.Finished.Format(time.RFC3339)))
		}
	}
	return list
}

// surplus is what converging would remove, or lead nginx to: a plan is made and
// not carried out. What ended or was due to retire only just now is the agent's.
func (d *Examination) surplus(ctx context.Context, x app.View, want plan.Desired, o engine.Observed) []Finding {
	w := plan.Observation{Observed: o, Now: time.Now().Add(-time.Minute), Clients: deploy.Clients(o.Instances)}
	for _, n := range o.Networks {
		if n.App == x.Name {
			w.Network = n
		}
	}
	px := d.Server.Env.Proxy(d.set)
	live, ok, err := deploy.Live(ctx, px, x.App)
	if err != nil {
		return []Finding{wrong("route", HealthWarning, "dokku doctor", "%s", err)}
	}
	if ok {
		w.Live = &live
	}
	var list []Finding
	add := func(check, format string, args ...any) {
		list = append(list, d.reconciled(x.Name, wrong(check, HealthWarning, "", format, args...)))
	}
	missing := false
	for _, s := range plan.Plan(want, w) {
		switch s.Action {
		case plan.ActStart:
			missing = true
		case plan.ActRetire:
			if !retiresNow(x, o, s.ID) {
				add("leftovers", "container %s is not needed: %s", s.Name, s.Cause)
			}
		case plan.ActRemove:
			add("leftovers", "%s %s is not needed: %s", s.Kind, short(s.ID), s.Cause)
		case plan.ActPublish, plan.ActWithdraw:
			if !missing {
				add("route", "nginx does not lead to what runs")
			}
		}
	}
	return list
}

// retiresNow reports whether a container is about to be removed by the agent.
func retiresNow(x app.View, o engine.Observed, id string) bool {
	due, retiring := x.State.Retiring[id]
	if retiring {
		return time.Since(due) < time.Minute
	}
	return slices.ContainsFunc(o.Instances, func(i engine.Instance) bool {
		return i.ID == id && !i.Finished.IsZero() && time.Since(i.Finished) < time.Minute
	})
}

func short(id string) string {
	if len(id) > 19 {
		return id[:19]
	}
	return id
}
