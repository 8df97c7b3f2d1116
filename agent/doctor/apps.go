package doctor

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/plan"
	"dokku/agent/repo"
	"dokku/scale"
)

// folders lists the apps, readable or not.
func (d *examination) folders() []string {
	apps, _ := d.Server.Env.Store.Apps() // checkStray tells why not
	return apps
}

// checkApp checks one app. If its state cannot be read, it skips the checks that need it.
func (d *examination) checkApp(ctx context.Context, app string) []Finding {
	a, list := d.checkState(app)
	list = slices.Concat(list, d.checkModes(app), d.checkRepository(app))
	if a != nil {
		list = slices.Concat(list, d.checkDeploy(a), d.checkProblem(app), d.checkCertificate(a), d.checkHooks(app, a.State.Hooks), d.checkIsolation(a), d.checkProcesses(ctx, a))
	}
	for i := range list {
		list[i].App = app
	}
	return list
}

// reconciled returns the finding with reconciling the app as its fix.
func (d *examination) reconciled(app string, f Finding) Finding {
	if f.Fix == "" {
		f.Fix = "dokku doctor " + app + " --fix"
	}
	return f.fixable("reconcile "+app, func(ctx context.Context) error {
		if _, busy, _ := d.Server.Env.Store.Peek(app); busy {
			return fmt.Errorf("%s is being worked on", app)
		}
		return d.Server.Reconcile(ctx, app, event.Log{})
	})
}

// checkDeploy looks for unfinished operations that no process works on.
func (d *examination) checkDeploy(a *app.App) []Finding {
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
		add(time.Since(st.Staged.Since) > deploy.OwnerPatience, "v%d has been staged since %s, and git has not accepted it",
			st.Staged.Release, st.Staged.Since.Format(time.RFC3339))
	}
	add(st.Destroying, "apps:destroy was not finished")
	fi, err := os.Stat(d.Server.Env.Store.File(a.Name, "state.json"))
	old := err == nil && time.Since(fi.ModTime()) > halfDone
	add(st.Provisional && old && !repo.Pushing(a.Dir), "the app was created by a push that was not accepted")
	if r := st.Renamed; r != nil && old {
		add(r.From == a.Name, "a rename was not finished")
		add(r.From != a.Name && r.Redeploy, "the processes from when the app was %s have not been replaced yet", r.From)
	}
	if list != nil {
		return list
	}
	switch {
	case !st.Kept.IsZero():
		return fine(check, "never deployed: no push succeeded; it goes on %s if nothing is set or deployed",
			st.Kept.Add(app.KeptAge).Format(time.RFC3339))
	case a.Current == nil:
		return fine(check, "never deployed")
	}
	return fine(check, "v%d, %s", a.Current.Number, a.Current.Short())
}

// checkProblem reports the error of the last attempt to converge the app.
func (d *examination) checkProblem(app string) []Finding {
	const check = "problem"
	p, err := d.Server.Env.Store.Problem(app)
	switch {
	case err != nil:
		return []Finding{d.reconciled(app, wrong(check, HealthProblem, "", "%s", err))}
	case p == nil:
		return fine(check, "none is recorded")
	}
	fix := ""
	if strings.Contains(p.Text, engine.ErrNoImage.Error()) {
		fix = rebuild(app)
	}
	return []Finding{d.reconciled(app, wrong(check, HealthProblem, fix, "since %s: %s", p.Since.Format(time.RFC3339), p.Text))}
}

// checkProcesses compares the running containers with the desired state, and makes the
// plan that would converge the app. It reports nothing during a deploy.
func (d *examination) checkProcesses(ctx context.Context, a *app.App) []Finding {
	const check = "processes"
	if _, err := d.engine(); err != nil {
		return []Finding{wrong(check, HealthWarning, service("start", "docker"), "cannot be told while the engine does not answer")}
	}
	if d.moving(a) {
		return sums(fine(check, "a deploy is under way"))
	}
	host, err := d.Server.Env.Engine(d.set)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "%s", err)}
	}
	o, err := deploy.Observe(ctx, host, a)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "%s", err)}
	}
	if a.Current.OnSwarm() && o.Unseen != nil {
		return []Finding{wrong(check, HealthProblem, "dokku cluster:nodes", "cannot be seen on the swarm: %s", o.Unseen)}
	}
	v := app.View{App: a, Settings: d.set}
	want, err := deploy.Desired(d.Server.Env.Store, v)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "cannot tell which processes should run: %s", err)}
	}
	imageless, list := d.checkImage(ctx, host, a)
	for _, f := range d.compareProcesses(ctx, a, want, o) {
		if imageless && f.Fixable {
			f = wrong(f.Check, f.Status, rebuild(a.Name), "%s", f.Text) // reconciling cannot start it
		}
		list = append(list, f)
	}
	list = append(list, d.surplus(ctx, v, want, o)...)
	if list != nil && d.moving(a) {
		return sums(fine(check, "a deploy is under way"))
	}
	if list != nil {
		return list
	}
	if d.unled(v, want) {
		return []Finding{wrong(check, HealthProblem, "dokku certs:add "+a.Name+" CRT KEY", "web runs, but nobody reaches it: its ports are for TLS alone, "+
			"and no certificate is valid for its domains")}
	}
	return sums(fine(check, "%s", d.running(v, want)))
}

// unled reports whether web should run, and no URL leads to it.
func (d *examination) unled(v app.View, want plan.Desired) bool {
	web := slices.ContainsFunc(want.Want, func(p app.Process) bool { return p.Type == scale.Web })
	return web && !v.State.Stopped && len(d.Server.Env.URLsOf(v)) == 0
}

// running says what runs of a healthy app, and where it answers: "2 web, 1 worker
// running, http://hello.example.com".
func (d *examination) running(v app.View, want plan.Desired) string {
	switch {
	case v.Current == nil:
		return "never deployed"
	case v.State.Stopped:
		return "stopped (ps:stop)"
	case len(want.Want) == 0:
		return "runs nothing: every process type has 0 processes"
	}
	var parts []string
	count := map[string]int{}
	for _, p := range want.Want {
		count[p.Type]++
	}
	for _, typ := range slices.Sorted(maps.Keys(count)) {
		part := fmt.Sprintf("%d %s", count[typ], typ)
		if typ == scale.Web {
			parts = slices.Insert(parts, 0, part)
		} else {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, ", ") + " running"
	if count[scale.Web] == 0 { // a URL without web leads nowhere
		return text
	}
	urls := d.Server.Env.URLsOf(v)
	text += ", " + urls[0]
	if more := len(urls) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	if v.State.Maintenance {
		text += ", in maintenance (maintenance:enable)"
	}
	return text
}

// sums marks the finding that alone is an app's line in an overview.
func sums(list []Finding) []Finding {
	list[0].Sums = true
	return list
}

// moving reports whether an operation changes the app: a process holds its lock, git is
// about to accept a release, or the current release has changed.
func (d *examination) moving(a *app.App) bool {
	_, busy, _ := d.Server.Env.Store.Peek(a.Name)
	now, err := d.Server.Env.Store.Load(a.Name)
	return busy || err != nil || now.State.Staged != nil || now.State.Current != a.State.Current
}

// compareProcesses reports each process that should run and does not. Reconciling starts
// missing processes. It does not start a process that has ended: its restart policy
// decided so, or an administrator stopped it.
func (d *examination) compareProcesses(ctx context.Context, a *app.App, want plan.Desired, o engine.Observed) []Finding {
	const check = "processes"
	if want.Stopped {
		return nil
	}
	w := plan.Observation{Observed: o}
	var list []Finding
	for _, process := range want.Want {
		switch i, found := plan.Find(want, w, process); {
		case !found:
			list = append(list, d.reconciled(a.Name, wrong(check, HealthProblem, "", "%s is missing", process)))
		default:
			if ailment := d.Server.Env.Ailment(ctx, a.Current, i); ailment != "" {
				list = append(list, wrong(check, HealthProblem, remedy(a.Name, process.String(), i), "%s %s", process, ailment))
			}
		}
	}
	return list
}

// remedy is the command to try first for a process that ails.
func remedy(app, process string, i engine.Instance) string {
	logs := fmt.Sprintf("dokku logs %s -p %s", app, process)
	switch {
	case i.Status == engine.StatusLost, i.Placed() && i.Status == engine.StatusCreated:
		return "dokku cluster:nodes"
	case i.Status == engine.StatusPaused:
		return "docker unpause " + i.Name
	case i.Status == engine.StatusRestarting, i.Unhealthy != "":
		return logs
	case i.Running():
		return "dokku checks:run " + app
	}
	return fmt.Sprintf("dokku ps:start %s (why it ended: %s)", app, logs)
}

// surplus reports the resources that converging would remove, and a wrong route. It
// makes a plan without carrying it out. It leaves recently ended and retiring
// containers to the agent.
func (d *examination) surplus(ctx context.Context, x app.View, want plan.Desired, o engine.Observed) []Finding {
	w := plan.Observation{Observed: o, Now: time.Now().Add(-time.Minute), Clients: deploy.Clients(o.Instances)}
	for _, n := range o.Networks {
		if n.App == x.Name && !n.Overlay {
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
				add("route", "nginx does not route to the running processes")
			}
		}
	}
	return list
}

// retiresNow reports whether the agent is about to remove a container.
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
