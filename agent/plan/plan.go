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

// Desired is the desired state of one app.
type Desired struct {
	App string
	// Release and Attempt name the current release; 0: there is none.
	Release int
	Attempt string
	// Kept are the types that still run under an earlier release.
	Kept map[string]app.Identity
	// Want are the desired processes, sorted by type and index.
	Want []app.Process
	// Stopped: no process runs; containers are kept for their logs.
	Stopped bool
	// StartEnded: start ended processes again (after a reboot, and for ps:start).
	// Otherwise Plan starts only missing ones and leaves ended ones to the engine's
	// restart policy.
	StartEnded bool
	// Route is the desired route; Plan fills in its upstreams. nil: no route.
	Route *proxy.Route
	// Listener is the route's only upstream in the place of the web processes; the zero
	// value: there is none.
	Listener netip.AddrPort
	Port     int
	// Retiring: see State.
	Retiring map[string]time.Time
	// MostRetiring is the number of processes that may retire for longer than ShortRetire;
	// 0: any number.
	MostRetiring int
	// Releases are the numbers of all kept releases.
	Releases []int
	// Images are the ids of the images of all kept releases.
	Images map[string]bool
	// Image is the id of the current release's image, which has the name engine.Latest.
	Image string
	// Scheduled: a swarm places the processes of the current release. Those of others may be
	// elsewhere.
	Scheduled bool
	// Network: the app has a network.
	Network bool
	// Former is the app's former name while resources carry it, else "". Processes with
	// that name serve until others take over.
	Former string
}

// Observation is the observed state of one app.
type Observation struct {
	engine.Observed
	// Network supplies the addresses; the zero value if no process is desired.
	Network engine.Network
	// Live is the published route; nil: none.
	Live *proxy.Route
	Now  time.Time
	// Clients says of each client of a one-off container, by its label, whether it
	// lives.
	Clients map[string]bool
}

// Plan returns the steps from the observed to the desired state, in the order in which
// they have to succeed: missing processes start, then the route changes, and only then
// processes end. It is pure. After all steps, the next plan is empty.
func Plan(d Desired, w Observation) []Step {
	w.Instances = slices.Clone(w.Instances) // renamed in place by start
	p := &planner{d: d, w: w, chosen: map[string]bool{}, taken: Taken(w)}
	p.choose()
	if p.awaits {
		return p.steps
	}
	if p.held = p.unserved(); !p.held {
		p.route()
		p.deadlines()
	}
	p.rename()
	p.retire()
	p.tag()
	p.collect()
	p.forgive()
	return p.steps
}

type planner struct {
	d     Desired
	w     Observation
	steps []Step

	// chosen are the ids of the containers that satisfy a wanted process.
	chosen map[string]bool
	// serving are the web processes' addresses after all starts.
	serving []netip.AddrPort
	// secure: they are reached by a Route's Entrance.
	secure bool
	// final are the renames that give chosen containers their final names.
	final []Step
	// taken are the addresses that no new container may get.
	taken map[netip.Addr]bool
	// freed are the ids of containers that stop to free a port for others.
	freed map[string]bool
	// awaits: a web process starts on the swarm, whose address is known afterwards.
	awaits bool
	// held: the route stays, with all that it leads to; see unserved.
	held bool
}

func (p *planner) add(s Step) { p.steps = append(p.steps, s) }

// current reports whether a container belongs to the current release.
func (p *planner) current(i engine.Instance) bool {
	id, kept := p.d.Kept[i.Type]
	if !kept {
		id = app.Identity{Release: p.d.Release, Attempt: p.d.Attempt}
	}
	return i.Kind == engine.KindDeploy && i.Placed() == p.d.Scheduled && id.Release != 0 && i.Release == id.Release && i.Attempt == id.Attempt
}

// former reports whether a resource carries the app's former name.
func (p *planner) former(app string) bool { return p.d.Former != "" && app == p.d.Former }

// choose finds a container for each wanted process and starts missing ones.
func (p *planner) choose() {
	p.freed = map[string]bool{}
	if p.d.Stopped {
		return
	}
	for _, want := range p.inOrder() {
		i, found := p.find(want)
		if found && p.d.StartEnded && !i.Running() && p.former(i.App) {
			found = false // a restart would keep its former name
		}
		if found {
			p.chosen[i.ID] = true
		}
		if p.d.Scheduled {
			p.place(want, i, found)
			continue
		}
		switch {
		case !found:
			i = p.start(want)
		case p.d.StartEnded && !i.Running() && i.Status != engine.StatusRestarting && i.Status != engine.StatusPaused:
			p.yield(want)
			p.add(Step{Action: ActStart, Process: want, Name: i.Name, Address: i.Address, ID: i.ID, Cause: "it has ended"})
		}
		// nginx would wait seconds for the address of an ended container.
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

// route publishes the desired route if the live one differs.
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
	if !p.secure {
		r.Entrance = nil
	}
	if p.d.Listener.IsValid() && !p.d.Stopped {
		r.Upstreams, r.Entrance = []netip.AddrPort{p.d.Listener}, nil
	}
	if p.w.Live == nil || !r.Same(*p.w.Live) {
		p.add(Step{Action: ActPublish, Route: &r})
	}
}

// mark records, before the route changes, the containers that will drain: after a
// crash right behind the change they must not end at once.
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

// drains reports whether a container that is no longer wanted may still answer
// requests.
func (p *planner) drains(i engine.Instance) bool {
	if p.chosen[i.ID] || p.joined(i) || p.d.Stopped || p.freed[i.ID] || !i.Running() || oneOff(i) || i.Kind == engine.KindBuild {
		return false
	}
	return Routed(p.w.Live, i) || i.Type == "web" && i.Kind == engine.KindDeploy && i.HostPort != 0
}

// deadlines starts the wait to retire of the containers that the route no longer names.
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
	if list := p.crowded(deadline); len(list) > 0 {
		p.add(Step{Action: ActDeadline, IDs: list, Short: true, Cause: "too many retire"})
	}
}

// retire ends containers that are not wanted.
func (p *planner) retire() {
	for _, i := range p.w.Instances {
		due, retiring := p.d.Retiring[i.ID]
		switch {
		case oneOff(i):
			if cause := p.over(i); cause != "" {
				p.end(i, cause)
			}
		case i.Kind == engine.KindBuild:
			p.add(Step{Action: ActRetire, ID: i.ID, Name: i.Name, Running: i.Running(), Kill: true, Cause: "its build is over"})
		case i.Placed():
			p.retirePlaced(i)
		case p.chosen[i.ID], p.held && Routed(p.w.Live, i):
		case p.d.Stopped && p.current(i) && !p.former(i.App):
			if i.Running() || i.Status == engine.StatusRestarting {
				p.add(Step{Action: ActStop, ID: i.ID, Name: i.Name, Cause: "the app is stopped"})
			}
		case p.d.Stopped || !i.Running():
			p.end(i, "it has ended or the app is stopped")
		case retiring && !due.IsZero() && !due.After(p.w.Now):
			p.end(i, "its wait to retire is over")
		case !retiring && !p.drains(i) && p.neverServed(i):
			p.add(Step{Action: ActRetire, ID: i.ID, Name: i.Name, Running: true, Kill: true, Cause: "it has never served"})
		case !retiring && !p.drains(i):
			p.end(i, "nothing asks for it")
		}
	}
}

// over returns the reason to remove a one-off container; "" keeps it. A living client
// removes its own attached container, and may be about to start one that it created.
func (p *planner) over(i engine.Instance) string {
	if i.Kind == engine.KindCron && !i.Attached {
		if !i.Deadline.IsZero() && !p.w.Now.Before(i.Deadline.Add(CronGrace)) {
			return "its time to live is over"
		}
		return "" // the scheduler ends it, and keeps its log
	}
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

// waits reports whether a retiring container has to wait before it ends.
func (p *planner) waits(i engine.Instance) bool {
	return !p.chosen[i.ID] && !p.joined(i) && !p.d.Stopped && i.Running()
}

func (p *planner) end(i engine.Instance, cause string) {
	p.add(Step{Action: ActRetire, ID: i.ID, Name: i.Name, Running: i.Running(), Cause: cause})
}

// rename gives the chosen containers their final names. A retiring container that
// still has such a name is renamed first.
func (p *planner) rename() {
	for _, s := range p.final {
		for _, i := range p.w.Instances {
			if i.Name == s.Name && i.ID != s.ID && !i.Placed() {
				p.add(Step{Action: ActRename, ID: i.ID, Name: s.Name + "." + retiredSuffix(i)})
			}
		}
		p.add(s)
	}
}

// retiredSuffix differs from any attempt's suffix, so that both names can exist.
func retiredSuffix(i engine.Instance) string {
	return fmt.Sprintf("v%d-%s", i.Release, i.ID[:min(12, len(i.ID))])
}

// ends reports whether the plan removes a container.
func (p *planner) ends(id string) bool {
	return slices.ContainsFunc(p.steps, func(s Step) bool { return s.Action == ActRetire && s.ID == id })
}

// collect removes unused images and networks, and drops the entries of retired
// containers.
func (p *planner) collect() {
	foreign := p.foreignStore()
	for _, i := range p.w.Images {
		// The engine keeps an image while a container uses it.
		used := slices.ContainsFunc(p.w.Instances, func(c engine.Instance) bool { return c.Image == i.ID && !p.ends(c.ID) })
		switch {
		case !p.d.Images[i.ID] && !used && !foreign:
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

// foreignStore reports whether the engine has images of the app, but none of a kept
// release. Then it may use another kind of image store, in which the same images have
// other ids, so nothing tells which of them are needed.
func (p *planner) foreignStore() bool {
	return len(p.d.Images) > 0 && !slices.ContainsFunc(p.w.Images, func(i engine.Image) bool { return p.d.Images[i.ID] })
}

// networks removes the network of an app without a release, and the network of the
// former name once no container of that name is left.
func (p *planner) networks() {
	left := slices.ContainsFunc(p.w.Instances, func(i engine.Instance) bool { return p.former(i.App) && !p.ends(i.ID) })
	for _, n := range p.w.Networks {
		switch {
		case n.Overlay && p.w.Unseen != nil:
		case !p.d.Network:
			p.add(Step{Action: ActRemove, Kind: engine.NetworkKind, ID: n.ID, Cause: "the app runs nothing"})
		case n.Overlay && !p.d.Scheduled && !p.overlaid():
			p.add(Step{Action: ActRemove, Kind: engine.NetworkKind, ID: n.ID, Cause: "nothing of the app runs on the swarm"})
		case p.former(n.App) && !left:
			p.add(Step{Action: ActRemove, Kind: engine.NetworkKind, ID: n.ID, Cause: "it has the app's former name"})
		}
	}
}

// Routed reports whether the live route has a process as an upstream; a nil route has
// none. Processes that a swarm has placed on one node differ in their ports.
func Routed(live *proxy.Route, i engine.Instance) bool {
	return live != nil && i.Address.IsValid() && slices.ContainsFunc(live.Upstreams, func(u netip.AddrPort) bool {
		return u.Addr() == i.Address && (!i.Placed() || int(u.Port()) == i.NodePort)
	})
}
