package plan

import (
	"fmt"
	"slices"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// place plans a process that the swarm runs. The swarm chooses its node, its name and its
// address, and starts it again when it ends or when its node is lost.
func (p *planner) place(want app.Process, i engine.Instance, found bool) {
	switch {
	case !found:
		first, last := p.run(want)
		p.yield(want)
		p.makeRoom(want, first)
		p.awaits = p.awaits || want.Type == "web"
		p.add(Step{Action: ActStart, Process: want, Name: fmt.Sprintf("%s.%s", p.d.App, want), First: first, Count: last - first + 1, Cause: "it is missing"})
	case want.Type == "web" && i.Running():
		if at := i.Reach(p.d.Port); at.IsValid() && !slices.Contains(p.serving, at) {
			p.serving, p.secure = append(p.serving, at), i.Secure
		}
	}
}

// run returns the indexes of the missing processes around one: they become a group.
func (p *planner) run(want app.Process) (first, last int) {
	missing := func(index int) bool {
		at := slices.IndexFunc(p.d.Want, func(w app.Process) bool { return w.Type == want.Type && w.Index == index })
		if at < 0 {
			return false
		}
		_, found := p.find(p.d.Want[at])
		return !found
	}
	for first = want.Index; missing(first - 1); first-- {
	}
	for last = want.Index; missing(last + 1); last++ {
	}
	return first, last
}

// makeRoom ends the group that retires where another one starts that is called the same: the
// start would find that one.
func (p *planner) makeRoom(want app.Process, first int) {
	retires := func(i engine.Instance) bool {
		_, retiring := p.d.Retiring[i.ID]
		return i.Placed() && retiring && p.current(i) && i.Type == want.Type &&
			!slices.ContainsFunc(p.group(i), func(o engine.Instance) bool { return o.Index < first }) &&
			slices.ContainsFunc(p.group(i), func(o engine.Instance) bool { return o.Index == first })
	}
	for _, i := range p.w.Instances {
		if retires(i) {
			p.add(Yield(i, want))
		}
	}
	p.w.Instances = slices.DeleteFunc(slices.Clone(p.w.Instances), retires)
}

// unserved reports whether no web process of the release has an address, since all have
// ended or their nodes are lost. The route then stays as it is: the former processes serve if
// they are still there, and else those that come back.
func (p *planner) unserved() bool {
	return p.d.Scheduled && !p.d.Stopped && p.d.Route != nil && !p.d.Listener.IsValid() && len(p.serving) == 0 &&
		slices.ContainsFunc(p.d.Want, func(w app.Process) bool { return w.Type == "web" })
}

// group returns the processes that end together with one.
func (p *planner) group(i engine.Instance) (list []engine.Instance) {
	for _, o := range p.w.Instances {
		if o.Group == i.Group {
			list = append(list, o)
		}
	}
	return list
}

// joined reports whether a process is in the group of a chosen one.
func (p *planner) joined(i engine.Instance) bool {
	return i.Placed() && slices.ContainsFunc(p.group(i), func(o engine.Instance) bool { return p.chosen[o.ID] })
}

// inGroup reports whether a process is in the group of the current release, wanted or not.
func (p *planner) inGroup(i engine.Instance) bool {
	_, retiring := p.d.Retiring[i.ID]
	return i.Placed() && p.current(i) && !retiring
}

// retirePlaced ends a process that the swarm has placed, once nothing holds any of its group.
func (p *planner) retirePlaced(i engine.Instance) {
	group := p.group(i)
	s := Step{Action: ActRetire, ID: i.ID, Name: i.Name, Cause: "nothing asks for it"}
	for _, o := range group {
		due, retiring := p.d.Retiring[o.ID]
		switch {
		case p.chosen[o.ID], p.held && Routed(p.w.Live, o):
			return
		case p.d.Stopped:
			s.Cause = "the app is stopped"
		case p.drains(o) && !retiring, retiring && o.Running() && (due.IsZero() || due.After(p.w.Now)):
			return
		case retiring:
			s.Cause = "its wait to retire is over"
		case p.neverServed(o):
			s.Kill, s.Cause = true, "it has never served"
		}
		s.Running = s.Running || o.Status != engine.StatusExited
	}
	if p.d.Stopped && p.current(i) && !p.former(i.App) {
		if i.Status != engine.StatusExited {
			p.add(Step{Action: ActStop, ID: i.ID, Name: i.Name, Cause: s.Cause})
		}
		return
	}
	p.add(s)
}

// overlaid reports whether something may be on the app's network on the swarm.
func (p *planner) overlaid() bool {
	return slices.ContainsFunc(p.w.Instances, func(i engine.Instance) bool { return (i.Placed() || oneOff(i)) && !p.ends(i.ID) })
}

// Settles reports whether the route of an app on a swarm may have to change without an event: a
// web process has no place in it, or it has just changed. What the swarm said while it was asked
// may have been so between two looks of the watch only.
func Settles(d Desired, w Observation, steps []Step) bool {
	if !d.Scheduled || d.Stopped || d.Route == nil || d.Listener.IsValid() {
		return false
	}
	p := &planner{d: d, w: w}
	for _, want := range d.Want {
		i, found := p.find(want)
		if want.Type == "web" && (!found || !i.Running() || !i.Reach(d.Port).IsValid()) {
			return true
		}
	}
	return slices.ContainsFunc(steps, func(s Step) bool { return s.Action == ActPublish })
}
