package machine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/watch"
)

// hiding is an engine that does not say at which port a process on node2 is reached.
type hiding struct {
	*memory.Engine
	hides atomic.Bool
}

func (h *hiding) Observe(ctx context.Context, app string) (engine.Observed, error) {
	o, err := h.Engine.Observe(ctx, app)
	o.Instances = slices.Clone(o.Instances)
	for n, i := range o.Instances {
		if h.hides.Load() && i.Node == "node2" && i.Type == "web" {
			o.Instances[n].NodePort = 0
		}
	}
	return o, err
}

// watched runs the agent during do.
func (m *machine) watched(do func()) {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- watch.Run(ctx, m.server, event.Log{}) }()
	pass(5 * time.Second)
	do()
	cancel()
	check(m.t, <-ended)
}

// routes checks that the route leads to so many processes, and to none on a node.
func (m *machine) routes(when string, want int, without string) {
	m.t.Helper()
	got := m.routed()
	if n := strings.Count(got, "@"); n != want || strings.Contains(got, "nobody") || without != "" && strings.Contains(got, "@"+without) {
		m.t.Errorf("%s the route leads to %s; want %d processes, and none on %q", when, got, want, without)
	}
}

// TestSwarmRouteWithoutEvent: a process that could not be reached when the agent looked gets
// requests within seconds once it can, although nothing tells the agent.
func TestSwarmRouteWithoutEvent(t *testing.T) {
	m, _ := newSwarm(t)
	h := &hiding{Engine: m.engine}
	m.server.Env.Machine = h
	synctest.Test(t, func(t *testing.T) {
		m.watched(func() {
			m.routes("at first", 3, "")
			h.hides.Store(true)
			m.engine.Swarm().Die("node3", true)
			m.engine.Swarm().Die("node3", false)
			pass(2 * watch.Tick)
			m.routes("with a process that cannot be reached", 2, "node2")
			h.hides.Store(false)
			pass(6 * time.Second)
			m.routes("once it can be reached", 3, "")
		})
	})
}

// TestSwarmRouteWhileStopping: the route follows a node that dies while an old worker takes its
// time to end.
func TestSwarmRouteWhileStopping(t *testing.T) {
	m, h := newSwarm(t)
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		b := behaviour(s)
		b.IgnoreStop = s.Type == "worker" && s.Kind == engine.KindDeploy
		return b
	})
	synctest.Test(t, func(t *testing.T) {
		m.watched(func() {
			check(t, m.push(h.one, h.two)) // of workers that end at once
			pass(5 * time.Minute)
			check(t, m.push(h.two, h.one))
			pass(2 * watch.Tick)
			m.routes("after a push", 3, "")
			m.engine.Swarm().Die("node2", true)
			pass(2 * watch.Tick)
			m.routes("after the death of a node", 2, "node2")
			o, err := m.engine.Observe(t.Context(), "shop")
			check(t, err)
			old := slices.ContainsFunc(o.Instances, func(i engine.Instance) bool {
				return i.Type == "worker" && i.Release != m.current().Number && i.Status != engine.StatusExited
			})
			if !old {
				t.Error("the old worker has ended before the node")
			}
			pass(5 * time.Minute)
		})
	})
}

// TestSwarmRouteAfterFailures: the route follows a node within seconds although the agent has failed
// for minutes.
func TestSwarmRouteAfterFailures(t *testing.T) {
	m, _ := newSwarm(t)
	synctest.Test(t, func(t *testing.T) {
		m.watched(func() {
			m.engine.Swarm().Die("node2", true)
			pass(2 * watch.Tick)
			m.routes("after the death of a node", 2, "node2")
			m.proxy.Fail(func(string, string) error { return errors.New("nginx is not there") })
			m.engine.Swarm().Die("node2", false)
			pass(4 * time.Minute)
			m.engine.Swarm().Die("node2", true)
			m.proxy.Fail(nil)
			m.engine.Swarm().Die("node2", false)
			pass(12 * time.Second)
			m.routes("once nginx is there", 3, "")
		})
	})
}
