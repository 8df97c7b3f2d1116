package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// formSwarm makes the machine the manager of a swarm of three nodes, with a registry.
func (m *machine) formSwarm() error {
	ctx := context.Background()
	if err := m.engine.InitCluster(ctx, "10.0.0.1"); err != nil {
		return err
	}
	m.engine.Swarm().Add("node2", "10.0.0.2", nil)
	m.engine.Swarm().Add("node3", "10.0.0.3", nil)
	return m.server.Env.Store.UpdateSettings(ctx, func(set *app.Settings) error {
		set.Registry = map[string]string{app.PropRegistry: "registry.test"}
		return nil
	})
}

// newSwarm returns a machine whose app runs on a swarm, with web=3 and worker=1.
func newSwarm(t *testing.T) (*machine, history) {
	t.Helper()
	h := newHistory(t)
	m := newMachine(t, h)
	check(t, m.formSwarm())
	check(t, m.server.Scale(t.Context(), "shop", map[string]int{"web": 3}, false, event.Log{}))
	check(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, true, event.Log{}))
	m.settle()
	return m, h
}

// spread checks how many processes of a type there are, and that no two are on one node.
func (m *machine) spread(typ string, want int) {
	m.t.Helper()
	nodes := map[string]bool{}
	list := m.engine.Placed("shop", typ)
	for _, p := range list {
		_, node, _ := strings.Cut(p, "@")
		nodes[node] = true
	}
	if len(list) != want || len(nodes) != want {
		m.t.Errorf("%s is at %v, want %d on as many nodes", typ, list, want)
	}
}

// routed returns the nodes of the live route's upstreams, sorted.
func (m *machine) routed() string {
	m.t.Helper()
	live, _, err := m.proxy.Live(context.Background(), "shop")
	check(m.t, err)
	o, err := m.engine.Observe(context.Background(), "shop")
	check(m.t, err)
	var list []string
	for _, u := range live.Upstreams {
		name := "nobody at " + u.String()
		for _, i := range o.Instances {
			if i.Reach(int(u.Port())) == u {
				name = fmt.Sprintf("v%d %s.%d@%s", i.Release, i.Type, i.Index, i.Node)
			}
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// refuses checks the text of an error.
func refuses(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v lacks %q", err, part)
		}
	}
}

// TestSwarmPush: a push to an app on a swarm pushes its image, starts the new processes on the
// nodes beside the old ones, and switches to them.
func TestSwarmPush(t *testing.T) {
	m, h := newSwarm(t)
	was := m.current()
	var mu sync.Mutex
	var dialled []string
	m.server.Env.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		dialled = append(dialled, address)
		return dialNothing(t.Context(), "", "")
	}
	check(t, m.push(h.one, h.two))
	m.settle()
	r := m.current()
	if want := "registry.test/dokku/shop@" + r.Image; !r.OnSwarm() || r.Remote != want || m.engine.Pushed()[want] == "" || r.Remote == was.Remote {
		t.Errorf("release %d is on a swarm: %v, from %q, before from %q", r.Number, r.OnSwarm(), r.Remote, was.Remote)
	}
	m.spread("web", 3)
	m.spread("worker", 1)
	want := ""
	for _, p := range m.engine.Placed("shop", "web") {
		want += fmt.Sprintf(", v%d %s", r.Number, p)
	}
	if got := ", " + m.routed(); got != want {
		t.Errorf("the route leads to %s, want %s", got, want)
	}
	live, _, _ := m.proxy.Live(t.Context(), "shop")
	for _, u := range live.Upstreams {
		if !slices.Contains(dialled, u.String()) {
			t.Errorf("the gate dials %v, and not %s", dialled, u)
		}
	}
	if !live.Elsewhere {
		t.Error("the proxy is not told that they are elsewhere")
	}
	o, err := m.engine.Observe(t.Context(), "shop")
	check(t, err)
	for _, i := range o.Instances {
		if i.Attempt != r.Attempt {
			t.Errorf("%s of v%d is left", i.Name, i.Release)
		}
	}
}

// TestSwarmRejects: a rejected push leaves what serves as it is, and nothing of its own.
func TestSwarmRejects(t *testing.T) {
	for name, broken := range map[string]struct {
		prepare func(*machine)
		text    string // of the error
	}{
		"a process that ends": {func(m *machine) {
			m.engine.Behave(func(s engine.Spec) memory.Behaviour {
				b := behaviour(s)
				if s.Type == "web" && s.Index == 2 {
					b.Exits, b.Code = true, 3
				}
				return b
			})
		}, "Nothing has changed: v2 ("},
		"a node that cannot pull": {func(m *machine) { m.engine.Swarm().FailPulls("node3", errors.New("connection refused")) },
			" on node3: the node cannot pull the image: connection refused"},
		"no place": {func(m *machine) {
			check(t, m.server.Update(t.Context(), "shop", deploy.Op{Name: "scheduler-docker-swarm:set"}, event.Log{}, func(st *app.State) error {
				st.Scheduler[app.PropMaxPerNode] = "1"
				return nil
			}))
			check(t, m.engine.SetAvailability(t.Context(), "node3", engine.NodePaused))
		}, "no node of the swarm takes the process"},
	} {
		t.Run(name, func(t *testing.T) {
			m, h := newSwarm(t)
			broken.prepare(m)
			before, route, r := m.engine.Placed("shop", "web"), m.routed(), m.current()
			err := m.push(h.one, h.two)
			refuses(t, err, broken.text)
			m.settle()
			if after := m.engine.Placed("shop", "web"); !slices.Equal(after, before) || m.routed() != route || m.current().Number != r.Number {
				t.Errorf("v%d runs at %v, routed %s; before v%d at %v, routed %s", m.current().Number, after, m.routed(), r.Number, before, route)
			}
		})
	}
}

// TestSwarmMoves: an app moves to a swarm and back by one command each, and is served at every
// point. A move that is rejected leaves the setting.
func TestSwarmMoves(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	check(t, m.formSwarm())
	var points atomic.Int64
	rig := &rig{machine: m}
	m.visit = func(string) error { points.Add(1); return rig.serves() }
	move := func(to string) error {
		return m.server.SetScheduler(t.Context(), "shop", to, true, event.Log{})
	}
	check(t, move(app.SchedulerSwarm))
	m.settle()
	if got, want := m.routed(), "v2 "+strings.Join(m.engine.Placed("shop", "web"), ", v2 "); got != want {
		t.Errorf("on the swarm the route leads to %s, want %s", got, want)
	}
	m.spread("web", 2)
	m.spread("worker", 1)
	o, err := m.engine.Observe(t.Context(), "shop")
	check(t, err)
	if len(o.Instances) != 3 || len(o.Networks) != 2 {
		t.Errorf("it has %+v", o)
	}
	check(t, move(app.SchedulerSwarm)) // nothing to do
	check(t, move(""))
	m.settle()
	m.spread("web", 0)
	if points.Load() == 0 || m.current().OnSwarm() {
		t.Errorf("after %d points it is still there", points.Load())
	}
	check(t, m.atRest()) // no network of the swarm is left, either
	m.visit = nil

	m.engine.Swarm().FailPulls("", errors.New("connection refused"))
	refuses(t, move(app.SchedulerSwarm), "the node cannot pull the image: connection refused")
	v, err := m.server.View("shop")
	check(t, err)
	if v.Scheduler() != app.SchedulerLocal || v.Current.OnSwarm() {
		t.Errorf("after a rejected move the scheduler is %s", v.Scheduler())
	}
	m.settle()
	check(t, m.atRest())

	m.engine.Swarm().FailPulls("", nil)
	check(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, false, event.Log{}))
	if m.current().OnSwarm() {
		t.Error("--no-restart moves it")
	}
	check(t, m.server.Restart(t.Context(), "shop", event.Log{}))
	if !m.current().OnSwarm() {
		t.Error("the next restart does not move it")
	}
}

// TestSwarmScale: an app on a swarm grows by processes beside those that serve, and shrinks
// without cutting a group.
func TestSwarmScale(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	check(t, m.formSwarm())
	check(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerSwarm, true, event.Log{}))
	m.settle()
	rig := &rig{machine: m}
	m.visit = func(string) error { return rig.serves() }
	ids := func() (list []string) {
		o, err := m.engine.Observe(t.Context(), "shop")
		check(t, err)
		for _, i := range o.Instances {
			list = append(list, i.ID)
		}
		return list
	}
	scale := func(web, worker int) {
		t.Helper()
		check(t, m.server.Scale(t.Context(), "shop", map[string]int{"web": web, "worker": worker}, false, event.Log{}))
		m.settle()
	}
	// The third process is a group of its own: it just ends.
	first, r := ids(), m.current().Number
	scale(3, 1)
	if got := m.engine.Placed("shop", "web"); len(got) != 3 {
		t.Errorf("web is at %v", got)
	}
	scale(2, 1)
	m.spread("web", 2)
	if got := ids(); !slices.Equal(got, first) {
		t.Errorf("the processes are %v, and were %v", got, first)
	}
	if m.current().Number != r {
		t.Errorf("v%d is made where groups end", m.current().Number)
	}
	// web.1 and web.2 are one group: one of them cannot end alone.
	before := ids()
	scale(1, 2)
	if got := m.engine.Placed("shop", "web"); len(got) != 1 {
		t.Errorf("web is at %v", got)
	}
	if got := m.engine.Placed("shop", "worker"); len(got) != 2 {
		t.Errorf("worker is at %v", got)
	}
	kept := 0
	for _, id := range ids() {
		if slices.Contains(before, id) {
			kept++
		}
	}
	if kept != 1 { // worker.1
		t.Errorf("%d processes of %v are kept: %v", kept, before, ids())
	}
	scale(4, 0)
	if web, worker := m.engine.Placed("shop", "web"), m.engine.Placed("shop", "worker"); len(web) != 4 || len(worker) != 0 {
		t.Errorf("web is at %v, worker at %v", web, worker)
	}
	m.visit = nil

	// A process that fails its checks while it joins them goes alone.
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		b := behaviour(s)
		b.Exits = b.Exits || s.Index == 6
		return b
	})
	before, route := ids(), m.routed()
	if err := m.server.Scale(t.Context(), "shop", map[string]int{"web": 6}, false, event.Log{}); err == nil {
		t.Error("a process that ends is accepted")
	}
	m.settle()
	if after := ids(); !slices.Equal(after, before) || m.routed() != route {
		t.Errorf("left are %v, before %v; routed %s, before %s", after, before, m.routed(), route)
	}
}

// TestSwarmScaleWhileRetiring: more processes do not become those that are about to end.
func TestSwarmScaleWhileRetiring(t *testing.T) {
	m, _ := newSwarm(t)
	check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error { set.Checks["wait-to-retire"] = "60"; return nil }))
	for _, web := range []int{4, 3, 5, 2, 3} {
		before, err := m.server.Env.Store.Load("shop")
		check(t, err)
		check(t, m.server.Scale(t.Context(), "shop", map[string]int{"web": web}, false, event.Log{}))
		for id := range before.State.Retiring {
			if i, err := m.engine.Instance(t.Context(), id); err != nil || !i.Running() {
				t.Errorf("%s has no time left for its requests after ps:scale web=%d: %s, %v", id, web, i.Status, err)
			}
		}
	}
	a, err := m.server.Env.Store.Load("shop")
	check(t, err)
	have, err := m.server.Env.InstancesOf(t.Context(), app.View{App: a})
	check(t, err)
	web := 0
	for _, i := range have {
		if i.Type == "web" {
			web++
		}
	}
	if web != 3 || len(a.State.Retiring) == 0 {
		t.Errorf("%d of 3 processes do not retire; retiring are %v", web, a.State.Retiring)
	}
}

// TestSwarmLink: processes on other nodes reach a service of this machine, also after it has
// another container.
func TestSwarmLink(t *testing.T) {
	m := newServed(t)
	ctx, none := t.Context(), event.Log{}
	check(t, m.formSwarm())
	m.engine.Behave(dials)
	check(t, m.server.SetScheduler(ctx, "shop", app.SchedulerSwarm, true, none))
	postgres := m.kind("postgres")
	check(t, m.server.Link(ctx, postgres, "db", "shop", m.link, none))
	if got, want := m.reaches(), []string{"reached dokku-postgres-db:5432", "cannot reach dokku-redis-q:6379"}; !slices.Equal(got, want) {
		t.Errorf("web says %q, want %q", got, want)
	}
	// Another container of the service, and a process that starts without a deploy.
	check(t, m.services.Expose(ctx, postgres, "db", []string{"5433"}, none))
	r := m.load().Current
	i, err := m.engine.Start(ctx, engine.Spec{App: "other", Kind: engine.KindDeploy, Type: "web", Index: 1, Release: 1, Attempt: "a", Name: "other.web.1", Image: r.Image,
		Joins: []string{engine.OverlayName("_postgres.db")}, Placement: &engine.Placement{Image: r.Remote}})
	check(t, err)
	var log strings.Builder
	check(t, m.engine.Logs(ctx, i.ID, engine.LogOptions{}, &log))
	if got := log.String(); !strings.HasPrefix(got, "reached dokku-postgres-db:5432\n") {
		t.Errorf("when the service has another container a process says %q", got)
	}
	check(t, m.server.Unlink(ctx, postgres, "db", "shop", m.link, none))
	if got := m.reaches(); got[0] != "cannot reach dokku-postgres-db:5432" {
		t.Errorf("when it is unlinked web says %q", got)
	}
}
