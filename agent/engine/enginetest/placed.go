package enginetest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/engine"
)

// PlacedFixture is a swarm of three managers under test.
type PlacedFixture struct {
	// Host is the first node's engine.
	Host  engine.Host
	Nodes [3]PlacedNode
	// Image is the id of an image as that of a Fixture, of no app. Remote is its name by
	// digest in a registry that all nodes reach, Missing one that the registry does not have.
	Image, Remote, Missing string
	Auth                   engine.RegistryAuth
	// Command returns a command for that image that acts as p.
	Command func(p Program) []string
	// Reach reports whether this machine reaches an instance's port; nil: it cannot tell.
	Reach func(engine.Instance) bool
	// Elapse lets time pass until the swarm has noticed which nodes are gone; nil: it
	// passes by itself.
	Elapse func(t *testing.T)
}

// PlacedNode is a node of a PlacedFixture.
type PlacedNode struct {
	Name    string
	Address string
	// Cut takes the node off the network of the others, where it goes on, and with false
	// puts it back. Die ends it as the loss of its power does, and with false starts it.
	Cut, Die func(t *testing.T, yes bool)
}

// placedRun is one run of the suite for placed processes.
type placedRun struct {
	*run
	PlacedFixture
}

func newPlacedRun(f PlacedFixture) *placedRun {
	return &placedRun{&run{Fixture: Fixture{Host: f.Host, Command: f.Command}, prefix: "et" + random() + "-", image: f.Image}, f}
}

// RunPlacedQuorum runs the part of the suite for processes that a swarm places in which the
// swarm loses its quorum. A real one takes a minute for it.
func RunPlacedQuorum(t *testing.T, f PlacedFixture) { placedQuorum(t, newPlacedRun(f)) }

// RunPlaced runs the rest of that suite.
func RunPlaced(t *testing.T, f PlacedFixture) {
	r := newPlacedRun(f)
	t.Run("together", func(t *testing.T) {
		for _, test := range []struct {
			name string
			run  func(*testing.T, *placedRun)
		}{
			{"start and observe", placedStart},
			{"start side by side", placedTogether},
			{"grow", placedGrow},
			{"a group that joins another", placedJoins},
			{"stop, start and remove", placedStop},
			{"processes that end", placedEnds},
			{"an image that cannot be pulled", placedPull},
			{"no place", placedNoPlace},
			{"most of a node", placedMost},
			{"start with a context that ends", placedEnded},
			{"logs and wait", placedLogs},
			{"look inside", placedInside},
			{"a container of this machine", placedBeside},
			{"what does not exist", placedMissing},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				test.run(t, r)
			})
		}
	})
	for _, test := range []struct {
		name string
		run  func(*testing.T, *placedRun)
	}{
		{"a node that is drained", placedDrained},
		{"a node that is cut off", placedCut},
		{"a node that dies", placedDies},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, r) })
	}
}

// placed returns the Spec of the nth of count web processes.
func (r *placedRun) placed(a *app, n, count int, p Program) engine.Spec {
	s := a.spec(n, p)
	s.Env = append(s.Env, fmt.Sprintf("DYNO=web.%d", n))
	s.Port, s.StopTimeout, s.RestartPolicy = 8080, 5*time.Second, "on-failure:5"
	s.Placement = &engine.Placement{Count: count, Image: r.Remote, Auth: r.Auth}
	return s
}

// startAll starts web processes side by side.
func (r *placedRun) startAll(a *app, count int, p Program, change func(*engine.Spec)) (started []engine.Instance, failed []error) {
	started, failed = make([]engine.Instance, count), make([]error, count)
	var all sync.WaitGroup
	for n := range count {
		s := r.placed(a, n+1, count, p)
		if change != nil {
			change(&s)
		}
		all.Go(func() { started[n], failed[n] = a.Host.Start(a.ctx, s) })
	}
	all.Wait()
	return started, failed
}

// group starts web processes, all of which have to run.
func (r *placedRun) group(a *app, count int, p Program) []engine.Instance {
	a.t.Helper()
	started, failed := r.startAll(a, count, p, nil)
	for n, err := range failed {
		a.ok(err)
		equal(a.t, "index", started[n].Index, n+1)
		equal(a.t, "group", started[n].Group, started[0].Group)
		equal(a.t, "status", started[n].Status, engine.StatusRunning)
	}
	return started
}

// running returns the app's running processes once there are count of them, and nodes with
// the names given have none.
func (r *placedRun) running(a *app, count int, without ...string) []engine.Instance {
	a.t.Helper()
	return r.between(a, count, count, without...)
}

// atLeast is running for count processes or more.
func (r *placedRun) atLeast(a *app, count int) []engine.Instance {
	a.t.Helper()
	return r.between(a, count, math.MaxInt)
}

func (r *placedRun) between(a *app, least, most int, without ...string) []engine.Instance {
	a.t.Helper()
	late := time.Now().Add(patience)
	for {
		found := slices.DeleteFunc(a.observe().Instances, func(i engine.Instance) bool { return !i.Running() })
		if len(found) >= least && len(found) <= most && !slices.ContainsFunc(found, func(i engine.Instance) bool { return slices.Contains(without, i.Node) }) {
			return found
		}
		if time.Now().After(late) {
			a.t.Fatalf("waited in vain for %d to %d processes, none of them on %q: %+v", least, most, without, a.observe().Instances)
		}
		engine.Pause(a.ctx, 100*time.Millisecond)
	}
}

func placedStart(t *testing.T, r *placedRun) {
	a := r.bare(t)
	began := time.Now().Add(-time.Second)
	started := r.group(a, 3, Program{Ports: []int{8080}})
	o := a.observe()
	equal(t, "processes", len(o.Instances), 3)
	equal(t, "what may be unseen", o.Unseen, nil)
	for n, i := range o.Instances {
		equal(t, "what Start returned", started[n], i)
		node := slices.IndexFunc(r.Nodes[:], func(node PlacedNode) bool { return node.Name == i.Node })
		if node < 0 || r.Nodes[node].Address != i.Address.String() || i.NodePort == 0 {
			t.Fatalf("no node runs %+v", i)
		}
		at := i.Reach(8080)
		equal(t, "where it is reached", at.String(), fmt.Sprintf("%s:%d", i.Address, i.NodePort))
		if r.Reach != nil && !r.Reach(i) {
			t.Errorf("nothing answers at %s", at)
		}
		if i.Started.Before(began) || i.Created.Before(began) || i.Started.After(time.Now().Add(time.Second)) || i.Created.After(i.Started) {
			t.Errorf("created at %s and started at %s, expected after %s", i.Created, i.Started, began)
		}
		equal(t, "instance", i, engine.Instance{
			ID: i.Group + fmt.Sprintf(".%d", n+1), Name: a.name + fmt.Sprintf(".web.%d", n+1), App: a.name, Kind: engine.KindDeploy, Type: "web", Index: n + 1,
			Release: 7, Attempt: "abc", Image: a.image, Command: i.Command, Address: i.Address, Group: i.Group, Node: i.Node, NodePort: i.NodePort, Secure: i.Secure,
			Status: engine.StatusRunning, Created: i.Created, Started: i.Started, Policy: engine.RestartPolicy{Name: "on-failure", Max: 5},
		})
		if !i.Placed() || i.Group == "" || !strings.HasPrefix(i.Command, r.Command(Program{})[0]+" ") {
			t.Errorf("placed %v in %q as %s", i.Placed(), i.Group, i.Command)
		}
		alone, err := a.Host.Instance(a.ctx, i.ID)
		a.ok(err)
		equal(t, "the instance alone", alone, i)
	}
	nodes := map[string]bool{}
	for _, i := range started {
		nodes[i.Node] = true
	}
	equal(t, "nodes", len(nodes), 3)
	equal(t, "networks", len(o.Networks), 1)
	n := o.Networks[0]
	equal(t, "network", n.Name, engine.OverlayName(a.name))
	equal(t, "network's app", n.App, a.name)
	equal(t, "overlay", n.Overlay, true)

	all, err := a.Host.Observe(a.ctx, "")
	a.ok(err)
	equal(t, "found among all apps", slices.Contains(all.Instances, started[1]), true)
	again, err := a.Host.Start(a.ctx, r.placed(a, 2, 3, Program{}))
	a.ok(err)
	equal(t, "the second start's process", again, started[1])
	r.otherAttempt(a)
}

// otherAttempt: the processes of another attempt are another group beside the first.
func (r *placedRun) otherAttempt(a *app) {
	a.t.Helper()
	s := r.placed(a, 1, 1, Program{})
	s.Attempt = "def"
	i, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	r.running(a, 4)
	a.remove(engine.Container, i.ID)
	r.running(a, 3)
}

func placedTogether(t *testing.T, r *placedRun) {
	a := r.bare(t)
	started := r.group(a, 5, Program{})
	equal(t, "processes", len(r.running(a, 5)), 5)
	for n, i := range started {
		text := ""
		for !strings.Contains(text, "ready") { // the log may be late
			engine.Pause(a.ctx, 20*time.Millisecond)
			text = a.log(i.ID, engine.LogOptions{})
			if a.ctx.Err() != nil {
				t.Fatalf("the log of web.%d is %q", n+1, text)
			}
		}
	}
}

func placedGrow(t *testing.T, r *placedRun) {
	a := r.bare(t)
	first := r.group(a, 2, Program{})
	third, err := a.Host.Start(a.ctx, r.placed(a, 4, 3, Program{}))
	a.ok(err)
	equal(t, "index", third.Index, 4)
	equal(t, "group", third.Group, first[0].Group)
	for n, i := range r.running(a, 4)[:2] {
		equal(t, "one that ran before", i, first[n])
	}
}

func placedJoins(t *testing.T, r *placedRun) {
	a := r.bare(t)
	first := r.group(a, 1, Program{})
	join := func(n int) engine.Instance {
		s := r.placed(a, n, 2, Program{})
		s.Placement.First = 2
		i, err := a.Host.Start(a.ctx, s)
		a.ok(err)
		equal(t, "index", i.Index, n)
		equal(t, "name", i.Name, fmt.Sprintf("%s.web.%d", a.name, n))
		return i
	}
	second, third := join(2), join(3)
	equal(t, "group", third.Group, second.Group)
	equal(t, "it is the first one", second.Group == first[0].Group, false)
	a.remove(engine.Container, third.ID)
	equal(t, "what is left", r.running(a, 1)[0], first[0])
}

func placedStop(t *testing.T, r *placedRun) {
	a := r.bare(t)
	first := r.group(a, 2, Program{})
	each := func(do func(id string) error) {
		t.Helper()
		failed := make([]error, len(first))
		var all sync.WaitGroup
		for n, i := range first {
			all.Go(func() { failed[n] = do(i.ID) })
		}
		all.Wait()
		for _, err := range failed {
			a.ok(err)
		}
	}
	stop := func(id string) error { return a.Host.Stop(a.ctx, id, 5*time.Second) }
	a.ok(stop(first[1].ID))
	a.ok(stop(first[1].ID))
	stopped := a.observe().Instances
	equal(t, "stopped processes", len(stopped), 2)
	for n, i := range stopped {
		equal(t, "id", i.ID, first[n].ID)
		equal(t, "name", i.Name, first[n].Name)
		equal(t, "status", i.Status, engine.StatusExited)
		equal(t, "where it is reached", i.Reach(8080).IsValid(), false)
	}
	again, err := a.Host.Start(a.ctx, r.placed(a, 1, 1, Program{}))
	a.ok(err)
	equal(t, "id", again.ID, first[0].ID)
	equal(t, "status", again.Status, engine.StatusRunning)
	r.running(a, 2) // the group ended as a whole, and starts as one
	each(stop)
	equal(t, "status", a.instance(first[0].ID).Status, engine.StatusExited)
	remove := func(id string) error {
		return a.Host.Remove(a.ctx, engine.Resource{Kind: engine.Container, ID: id})
	}
	r.group(a, 2, Program{})
	each(remove)
	each(remove)
	each(stop)
	equal(t, "processes after all were removed", len(a.observe().Instances), 0)
	_, err = a.Host.Instance(a.ctx, first[0].ID)
	a.fails(err, engine.ErrNoContainer, first[0].ID)
	for _, n := range a.observe().Networks {
		a.remove(engine.NetworkKind, n.ID)
	}
	equal(t, "networks after all were removed", len(a.observe().Networks), 0)
}
