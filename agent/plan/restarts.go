package plan

import (
	"time"

	"dokku/agent/engine"
)

// HealthyTime is how long a process has to run until its earlier restarts no longer count.
const HealthyTime = time.Hour

// counts reports whether a container has restarts that its policy limits.
func counts(i engine.Instance) bool {
	return i.Kind == engine.KindDeploy && !i.Placed() && i.Running() && i.Restarts > 0 && i.Policy.Max > 0
}

// forgive forgets the restarts of processes that have run long enough since, and mends
// the limits of those that the engine itself has started. It is the last that a plan does:
// the app serves as desired without it.
func (p *planner) forgive() {
	for _, i := range p.w.Instances {
		switch {
		case !p.chosen[i.ID] || i.Placed():
		case i.StaleLimit && i.Kind == engine.KindDeploy && i.Running():
			p.add(Step{Action: ActReset, ID: i.ID, Name: i.Name, Cause: "the engine has started it and forgotten its restarts"})
		case counts(i) && !i.Started.Add(HealthyTime).After(p.w.Now):
			p.add(Step{Action: ActReset, ID: i.ID, Name: i.Name, Cause: "it has run for an hour since its last restart"})
		}
	}
}

// NextReset returns the time from which the restarts of another process are forgotten; zero:
// there is no such process.
func NextReset(w Observation) (next time.Time) {
	for _, i := range w.Instances {
		if at := i.Started.Add(HealthyTime); counts(i) && at.After(w.Now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}
