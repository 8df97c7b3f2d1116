package enginetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/engine"
)

// ClusterFixture has three engines under test that reach each other and are in no swarm.
type ClusterFixture struct {
	Nodes [3]ClusterNode
}

// ClusterNode is an engine of a ClusterFixture.
type ClusterNode struct {
	engine.Clusters
	Address string
	// Join joins the swarm of the first node.
	Join func(t *testing.T, token string)
	// Die takes the node away from the others; dead=false brings it back.
	Die func(t *testing.T, dead bool)
}

// clusterRun is one run of the suite for swarms.
type clusterRun struct {
	*testing.T
	ctx  context.Context
	node [3]ClusterNode
}

// RunClusters runs the suite for swarms. Its parts follow each other.
func RunClusters(t *testing.T, f ClusterFixture) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	r := &clusterRun{t, ctx, f.Nodes}
	r.alone()
	r.first()
	r.workers()
	r.availability()
	r.tokens()
	r.lostWorker()
	r.lostQuorum()
	r.leave()
}

func (r *clusterRun) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *clusterRun) fails(what string, err, target error) {
	r.Helper()
	(&app{t: r.T}).fails(err, target)
	if r.Failed() {
		r.Fatalf("%s: %v", what, err)
	}
}

// see returns the swarm as a node sees it.
func (r *clusterRun) see(n int) engine.Cluster {
	r.Helper()
	c, err := r.node[n].Cluster(r.ctx)
	r.ok(err)
	return c
}

// until waits until the first node sees the swarm in a state.
func (r *clusterRun) until(what string, ok func(engine.Cluster) bool) engine.Cluster {
	r.Helper()
	for {
		c, err := r.node[0].Cluster(r.ctx)
		if err == nil && ok(c) {
			return c
		}
		if r.ctx.Err() != nil {
			r.Fatalf("waited in vain until %s: %+v, %v", what, c, err)
		}
		engine.Pause(r.ctx, 50*time.Millisecond)
	}
}

// at returns the node at an address of the fixture.
func (r *clusterRun) at(c engine.Cluster, n int) engine.Node {
	r.Helper()
	i := slices.IndexFunc(c.Nodes, func(o engine.Node) bool { return o.Address == r.node[n].Address && o.State == engine.NodeReady })
	if i < 0 {
		r.Fatalf("no node is ready at %s: %+v", r.node[n].Address, c.Nodes)
	}
	return c.Nodes[i]
}

// alone: an engine in no swarm says so.
func (r *clusterRun) alone() {
	_, err := r.node[0].Cluster(r.ctx)
	r.fails("Cluster", err, engine.ErrNoCluster)
	_, err = r.node[0].JoinToken(r.ctx, engine.RoleWorker, false)
	r.fails("JoinToken", err, engine.ErrNoCluster)
	r.fails("SetAvailability", r.node[0].SetAvailability(r.ctx, "node", engine.NodeDrained), engine.ErrNoCluster)
	r.ok(r.node[0].LeaveCluster(r.ctx, false))
}

// first: the engine that makes a swarm is its manager and leader.
func (r *clusterRun) first() {
	r.ok(r.node[0].InitCluster(r.ctx, r.node[0].Address))
	r.fails("InitCluster", r.node[0].InitCluster(r.ctx, r.node[0].Address), engine.ErrInCluster)
	c := r.until("it leads", func(c engine.Cluster) bool {
		return len(c.Nodes) == 1 && c.Nodes[0].Leader && c.Nodes[0].State == engine.NodeReady
	})
	if c.ID == "" || c.Self != c.Nodes[0].ID || c.Address != r.node[0].Address || c.Role != engine.RoleManager {
		r.Fatalf("it sees %+v", c)
	}
	equal(r.T, "managers", strings.Join(c.Managers, " "), r.node[0].Address+":2377")
	n := r.at(c, 0)
	if !n.Up() || !n.Reachable || n.Role != engine.RoleManager || n.Engine == "" || n.Name == "" || n.NanoCPUs == 0 || n.Memory == 0 || !slices.Contains(n.Networks, "overlay") {
		r.Fatalf("its node is %+v", n)
	}
}

// workers: a node that joins with the token of workers is one, and cannot change the swarm.
func (r *clusterRun) workers() {
	token, err := r.node[0].JoinToken(r.ctx, engine.RoleWorker, false)
	r.ok(err)
	r.node[1].Join(r.T, token)
	c := r.until("two nodes are ready", func(c engine.Cluster) bool { return len(c.Nodes) == 2 && c.Nodes[0].Up() && c.Nodes[1].Up() })
	n := r.at(c, 1)
	if n.Role != engine.RoleWorker || n.Leader || n.Reachable {
		r.Fatalf("the worker is %+v", n)
	}
	own := r.see(1)
	if own.Self != n.ID || own.Role != engine.RoleWorker || own.ID != "" || len(own.Nodes) != 0 || !slices.Equal(own.Managers, c.Managers) {
		r.Fatalf("the worker sees %+v", own)
	}
	r.fails("InitCluster of a worker", r.node[1].InitCluster(r.ctx, r.node[1].Address), engine.ErrInCluster)
	_, err = r.node[1].JoinToken(r.ctx, engine.RoleWorker, false)
	r.fails("JoinToken of a worker", err, engine.ErrNoManager)
	r.fails("SetAvailability by a worker", r.node[1].SetAvailability(r.ctx, n.ID, engine.NodeDrained), engine.ErrNoManager)
}

// availability: a node can be drained and come back, as often as one likes.
func (r *clusterRun) availability() {
	id := r.at(r.see(0), 1).ID
	for _, a := range []engine.Availability{engine.NodeDrained, engine.NodeDrained, engine.NodeActive, engine.NodePaused, engine.NodeActive} {
		r.ok(r.node[0].SetAvailability(r.ctx, id, a))
		n := r.at(r.see(0), 1)
		equal(r.T, "availability", n.Availability, a)
		equal(r.T, "up", n.Up(), a == engine.NodeActive)
	}
	r.fails("SetAvailability", r.node[0].SetAvailability(r.ctx, "missing", engine.NodeDrained), engine.ErrNoNode)
}

// tokens: a new token makes the former one void; those of the other role stay.
func (r *clusterRun) tokens() {
	token := func(role engine.Role, rotate bool) string {
		t, err := r.node[0].JoinToken(r.ctx, role, rotate)
		r.ok(err)
		return t
	}
	worker, manager := token(engine.RoleWorker, false), token(engine.RoleManager, false)
	if worker == manager || worker == "" {
		r.Fatalf("tokens %q, %q", worker, manager)
	}
	next := token(engine.RoleManager, true)
	if next == manager || token(engine.RoleManager, false) != next || token(engine.RoleWorker, false) != worker {
		r.Fatal("rotating does not make a new token, or makes two")
	}
}

// lostWorker: a worker that dies is down, and comes back.
func (r *clusterRun) lostWorker() {
	r.node[1].Die(r.T, true)
	r.until("the worker is down", func(c engine.Cluster) bool {
		return slices.ContainsFunc(c.Nodes, func(n engine.Node) bool { return n.Address == r.node[1].Address && n.State == "down" })
	})
	r.node[1].Die(r.T, false)
	r.until("the worker is back", func(c engine.Cluster) bool { return len(c.Nodes) == 2 && c.Nodes[0].Up() && c.Nodes[1].Up() })
}

// lostQuorum: with one of two managers nobody can change the swarm.
func (r *clusterRun) lostQuorum() {
	token, err := r.node[0].JoinToken(r.ctx, engine.RoleManager, false)
	r.ok(err)
	r.node[2].Join(r.T, token)
	r.until("two managers are reachable", func(c engine.Cluster) bool {
		managers, reachable, needed := c.Quorum()
		return managers == 2 && reachable == 2 && needed == 2
	})
	r.node[2].Die(r.T, true)
	for {
		c, err := r.node[0].Cluster(r.ctx)
		if err != nil && r.ctx.Err() == nil {
			r.fails("Cluster without a quorum", err, engine.ErrNoQuorum)
			if c.Self == "" || c.Role != engine.RoleManager || !slices.Contains(c.Managers, r.node[0].Address+":2377") {
				r.Fatalf("without a quorum it sees %+v", c)
			}
			break
		}
		if r.ctx.Err() != nil {
			r.Fatal("waited in vain for the loss of the quorum")
		}
		engine.Pause(r.ctx, 50*time.Millisecond)
	}
	_, err = r.node[0].JoinToken(r.ctx, engine.RoleWorker, false)
	r.fails("JoinToken without a quorum", err, engine.ErrNoQuorum)
	r.node[2].Die(r.T, false)
	r.until("the quorum is back", func(c engine.Cluster) bool {
		_, reachable, needed := c.Quorum()
		return reachable >= needed
	})
}

// leave: a worker leaves; a manager does by force alone.
func (r *clusterRun) leave() {
	r.ok(r.node[1].LeaveCluster(r.ctx, false))
	r.ok(r.node[1].LeaveCluster(r.ctx, false))
	_, err := r.node[1].Cluster(r.ctx)
	r.fails("Cluster", err, engine.ErrNoCluster)
	r.fails("LeaveCluster of a manager", r.node[0].LeaveCluster(r.ctx, false), engine.ErrManagerStays)
	r.ok(r.node[0].LeaveCluster(r.ctx, true))
	_, err = r.node[0].Cluster(r.ctx)
	r.fails("Cluster", err, engine.ErrNoCluster)
}
