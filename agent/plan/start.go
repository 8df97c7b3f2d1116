package plan

import (
	"fmt"
	"net/netip"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// start plans a new container and returns it. It first frees the container's name and
// host port, which no two containers can have. If the start fails, the former holder
// of the port serves again.
func (p *planner) start(want app.Process) engine.Instance {
	p.yield(want)
	s := Step{Action: ActStart, Process: want, Address: p.address(want), Cause: "it is missing"}
	s.Name = fmt.Sprintf("%s.%s", p.d.App, want)
	for n, i := range p.w.Instances {
		switch {
		case i.Name != s.Name || i.Placed():
		case i.Status == engine.StatusRemoving || i.Status == engine.StatusDead: // the engine does not rename it
			s.Name += "." + p.d.Attempt + ".1"
		default:
			i.Name = s.Name + "." + retiredSuffix(i)
			p.w.Instances[n] = i
			p.add(Step{Action: ActRename, ID: i.ID, Name: i.Name})
		}
		if want.HostPort != 0 && i.HostPort == want.HostPort && i.Running() && !p.freed[i.ID] {
			p.add(Step{Action: ActFree, ID: i.ID, Name: i.Name, Cause: fmt.Sprintf("port %d", want.HostPort)})
			p.freed[i.ID] = true
			s.Holder = &i
		}
	}
	p.add(s)
	return engine.Instance{Address: s.Address}
}

// address returns the address of a new container. If the live route's address for this
// process is free, it takes that, and the proxy needs no reload.
func (p *planner) address(want app.Process) netip.Addr {
	if want.Type == "web" && p.w.Live != nil && p.w.Live.Release == p.d.Release && want.Index <= len(p.w.Live.Upstreams) {
		a := p.w.Live.Upstreams[want.Index-1].Addr()
		if !holdsAddress(p.w, a) && p.w.Network.Subnet.Contains(a) {
			p.taken[a] = true
			return a
		}
	}
	a := NextAddress(p.w.Network, p.taken)
	p.taken[a] = true
	return a
}
