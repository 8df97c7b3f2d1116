package deploy

import (
	"slices"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// EndOf describes the end of a container's process. i is the container right after it.
func EndOf(i engine.Instance, at time.Time, code int) app.End {
	e := app.End{At: at, Container: i.ID, Process: app.Process{Type: i.Type, Index: i.Index}.String(), ExitCode: code, Memory: i.Limits.Memory,
		Restarted: i.Running() || i.Status == engine.StatusRestarting, Restarts: i.Restarts, Policy: i.Policy.String()}
	e.OOMKilled = i.OOMKilled && !i.Running()
	return e
}

// Wanted reports whether a container's process should run: its end is then worth a line in
// the logs. Otherwise an operation has ended it.
func Wanted(v app.View, i engine.Instance) bool {
	if v.Current == nil || v.State.Stopped || v.State.Destroying || i.Kind != engine.KindDeploy ||
		v.Current.Identity(i.Type) != (app.Identity{Release: i.Release, Attempt: i.Attempt}) {
		return false
	}
	if _, retiring := v.State.Retiring[i.ID]; retiring {
		return false
	}
	return WantsProcess(v, app.Process{Type: i.Type, Index: i.Index}.String())
}

// WantsProcess reports whether a process, "web.1", is one of those that the app's current
// release should run.
func WantsProcess(v app.View, process string) bool {
	f, err := v.FormationWith(v.State.Scale)
	return err == nil && slices.ContainsFunc(processes(v, nil, f, false), func(p app.Process) bool { return p.String() == process })
}
