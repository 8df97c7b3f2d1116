package machine

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"dokku/agent/engine"
)

// TestSwarmNodeDiesInPush: a node dies before each change that a push makes, of the engine, a
// file or the proxy. The push is accepted or it changes nothing; visitors always reach a
// process that lives; and once the swarm has placed anew what was lost, all is at rest.
func TestSwarmNodeDiesInPush(t *testing.T) {
	steps, accepted := 0, 0
	for k := int64(1); ; k++ {
		m, h := newSwarm(t)
		was := m.current().Number
		var step atomic.Int64
		m.visit = func(string) error {
			if step.Add(1) == k {
				m.engine.Swarm().Die("node2", true)
			}
			if text := m.unserved(); text != "" {
				t.Errorf("node2 dies at step %d: at step %d %s", k, step.Load(), text)
			}
			return nil
		}
		err := m.push(h.one, h.two)
		m.visit = func(string) error { return nil }
		if step.Load() < k {
			break
		}
		steps++
		m.engine.Swarm().Reschedule()
		m.settle()
		if err := m.atRest(); err != nil {
			t.Errorf("node2 dies at step %d: %v", k, err)
		}
		number := m.current().Number
		if number != was {
			accepted++
		}
		if (err == nil) != (number != was) {
			t.Errorf("node2 dies at step %d: the push says %v, and v%d is current, before it v%d", k, err, number, was)
		}
		m.spreadAlive(3)
	}
	t.Logf("a node died at %d steps of a push; %d were accepted", steps, accepted)
	if steps < 20 {
		t.Errorf("a push has %d steps only", steps)
	}
}

// unserved says what is wrong unless the live route leads to a process that runs. It calls no
// hook.
func (m *machine) unserved() string {
	live, ok, err := m.proxy.Live(context.Background(), "shop")
	if err != nil || !ok {
		return "there is no route"
	}
	o, err := m.engine.Clone().Observe(context.Background(), "shop")
	if err != nil {
		return err.Error()
	}
	for _, u := range live.Upstreams {
		if slices.ContainsFunc(o.Instances, func(i engine.Instance) bool { return i.Running() && i.Reach(int(u.Port())) == u }) {
			return ""
		}
	}
	return "no process of the route runs"
}

// spreadAlive checks that so many web processes run, none of them on the dead node.
func (m *machine) spreadAlive(want int) {
	m.t.Helper()
	o, err := m.engine.Observe(m.t.Context(), "shop")
	check(m.t, err)
	have := 0
	for _, i := range o.Instances {
		if i.Type == "web" && i.Status == engine.StatusRunning && !strings.HasSuffix(i.Node, "node2") {
			have++
		}
	}
	if have != want {
		m.t.Errorf("%d web processes run on nodes that live, want %d", have, want)
	}
}
