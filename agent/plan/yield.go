package plan

import (
	"slices"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// MayRun reports whether a container's process runs, or may begin to run by itself: the
// engine restarts it, or still carries out the start of a client that was killed.
func MayRun(i engine.Instance) bool {
	return i.Status != engine.StatusExited && i.Status != engine.StatusRemoving && i.Status != engine.StatusDead
}

// Yield returns the step by which a container makes way for a process.
func Yield(i engine.Instance, to app.Process) Step {
	return Step{Action: ActYield, ID: i.ID, Name: i.Name, Running: true, Cause: "before " + to.String() + " starts"}
}

// yield ends the containers beside which a process may not start: those of its type that
// satisfy no wanted process. Of a type that may overlap these are only those of a version
// that was never current. That version's files may say that the type is exclusive, and
// the current release's need not; it has taken over if the process is missing.
func (p *planner) yield(to app.Process) {
	p.w.Instances = slices.DeleteFunc(p.w.Instances, func(i engine.Instance) bool {
		if i.Kind != engine.KindDeploy || i.Type != to.Type || !MayRun(i) || p.satisfies(i) || p.inGroup(i) || !to.Alone && !p.neverCurrent(i) {
			return false
		}
		s := Yield(i, to)
		s.Kill = p.neverServed(i)
		p.add(s)
		return true
	})
}

// inOrder returns the desired processes in the order of their starts: those that wait for
// the end of others come last.
func (p *planner) inOrder() []app.Process {
	list := slices.Clone(p.d.Want)
	slices.SortStableFunc(list, func(a, b app.Process) int {
		switch {
		case a.Alone == b.Alone:
			return 0
		case b.Alone:
			return -1
		}
		return 1
	})
	return list
}

// satisfies reports whether a container is one of the wanted processes.
func (p *planner) satisfies(i engine.Instance) bool {
	_, retiring := p.d.Retiring[i.ID]
	return p.current(i) && !retiring && slices.ContainsFunc(p.d.Want, func(w app.Process) bool {
		return w.Type == i.Type && w.Index == i.Index && w.HostPort == i.HostPort
	})
}

// neverCurrent reports whether a container is of a version that was never current.
func (p *planner) neverCurrent(i engine.Instance) bool {
	return i.Kind == engine.KindDeploy && !p.current(i) && i.Release >= p.d.Release
}

// neverServed reports whether an unwanted container is a web process of a version that
// was never current: no request can be lost with it, so it needs no time to end. A worker
// may have taken a job.
func (p *planner) neverServed(i engine.Instance) bool {
	return i.Type == "web" && i.HostPort == 0 && p.neverCurrent(i)
}
