package deploy

import (
	"fmt"
	"time"

	"dokku/agent/app"
	"dokku/agent/plan"
	"dokku/agent/text"
	"dokku/scale"
)

// processesOf returns the number of processes of a formation.
func processesOf(f scale.Formation) (n int) {
	for _, e := range f {
		n += e.Count
	}
	return n
}

// checkProcesses refuses a formation with more processes than the app or the server may
// have. One that has no more than the app has now is accepted: a lower limit does not keep an
// app from being deployed.
func (x *Session) checkProcesses(f scale.Formation) error {
	v := x.View()
	n := processesOf(f)
	if x.Current != nil && !x.State.Stopped {
		if now, err := v.FormationWith(x.State.Scale); err == nil && n <= processesOf(now) {
			return nil
		}
	}
	most, err := v.PSNumber(app.PropMaxProcesses)
	if err != nil {
		return err
	}
	if n > most {
		return fmt.Errorf("%s would run %d processes, more than %d; lower the counts, or: dokku ps:set %[1]s %[4]s NUMBER", x.Name, n, most, app.PropMaxProcesses)
	}
	if most, err = v.PSNumber(app.PropServerProcesses); err != nil {
		return err
	}
	all, _, err := x.Env.otherProcesses(x.Name, x.Settings)
	if err == nil && all+n > most {
		err = fmt.Errorf("with the %d processes of %s, the apps of this server would run %d, more than %d; lower the counts, or: dokku ps:set --global %s NUMBER",
			n, x.Name, all+n, most, app.PropServerProcesses)
	}
	return err
}

// otherProcesses returns the number of processes of all apps but one, and of those that retire.
func (e *Env) otherProcesses(name string, set app.Settings) (n, retiring int, err error) {
	names, err := e.Store.Apps()
	if err != nil {
		return 0, 0, err
	}
	for _, other := range names {
		if other == name {
			continue
		}
		a, err := e.Store.Load(other)
		if err != nil || a.Current == nil || a.State.Stopped {
			continue // an app that cannot be read is named by doctor, and is no reason to refuse this one
		}
		if f, err := (app.View{App: a, Settings: set}).FormationWith(a.State.Scale); err == nil {
			n += processesOf(f)
		}
		retiring += len(a.State.Retiring)
	}
	return n, retiring, nil
}

// mostRetiring is the number of processes of an app that may retire for longer than
// plan.ShortRetire: what its processes leave of the maximum, but at least as many as it has,
// so that those of one version always may.
func mostRetiring(v app.View, f scale.Formation) int {
	n := processesOf(f)
	most, err := v.PSNumber(app.PropMaxProcesses)
	if err != nil {
		most = 0 // whoever deploys is told
	}
	return max(most-n, n, 1)
}

// waitToRetire is the wait to retire of the processes of a step. Whatever was asked for, it is
// short for the oldest of an app's that are too many, and while the server runs more processes
// than it may with those that retire.
func (x *Session) waitToRetire(s plan.Step) time.Duration {
	wait := WaitToRetire(x.View())
	if wait <= plan.ShortRetire || !s.Short && x.serverHasRoom(s.IDs) {
		return wait
	}
	x.warn(fmt.Sprintf("%s of earlier versions of %s get %g seconds to end, not %g: more would run than %s or %s allows",
		text.Plural(len(s.IDs), "container"), x.Name, plan.ShortRetire.Seconds(), wait.Seconds(), app.PropMaxProcesses, app.PropServerProcesses))
	return plan.ShortRetire
}

// serverHasRoom reports whether all processes of the server are no more than it may have if
// these of this app retire too.
func (x *Session) serverHasRoom(ids []string) bool {
	v := x.View()
	most, err := v.PSNumber(app.PropServerProcesses)
	if err != nil {
		return true
	}
	all, retiring, err := x.Env.otherProcesses(x.Name, x.Settings)
	own, ferr := v.FormationWith(x.State.Scale)
	retiring += len(x.State.Retiring)
	for _, id := range ids {
		if _, known := x.State.Retiring[id]; !known {
			retiring++
		}
	}
	return err != nil || ferr != nil || all+retiring+processesOf(own) <= most
}
