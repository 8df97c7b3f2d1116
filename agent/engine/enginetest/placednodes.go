package enginetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"dokku/agent/engine"
)

// elapse lets the swarm notice which nodes are gone.
func (r *placedRun) elapse(t *testing.T) {
	if r.Elapse != nil {
		r.Elapse(t)
	}
}

// ready waits until all nodes take processes.
func (r *placedRun) ready(a *app) {
	a.t.Helper()
	for {
		c, err := a.Host.Cluster(a.ctx)
		if err == nil && len(c.Nodes) == 3 && !slices.ContainsFunc(c.Nodes, func(n engine.Node) bool { return !n.Up() || !n.Reachable }) {
			return
		}
		if a.ctx.Err() != nil {
			a.t.Fatalf("waited in vain for all nodes: %+v, %v", c, err)
		}
		engine.Pause(a.ctx, 200*time.Millisecond)
	}
}

// watch follows the engine until the test's end, and returns the events of an app.
func (r *placedRun) watch(a *app) <-chan engine.Event {
	all, found, ended := make(chan engine.Event), make(chan engine.Event, 100), make(chan struct{})
	go func() {
		defer close(ended)
		a.Host.Watch(a.ctx, all)
	}()
	go func() {
		for {
			select {
			case e := <-all:
				if e.App == a.name {
					select {
					case found <- e:
					default:
					}
				}
			case <-ended:
				return
			}
		}
	}()
	return found
}

func placedDrained(t *testing.T, r *placedRun) {
	a := r.bare(t)
	r.group(a, 3, Program{})
	c, err := a.Host.Cluster(a.ctx)
	a.ok(err)
	at := slices.IndexFunc(c.Nodes, func(n engine.Node) bool { return n.Name == r.Nodes[1].Name })
	a.ok(a.Host.SetAvailability(a.ctx, c.Nodes[at].ID, engine.NodeDrained))
	r.elapse(t)
	r.running(a, 3, r.Nodes[1].Name)
	for _, i := range a.observe().Instances {
		equal(t, "restarts of a process that moved", i.Restarts, 0)
	}
	a.ok(a.Host.SetAvailability(a.ctx, c.Nodes[at].ID, engine.NodeActive))
	r.ready(a)
}

// placedCut: what runs on a node that does not answer is lost, until it answers again or the
// swarm has placed it anew. Whoever watches is told of both.
func placedCut(t *testing.T, r *placedRun) {
	a := r.bare(t)
	started := r.group(a, 3, Program{})
	events := r.watch(a)
	told := func(what string, ok func([]engine.Instance) bool) {
		t.Helper()
		for {
			if ok(a.observe().Instances) {
				return
			}
			select {
			case <-events:
			case <-time.After(patience):
				t.Fatalf("nobody is told %s: %+v", what, a.observe().Instances)
			}
		}
	}
	victim := slices.IndexFunc(started, func(i engine.Instance) bool { return i.Node == r.Nodes[2].Name })
	if victim < 0 {
		t.Fatalf("nothing runs on %s: %+v", r.Nodes[2].Name, started)
	}
	r.Nodes[2].Cut(t, true)
	told("that a process is lost", func(found []engine.Instance) bool {
		return len(found) == 3 && found[victim].Status == engine.StatusLost && found[victim].Node == r.Nodes[2].Name
	})
	for n, i := range a.observe().Instances {
		if n != victim {
			equal(t, "one on another node", i, started[n])
		}
	}
	r.elapse(t)
	told("that it runs elsewhere", func(found []engine.Instance) bool {
		return len(found) == 3 && found[victim].Running() && found[victim].Node != r.Nodes[2].Name
	})
	r.Nodes[2].Cut(t, false)
	r.ready(a)
	equal(t, "processes", len(r.running(a, 3)), 3)
}

func placedDies(t *testing.T, r *placedRun) {
	a := r.bare(t)
	started := r.group(a, 3, Program{})
	r.Nodes[2].Die(t, true)
	r.elapse(t)
	moved := r.running(a, 3, r.Nodes[2].Name)
	for n, i := range moved {
		equal(t, "id", i.ID, started[n].ID)
		equal(t, "restarts of a process that moved", i.Restarts, 0)
		if started[n].Node != r.Nodes[2].Name {
			equal(t, "one on another node", i, started[n])
		}
	}
	// A stop does not wait for what nobody can stop.
	a.stop(moved[0].ID)
	a.remove(engine.Container, moved[0].ID)
	r.Nodes[2].Die(t, false)
	r.elapse(t)
	r.ready(a)
}

func placedQuorum(t *testing.T, r *placedRun) {
	a := r.bare(t)
	r.group(a, 1, Program{})
	for _, n := range r.Nodes[1:] {
		n.Die(t, true)
	}
	r.elapse(t)
	refused := make(chan error)
	go func() {
		_, err := a.Host.Start(a.ctx, r.placed(a, 2, 2, Program{}))
		refused <- err
	}()
	for {
		o, err := a.Host.Observe(a.ctx, a.name)
		if err == nil && errors.Is(o.Unseen, engine.ErrNoQuorum) {
			break
		}
		if a.ctx.Err() != nil {
			t.Fatalf("waited in vain for the loss of the quorum: %+v, %v", o, err)
		}
		engine.Pause(a.ctx, 200*time.Millisecond)
	}
	a.fails(<-refused, engine.ErrNoQuorum, "cannot start web.2 of app "+a.name)
	_, err := a.Host.Instance(a.ctx, "missing")
	a.fails(err, engine.ErrNoContainer)
	for _, n := range r.Nodes[1:] {
		n.Die(t, false)
	}
	r.elapse(t)
	r.ready(a)
	// A manager may have noted the second process before it knew that the others are gone. Then it
	// is started now, like after any call whose answer was lost.
	first := slices.DeleteFunc(r.atLeast(a, 1), func(i engine.Instance) bool { return i.Index != 1 })
	equal(t, "the first process", len(first), 1)
}
