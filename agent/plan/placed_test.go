package plan

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/proxy"
)

// placed is a process of release v on a node of a swarm, whose address is 10.0.0.node.
func placed(name string, v, node int) engine.Instance {
	i := running("", name, v, 0)
	i.Group, i.Node, i.NodePort = fmt.Sprintf("%s-a%d", i.Type, v), fmt.Sprint("node", node), 30000+10*v+i.Index
	i.ID, i.Address = fmt.Sprintf("%s.%d", i.Group, i.Index), netip.AddrFrom4([4]byte{10, 0, 0, byte(node)})
	if i.Type != "web" {
		i.NodePort = 0
	}
	return i
}

func is(i engine.Instance, s engine.Status) engine.Instance {
	i.Status = s
	return i
}

// scheduled is what want returns, for a swarm.
func scheduled(v int, procs ...string) Desired {
	d := want(v, procs...)
	d.Scheduled, d.Retiring = true, map[string]time.Time{}
	return d
}

// seen is an observation whose route of release v leads to the processes.
func seen(v int, live []engine.Instance, instances ...engine.Instance) Observation {
	var up []netip.AddrPort
	for _, i := range live {
		up = append(up, i.Reach(5000))
	}
	return observation(v, up, instances...)
}

// TestPlanEntrance: the route has its entrance as soon as the processes are reached by it, and
// not before.
func TestPlanEntrance(t *testing.T) {
	d := scheduled(1, "web.1")
	d.Route.Entrance = &proxy.Certificate{ID: "0123456789abcdef"}
	plain, secure := placed("shop.web.1", 1, 1), placed("shop.web.1", 1, 1)
	secure.Secure, secure.NodePort = true, plain.NodePort+1
	w := seen(1, []engine.Instance{plain}, plain)
	if steps := Plan(d, w); len(steps) != 0 {
		t.Errorf("where nothing has changed: %v", steps)
	}
	w.Instances = []engine.Instance{secure}
	steps := Plan(d, w)
	if len(steps) != 1 || steps[0].Action != ActPublish || steps[0].Route.Entrance == nil || steps[0].Route.Upstreams[0] != secure.Reach(0) {
		t.Fatalf("%v", steps)
	}
	w.Live = steps[0].Route
	if steps := Plan(d, w); len(steps) != 0 {
		t.Errorf("published twice: %v", steps)
	}
	if d.Route.Entrance == nil {
		t.Error("the plan has changed what is desired")
	}
}

func TestPlanPlaced(t *testing.T) {
	old1, old2, new1, new2 := placed("shop.web.1", 1, 1), placed("shop.web.2", 1, 1), placed("shop.web.1", 2, 1), placed("shop.web.2", 2, 2)
	job := placed("shop.worker.1", 1, 2)
	here := running("c1", "shop.web.1", 1, 2)
	retiring := scheduled(2, "web.1")
	retiring.Retiring = map[string]time.Time{old1.ID: testNow.Add(-time.Second), old2.ID: testNow.Add(time.Second)}
	late := scheduled(2, "web.1")
	late.Retiring = map[string]time.Time{old1.ID: testNow.Add(-time.Second), old2.ID: testNow}
	stopped := scheduled(2, "web.1")
	stopped.Stopped = true
	back := want(2, "web.1")
	again := scheduled(2, "worker.1")
	again.Retiring = map[string]time.Time{placed("shop.worker.1", 2, 1).ID: testNow.Add(time.Minute)}
	restored := scheduled(2, "worker.2")
	restored.StartEnded = true
	unseen := seen(2, nil, running("c2", "shop.web.1", 2, 3))
	unseen.Live = &proxy.Route{App: "shop", Release: 2, Upstreams: upstreams(3)}
	overlay := engine.Network{ID: "swarm", App: "shop", Overlay: true}
	left := unseen
	left.Networks = []engine.Network{overlay}
	unseen.Networks, unseen.Unseen = left.Networks, engine.ErrNoQuorum
	long := is(new1, engine.StatusRunning)
	long.Restarts, long.Policy.Max, long.Started = 3, 10, testNow.Add(-2*time.Hour)
	for _, test := range []struct {
		name string
		d    Desired
		w    Observation
		want string
	}{
		{"nothing to do, whatever they are called", scheduled(2, "web.1", "web.2"), seen(2, []engine.Instance{new1, new2}, new1, new2), ``},
		{"a start comes first, and then another plan", scheduled(2, "web.1", "worker.1"), seen(1, []engine.Instance{old1}, old1), `
start web.1 on the swarm, of 1 from 1 on: it is missing
start worker.1 on the swarm, of 1 from 1 on: it is missing`},
		{"what is missing makes groups of its own", scheduled(2, "worker.1", "worker.2", "worker.3", "worker.4"), seen(2, nil, placed("shop.worker.2", 2, 1)), `
start worker.1 on the swarm, of 1 from 1 on: it is missing
start worker.3 on the swarm, of 2 from 3 on: it is missing
start worker.4 on the swarm, of 2 from 3 on: it is missing`},
		{"nothing starts what has ended", restored, seen(2, nil, is(placed("shop.worker.2", 2, 1), engine.StatusExited)), ``},
		{"the switch, by ports of the same node", scheduled(2, "web.1", "web.2"), seen(1, []engine.Instance{old1, old2}, old1, old2, job, new1, new2), `
mark web-a1.1 web-a1.2: the proxy still names them
publish v2 at [10.0.0.1:30021 10.0.0.2:30022]
deadline web-a1.1 web-a1.2
retire shop.worker.1: nothing asks for it`},
		{"from this machine to the swarm", scheduled(2, "web.1"), seen(1, []engine.Instance{here}, here, new1), `
mark c1: the proxy still names them
publish v2 at [10.0.0.1:30021]
deadline c1`},
		{"and back", back, seen(1, []engine.Instance{old1}, old1, running("c2", "shop.web.1.a2", 2, 3)), `
mark web-a1.1: the proxy still names them
publish v2 at [10.192.0.3:5000]
deadline web-a1.1
rename c2 to shop.web.1`},
		{"the route leaves out what is lost, waits or has ended", scheduled(2, "web.1", "web.2"),
			seen(2, []engine.Instance{new1, new2}, new1, is(new2, engine.StatusLost)), `
publish v2 at [10.0.0.1:30021]`},
		{"where all are lost it stays", scheduled(2, "web.1", "web.2"),
			seen(2, []engine.Instance{new1, new2}, is(new1, engine.StatusLost), is(new2, engine.StatusCreated)), ``},
		{"and so does what serves instead", scheduled(2, "web.1"), seen(1, []engine.Instance{old1}, old1, job, is(new1, engine.StatusLost)), `
retire shop.worker.1: nothing asks for it`},
		{"a group waits for all of its processes", retiring, seen(2, []engine.Instance{new1}, old1, old2, new1), ``},
		{"and ends as a whole", late, seen(2, []engine.Instance{new1}, old1, old2, new1), `
retire shop.web.1: its wait to retire is over
retire shop.web.2: its wait to retire is over
forget web-a1.1 web-a1.2`},
		{"a process that is left over stays with its group", scheduled(2, "web.1"), seen(2, []engine.Instance{new1, new2}, new1, new2), `
publish v2 at [10.0.0.1:30021]`},
		{"a rejected version", scheduled(1, "web.1"), seen(1, []engine.Instance{old1}, old1, new1, placed("shop.worker.1", 2, 1)), `
kill shop.web.1: it has never served
retire shop.worker.1: nothing asks for it`},
		{"a type that goes to 0", scheduled(2, "web.1"), seen(2, []engine.Instance{new1}, new1, placed("shop.worker.1", 2, 1), is(placed("shop.worker.2", 2, 2), engine.StatusLost)), `
retire shop.worker.1: nothing asks for it
retire shop.worker.2: nothing asks for it`},
		{"a start does not find what retires", again, seen(2, nil, placed("shop.worker.1", 2, 1)), `
yield shop.worker.1: before worker.1 starts
start worker.1 on the swarm, of 1 from 1 on: it is missing
forget worker-a2.1`},
		{"stopped", stopped, seen(2, []engine.Instance{new1}, is(new1, engine.StatusLost), old1), `
publish v2 at []
stop shop.web.1: the app is stopped
retire shop.web.1: the app is stopped`},
		{"the swarm restarts by itself", scheduled(2, "web.1"), seen(2, []engine.Instance{new1}, long), ``},
		{"the network goes with the last process", want(2, "web.1"), left, `
remove network swarm: nothing of the app runs on the swarm`},
		{"but not while nobody sees them", want(2, "web.1"), unseen, ``},
	} {
		var b strings.Builder
		for _, s := range Plan(test.d, test.w) {
			fmt.Fprintf(&b, "\n%s", s)
		}
		if b.String() != test.want {
			t.Errorf("%s:\ngot%s\nwant%s", test.name, b.String(), test.want)
		}
	}
}

// onSwarm has a swarm run what is desired, and adds groups that it runs already. The live
// route may lead to some of them.
func onSwarm(r *rand.Rand, d *Desired, w *Observation) {
	d.Scheduled = true
	d.Route = &proxy.Route{App: "shop", Release: d.Release}
	for n := range d.Want {
		d.Want[n].HostPort = 0
	}
	var live []netip.AddrPort
	for _, typ := range []string{"web", "worker"} {
		for v := 1; v <= 3; v++ {
			for index := range r.IntN(4) {
				i := placed(fmt.Sprintf("shop.%s.%d", typ, index+1), v, 1+r.IntN(3))
				i.Status = []engine.Status{engine.StatusRunning, engine.StatusRunning, engine.StatusLost, engine.StatusExited}[r.IntN(4)]
				if typ == "web" && i.Running() && v < 3 && r.IntN(2) == 0 {
					live = append(live, i.Reach(5000))
				}
				w.Instances = append(w.Instances, i)
			}
		}
	}
	if len(live) > 0 && r.IntN(2) == 0 {
		w.Live = &proxy.Route{App: "shop", Release: 1 + r.IntN(2), Upstreams: live}
	}
}

// applyPlaced applies a step about a process of a swarm: a start makes all of its type, and
// an end takes its whole group.
func applyPlaced(d *Desired, w *Observation, s Step) error {
	if s.Action == ActStart {
		for index := s.First; index < s.First+s.Count; index++ {
			i := placed(fmt.Sprintf("shop.%s.%d", s.Process.Type, index), d.Release, 1+index%3)
			i.Group = fmt.Sprintf("%s-from%d", i.Group, s.First)
			i.ID = fmt.Sprintf("%s.%d", i.Group, index)
			same := func(o engine.Instance) bool {
				return o.Placed() && o.Type == i.Type && o.Index == i.Index && o.Release == i.Release
			}
			_, retiring := d.Retiring[i.ID]
			switch at := slices.IndexFunc(w.Instances, same); {
			case at < 0 && retiring:
				return fmt.Errorf("%s finds what retires", s)
			case at < 0:
				w.Instances = append(w.Instances, i)
			case index == s.Process.Index && w.Instances[at].Group != i.Group:
				return fmt.Errorf("%s beside %s", s, w.Instances[at].ID)
			}
		}
		return nil
	}
	at := slices.IndexFunc(w.Instances, func(i engine.Instance) bool { return i.ID == s.ID })
	group := w.Instances[at].Group
	for n, i := range w.Instances {
		if i.Group != group {
			continue
		}
		_, retiring := d.Retiring[i.ID]
		wanted := slices.ContainsFunc(d.Want, func(want app.Process) bool { return want.Type == i.Type && want.Index == i.Index }) && i.Release == d.Release && !retiring
		switch {
		case s.Action == ActRename || s.Action == ActReset:
			return fmt.Errorf("%s on a swarm", s)
		case !d.Stopped && wanted:
			return fmt.Errorf("%s ends %s, which is wanted", s, i.ID)
		case s.Action == ActRetire && !d.Stopped && i.Running() && Routed(w.Live, i):
			return fmt.Errorf("%s ends %s, which is published", s, i.ID)
		case s.Action == ActStop:
			w.Instances[n].Status = engine.StatusExited
		}
	}
	if s.Action == ActRetire || s.Action == ActYield {
		w.Instances = slices.DeleteFunc(w.Instances, func(i engine.Instance) bool { return i.Group == group })
	}
	return nil
}
