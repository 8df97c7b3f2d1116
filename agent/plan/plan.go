package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/proxy"
)

// Desired is what people asked for of one app, in the terms of Plan.
type Desired struct {
	App string
	// Release and Attempt name the current release; 0: none serves.
	Release int
	Attempt string
	// Kept are the types whose processes go on from an earlier release.
	Kept map[string]app.Identity
	// Want are the processes that are to run, sorted by type and index.
	Want []app.Process
	// Stopped: nothing is to run; containers stay for their logs.
	Stopped bool
	// StartEnded: processes that have ended are started again (after a reboot, and by
	// ps:start). Otherwise only what is missing is started: the engine's restart
	// policy has decided over what ended.
	StartEnded bool
	// Route is what is to be published; its upstreams are filled in by Plan.
	// nil: no route.
	Route *proxy.Route
	Port  int
	// Retiring: see State.
	Retiring map[string]time.Time
	// Images are the ids of the images of all kept releases.
	Images map[string]bool
	// Network: the app's network is to exist.
	Network bool
	// Former is the name that the app had, while something still carries it: what
	// was started under it serves until other processes take over. "": none.
	Former string
}

// Observation is what was observed of one app.
type Observation struct {
	engine.Observed
	// Network is where addresses come from; the zero value when nothing is to run.
	Network engine.Network
	// Live is the published route; nil: none.
	Live *proxy.Route
	Now  time.Time
	// Clients are those of one-off containers that are still there, by their label.
	Clients map[string]bool
}

// Plan returns the steps from what is observed to what is desired, in the order
// in which they have to succeed: first what is missing starts, then the route
// changes, and only then anything ends. It is pure. Applying all steps and
// planning again gives no step.
func Plan(d Desired, w Observation) []Step {
	w.Instances = slices.Clone(w.Instances) // renamed in place by start
	p := &planner{d: d, w: w, chosen: map[string]bool{}, taken: Taken(w)}
	p.choose()
	p.route()
	p.deadlines()
	p.rename()
	p.retire()
	p.collect()
	return p.steps
}

type planner struct {
	d     Desired
	w     Observation
	steps []Step

	// chosen are the ids of the containers that satisfy a wanted process.
	chosen map[string]bool
	// serving are the web processes' addresses once all starts have been made.
	serving []netip.AddrPort
	// names are the chosen containers' final names, by id.
	final []Step
	taken map[netip.Addr]bool
	// freed are containers that were stopped so that others can start.
	freed map[string]bool
}

func (p *planner) add(s Step) { p.steps = append(p.steps, s) }

// current reports whether a container belongs to the current release.
func (p *planner) current(i engine.Instance) bool {
	id, kept := p.d.Kept[i.Type]
	if !kept {
		id = app.Identity{Release: p.d.Release, Attempt: p.d.Attempt}
	}
	return i.Kind == engine.KindDeploy && id.Release != 0 && i.Release == id.Release && i.Attempt == id.Attempt
}

// former reports whether a resource carries the app's former name.
func (p *planner) former(app string) bool { return p.d.Former != "" && app == p.d.Former }

// choose finds a container for each wanted process and starts what is missing.
func (p *planner) choose() {
	p.freed = map[string]bool{}
	if p.d.Stopped {
		return
	}
	for _, want := range p.d.Want {
		i, found := p.find(want)
		if found && p.d.StartEnded && !i.Running() && p.former(i.App) {
			found = false // it can only be started again as what it was
		}
		if found {
			p.chosen[i.ID] = true
		}
		switch {
		case !found:
			i = p.start(want)
		case p.d.StartEnded && !i.Running() && i.Status != engine.StatusRestarting && i.Status != engine.StatusPaused:
			p.add(Step{Action: ActStart, Process: want, Name: i.Name, Address: i.Address, ID: i.ID, Cause: "it has ended"})
		}
		// nginx would wait seconds for the address of a container that has ended.
		ended := found && !p.d.StartEnded && (i.Status == engine.StatusExited || i.Status == engine.StatusCreated)
		if want.Type == "web" && !ended {
			p.serving = append(p.serving, netip.AddrPortFrom(i.Address, uint16(p.d.Port)))
		}
		if final := fmt.Sprintf("%s.%s", p.d.App, want); found && i.Name != final {
			p.final = append(p.final, Step{Action: ActRename, ID: i.ID, Name: final})
		}
	}
}

// Find returns the container of the current release that is the wanted process. It
// prefers a running one.
func Find(d Desired, w Observation, want app.Process) (engine.Instance, bool) {
	return (&planner{d: d, w: w}).find(want)
}

func (p *planner) find(want app.Process) (best engine.Instance, found bool) {
	for _, i := range p.w.Instances {
		if !p.current(i) || i.Type != want.Type || i.Index != want.Index || i.HostPort != want.HostPort ||
			i.Status == engine.StatusRemoving || i.Status == engine.StatusDead {
			continue
		}
		if _, retiring := p.d.Retiring[i.ID]; retiring {
			continue
		}
		if !found || i.Running() && !best.Running() {
			best, found = i, true
		}
	}
	return best, found
}

// route publishes when what is live differs from what is to be.
func (p *planner) route() {
	p.mark()
	if p.d.Route == nil {
		if p.w.Live != nil {
			p.add(Step{Action: ActWithdraw})
		}
		return
	}
	r := *p.d.Route
	r.Upstreams = p.serving
	if p.w.Live == nil || !r.Same(*p.w.Live) {
		p.add(Step{Action: ActPublish, Route: &r})
	}
}

// mark records, before the route changes, which containers still serve what
// they have: a crash right after the change must not end them at once.
func (p *planner) mark() {
	var ids []string
	for _, i := range p.w.Instances {
		if _, known := p.d.Retiring[i.ID]; !known && p.drains(i) {
			ids = append(ids, i.ID)
		}
	}
	if len(ids) > 0 {
		p.add(Step{Action: ActMark, IDs: ids, Cause: "the proxy still names them"})
	}
}

// drains reports whether a container that is not wanted any longer may still
// be answering requests.
func (p *planner) drains(i engine.Instance) bool {
	if p.chosen[i.ID] || p.d.Stopped || p.freed[i.ID] || !i.Running() || i.Kind == engine.KindRun {
		return false
	}
	return Routed(p.w.Live, i.Address) || i.Type == "web" && i.Kind == engine.KindDeploy && i.HostPort != 0
}

// deadlines lets the wait to retire begin for what the proxy has just stopped
// to name.
func (p *planner) deadlines() {
	var deadline []string
	for _, i := range p.w.Instances {
		if due, retiring := p.d.Retiring[i.ID]; p.drains(i) && due.IsZero() || retiring && due.IsZero() && p.waits(i) {
			deadline = append(deadline, i.ID)
		}
	}
	if len(deadline) > 0 {
		p.add(Step{Action: ActDeadline, IDs: deadline})
	}
}

// retire ends what is not wanted.
func (p *planner) retire() {
	for _, i := range p.w.Instances {
		due, retiring := p.d.Retiring[i.ID]
		switch {
		case i.Kind == engine.KindRun:
			if cause := p.over(i); cause != "" {
				p.end(i, cause)
			}
		case p.chosen[i.ID]:
		case p.d.Stopped && p.current(i) && !p.former(i.App):
			if i.Running() || i.Status == engine.StatusRestarting {
				p.add(Step{Action: ActStop, ID: i.ID, Name: i.Name, Cause: "the app is stopped"})
			}
		case p.d.Stopped || !i.Running():
			p.end(i, "it has ended or the app is stopped")
		case retiring && !due.IsZero() && !due.After(p.w.Now):
			p.end(i, "its wait to retire is over")
		case !retiring && !p.drains(i):
			p.end(i, "nothing asks for it")
		}
	}
}

// over says why a one-off container is to go; "" leaves it alone. While the client
// of an attached one lives, that removes it; and whoever starts one may not have
// come to start what he has made.
func (p *planner) over(i engine.Instance) string {
	served := p.w.Clients[i.Client] && (i.Attached || i.Status == engine.StatusCreated)
	switch {
	case !i.Deadline.IsZero() && !p.w.Now.Before(i.Deadline):
		return "its time to live is over"
	case served:
		return ""
	case i.Status == engine.StatusExited || i.Status == engine.StatusDead:
		return "it has ended"
	case i.Attached || i.Status == engine.StatusCreated:
		return "its client is gone"
	}
	return ""
}

// waits reports whether a container that retires has something to wait for.
func (p *planner) waits(i engine.Instance) bool {
	return !p.chosen[i.ID] && !p.d.Stopped && i.Running()
}

func (p *planner) end(i engine.Instance, cause string) {
	p.add(Step{Action: ActRetire, ID: i.ID, Name: i.Name, Running: i.Running(), Cause: cause})
}

// rename gives the serving containers their final names; one that still has
// such a name, but retires, is renamed first.
func (p *planner) rename() {
	for _, s := range p.final {
		for _, i := range p.w.Instances {
			if i.Name == s.Name && i.ID != s.ID {
				p.add(Step{Action: ActRename, ID: i.ID, Name: s.Name + "." + retiredSuffix(i)})
			}
		}
		p.add(s)
	}
}

// retiredSuffix is unlike any attempt's, so that both can exist.
func retiredSuffix(i engine.Instance) string {
	return fmt.Sprintf("v%d-%s", i.Release, i.ID[:min(12, len(i.ID))])
}

func (p *planner) ends(id string) bool {
	return slices.ContainsFunc(p.steps, func(s Step) bool { return s.Action == ActRetire && s.ID == id })
}

// collect removes images and networks that nothing refers to, and forgets
// retired containers.
func (p *planner) collect() {
	for _, i := range p.w.Images {
		// The engine keeps an image while a container uses it.
		used := slices.ContainsFunc(p.w.Instances, func(c engine.Instance) bool { return c.Image == i.ID && !p.ends(c.ID) })
		switch {
		case !p.d.Images[i.ID] && !used:
			p.add(Step{Action: ActRemove, Kind: engine.ImageKind, ID: i.ID, App: i.App, Cause: "no kept release runs it"})
		case p.d.Images[i.ID] && p.former(i.App):
			p.add(Step{Action: ActAdopt, ID: i.ID, Cause: "it has the app's former name"})
		}
	}
	p.networks()
	var gone []string
	for id := range p.d.Retiring {
		exists := slices.ContainsFunc(p.w.Instances, func(i engine.Instance) bool { return i.ID == id })
		if !exists || p.ends(id) {
			gone = append(gone, id)
		}
	}
	if len(gone) > 0 {
		slices.Sort(gone)
		p.add(Step{Action: ActForget, IDs: gone})
	}
}

// networks removes the app's network when it runs nothing, and the one of its
// former name when nothing of that is left.
func (p *planner) networks() {
	left := slices.ContainsFunc(p.w.Instances, func(i engine.Instance) bool { return p.former(i.App) && !p.ends(i.ID) })
	for _, n := range p.w.Networks {
		switch {
		case !p.d.Network:
			p.add(Step{Action: ActRemove, Kind: engine.NetworkKind, ID: n.ID, Cause: "the app runs nothing"})
		case p.former(n.App) && !left:
			p.add(Step{Action: ActRemove, Kind: engine.NetworkKind, ID: n.ID, Cause: "it has the app's former name"})
		}
	}
}

func Routed(live *proxy.Route, a netip.Addr) bool {
	return live != nil && a.IsValid() &&
		slices.ContainsFunc(live.Upstreams, func(u netip.AddrPort) bool { return u.Addr() == a })
}

// holdsAddress reports whether a container has the address.
func holdsAddress(w Observation, a netip.Addr) bool {
	return slices.ContainsFunc(w.Instances, func(i engine.Instance) bool { return i.Address == a })
}

// Taken are the addresses that new containers must not get: those that
// containers have, and those that the proxy still sends requests to.
func Taken(w Observation) map[netip.Addr]bool {
	t := map[netip.Addr]bool{w.Network.Gateway: true}
	for _, i := range w.Instances {
		t[i.Address] = true
	}
	if w.Live != nil {
		for _, u := range w.Live.Upstreams {
			t[u.Addr()] = true
		}
	}
	return t
}

// NextAddress returns the first free fixed address after the highest one that
// is taken, and wraps around: an address that was given back rests as long as
// possible, since a proxy's old worker may still hold connections to it. It
// returns the zero Addr when none is free.
func NextAddress(n engine.Network, taken map[netip.Addr]bool) netip.Addr {
	if !n.Subnet.IsValid() {
		return netip.Addr{}
	}
	first := n.Subnet.Masked().Addr().Next()
	fixed := func(a netip.Addr) bool {
		return n.Subnet.Contains(a) && !n.Automatic.Contains(a) && n.Subnet.Contains(a.Next())
	}
	from := first
	for a := range taken {
		if fixed(a) && a.Compare(from) >= 0 {
			from = a.Next()
		}
	}
	for a := from; fixed(a); a = a.Next() {
		if !taken[a] {
			return a
		}
	}
	for a := first; fixed(a); a = a.Next() {
		if !taken[a] {
			return a
		}
	}
	return netip.Addr{}
}

func OneOffs(all []engine.Instance) []engine.Instance {
	return slices.DeleteFunc(slices.Clone(all), func(i engine.Instance) bool { return i.Kind != engine.KindRun })
}
