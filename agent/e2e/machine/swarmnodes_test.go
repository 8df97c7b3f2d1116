package machine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/watch"
)

// TestSwarmNodeDies: the route follows a node that dies, comes back, or is drained, and
// processes that the swarm has placed anew or started again.
func TestSwarmNodeDies(t *testing.T) {
	m, _ := newSwarm(t)
	v := fmt.Sprintf("v%d ", m.current().Number)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- watch.Run(ctx, m.server, event.Log{}) }()
		pass(5 * time.Second)
		follows := func(want ...string) {
			t.Helper()
			pass(2 * watch.Tick)
			if got := m.routed(); got != v+strings.Join(want, ", "+v) {
				t.Errorf("the route leads to %s, want %v", got, want)
			}
		}
		swarm, all := m.engine.Swarm(), []string{"web.1", "web.2", "web.3"}
		for n, p := range m.engine.Placed("shop", "web") {
			all[n] = p
		}
		at := slices.IndexFunc(all, func(p string) bool { return strings.HasSuffix(p, "@node2") })
		others := slices.Delete(slices.Clone(all), at, at+1)
		follows(all...)
		swarm.Die("node2", true)
		follows(others...)
		swarm.Die("node2", false)
		follows(all...)
		swarm.Die("node2", true)
		follows(others...)
		swarm.Reschedule()
		pass(2 * watch.Tick)
		if got := m.routed(); strings.Contains(got, "node2") || strings.Count(got, ",") != 2 {
			t.Errorf("placed anew, the route leads to %s", got)
		}
		check(t, m.engine.SetAvailability(t.Context(), "node3", engine.NodeDrained))
		pass(2 * watch.Tick)
		if got := m.routed(); strings.Contains(got, "node") || strings.Count(got, ",") != 2 {
			t.Errorf("with one node the route leads to %s", got)
		}
		// A process that ends is started again, at another port.
		before, _, _ := m.proxy.Live(ctx, "shop")
		m.engine.Exit(m.placedID("web", 1), 1)
		pass(2 * watch.Tick)
		after, _, _ := m.proxy.Live(ctx, "shop")
		if slices.Equal(after.Upstreams, before.Upstreams) || strings.Contains(m.routed(), "nobody") {
			t.Errorf("the route leads to %s as before", m.routed())
		}
		cancel()
		check(t, <-ended)
	})
}

// placedID returns the id of a process.
func (m *machine) placedID(typ string, index int) string {
	m.t.Helper()
	o, err := m.engine.Observe(context.Background(), "shop")
	check(m.t, err)
	at := slices.IndexFunc(o.Instances, func(i engine.Instance) bool { return i.Type == typ && i.Index == index })
	if at < 0 {
		m.t.Fatalf("no %s.%d is among %+v", typ, index, o.Instances)
	}
	return o.Instances[at].ID
}

// TestSwarmCommands: the commands about processes work on a swarm as on this machine.
func TestSwarmCommands(t *testing.T) {
	m, _ := newSwarm(t)
	ctx := t.Context()
	rest := func(what string) {
		t.Helper()
		m.settle()
		if err := m.atRest(); err != nil {
			t.Errorf("after %s: %v", what, err)
		}
		if a, _ := m.server.Env.Store.Load(m.app()); !a.Current.OnSwarm() {
			t.Errorf("after %s it is not on the swarm", what)
		}
	}
	check(t, m.server.Stop(ctx, "shop", event.Log{}))
	rest("ps:stop")
	check(t, m.server.Start(ctx, "shop", event.Log{}))
	rest("ps:start")
	check(t, m.server.Restart(ctx, "shop", event.Log{}))
	rest("ps:restart")
	check(t, m.server.RestartType(ctx, "shop", "web", event.Log{}))
	rest("ps:restart web")
	for what, start := range map[string]func() error{
		"ps:start":   func() error { return m.server.Start(ctx, "shop", event.Log{}) },
		"ps:restore": func() error { return m.server.StartEnded(ctx, "shop", event.Log{}) },
		"the agent, told that the engine is back": func() error {
			_, _, err := m.server.TryReconcile(ctx, "shop", true, event.Log{})
			return err
		},
	} {
		web, worker := m.placedID("web", 1), m.placedID("worker", 1)
		m.engine.Exit(worker, 0)
		check(t, start())
		rest(what)
		if m.placedID("web", 1) != web || m.placedID("worker", 1) == worker {
			t.Errorf("%s starts web anew, or not worker", what)
		}
	}
	check(t, m.server.SetConfig(ctx, "shop", map[string]string{"A": "b"}, nil, true, event.Log{}))
	rest("config:set")
	check(t, m.server.Rollback(ctx, "shop", 0, false, event.Log{}))
	rest("releases:rollback")
	check(t, m.server.Rebuild(ctx, "shop", event.Log{}))
	rest("ps:rebuild")
	check(t, m.server.Clone(ctx, "shop", "copy", event.Log{}))
	copied, err := m.server.View("copy")
	check(t, err)
	if copied.Scheduler() != app.SchedulerSwarm {
		t.Errorf("a clone is for %s", copied.Scheduler())
	}
	check(t, m.server.Destroy(ctx, "copy", event.Log{}))
	check(t, m.server.Rename(ctx, "shop", "store", false, event.Log{}))
	rest("apps:rename")
	check(t, m.server.Destroy(ctx, "store", event.Log{}))
	if o, err := m.engine.Observe(ctx, ""); err != nil || len(o.Instances)+len(o.Networks) > 0 {
		t.Errorf("after apps:destroy there are %+v, %v", o, err)
	}
}

// TestSwarmRestore: an app of a swarm comes back on another server: on its swarm, once it has one,
// with its image in the registry again, or on the server alone.
func TestSwarmRestore(t *testing.T) {
	old, _ := newSwarm(t)
	data := old.backedUp(backup.BackupOptions{Images: true})
	m := old.another()
	printed, err := m.restored(data, backup.RestoreOptions{OnHost: true})
	if text := fmt.Sprint(printed, err); !strings.Contains(text, "cannot run shop on a swarm: this server is in no swarm: ") ||
		!strings.Contains(text, "dokku scheduler:set shop selected docker-local") {
		t.Errorf("without a swarm a restore says %s", text)
	}
	check(t, m.formSwarm())
	check(t, m.server.Start(t.Context(), "shop", event.Log{}))
	m.settle()
	check(t, m.atRest())
	m.spread("web", 3)

	m = old.another()
	_, _ = m.restored(data, backup.RestoreOptions{OnHost: true})
	check(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerLocal, true, event.Log{}))
	check(t, m.server.Start(t.Context(), "shop", event.Log{}))
	m.settle()
	check(t, m.atRest())
	if m.current().OnSwarm() {
		t.Error("it is on no server")
	}
}

// TestSwarmUnseen: without a quorum nothing of an app on the swarm is touched, and apps of this
// machine go on.
func TestSwarmUnseen(t *testing.T) {
	m, h := newSwarm(t)
	ctx := t.Context()
	check(t, m.server.Create(ctx, "local", false))
	token, err := m.engine.JoinToken(ctx, engine.RoleManager, false)
	check(t, err)
	other := memory.New()
	check(t, other.Join(m.engine.Swarm(), "10.0.0.4", token))
	before, route := m.engine.Placed("shop", "web"), m.proxy.Published()
	other.Die(true)
	for what, do := range map[string]func() error{
		"the agent":    func() error { return m.server.Reconcile(ctx, "shop", event.Log{}) },
		"ps:scale":     func() error { return m.server.Scale(ctx, "shop", map[string]int{"web": 1}, false, event.Log{}) },
		"ps:restart":   func() error { return m.server.Restart(ctx, "shop", event.Log{}) },
		"a push":       func() error { return m.push(h.one, h.two) },
		"apps:destroy": func() error { return m.server.Destroy(ctx, "shop", event.Log{}) },
	} {
		if what == "apps:destroy" {
			continue // it goes last
		}
		if err := do(); err == nil || !strings.Contains(err.Error(), "quorum") {
			t.Errorf("%s: %v", what, err)
		}
	}
	check(t, m.server.Reconcile(ctx, "local", event.Log{}))
	if got := m.engine.Placed("shop", "web"); !slices.Equal(got, before) || len(m.proxy.Published()) != len(route) {
		t.Errorf("it is at %v, was at %v; published %v", got, before, m.proxy.Published()[len(route):])
	}
	other.Die(false)
	check(t, m.server.Reconcile(ctx, "shop", event.Log{}))
	if got := m.engine.Placed("shop", "web"); !slices.Equal(got, before) {
		t.Errorf("afterwards it is at %v, was at %v", got, before)
	}
	other.Die(true)
	refuses(t, m.server.Destroy(ctx, "shop", event.Log{}), "quorum")
	other.Die(false)
	m.server.Reconcile(ctx, "shop", event.Log{})
	if got := m.engine.Placed("shop", "web"); len(got) > 0 {
		t.Errorf("the agent does not finish the destroy: %v", got)
	}
}
