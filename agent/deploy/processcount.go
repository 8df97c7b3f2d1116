package deploy

import (
	"fmt"

	"dokku/agent/app"
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
	all, err := x.Env.otherProcesses(x.Name, x.Settings)
	if err == nil && all+n > most {
		err = fmt.Errorf("with the %d processes of %s, the apps of this server would run %d, more than %d; lower the counts, or: dokku ps:set --global %s NUMBER",
			n, x.Name, all+n, most, app.PropServerProcesses)
	}
	return err
}

// otherProcesses returns the number of processes of all apps but one.
func (e *Env) otherProcesses(name string, set app.Settings) (n int, err error) {
	names, err := e.Store.Apps()
	if err != nil {
		return 0, err
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
	}
	return n, nil
}
