package e2e

import (
	"strings"
	"testing"

	"dokku/agent/e2e/fault"
	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/swarmlab"
)

// spreadApp is an app with three web processes and a worker.
var spreadApp = lab.Files{"Procfile": "web: /server\nworker: /server -port=\n", "DOKKU_SCALE": "web=3\nworker=1\n"}

// refusedWhole makes a push that fails and changes nothing, and returns its output.
func (d dying) refusedWhole(push *lab.Process, tip string) string {
	d.Lab.T.Helper()
	out := push.Fails()
	lab.Contains(d.Lab.T, out, "Nothing has changed")
	if now := d.Tip("main"); now != tip {
		d.Lab.T.Errorf("main moves from %s to %s:\n%s", tip, now, out)
	}
	d.Serves(tip)
	return out
}

// TestSwarmManagersDie: of three managers, the first one, whose server has the apps, loses its power,
// and then both others do. Visitors are served, every push is refused and changes nothing, and
// once they are back all is at rest and pushes deploy again.
func TestSwarmManagersDie(t *testing.T) {
	l, s := onSwarm(t, 3, 3, quick)
	a := l.App(spreadApp)
	a.Push(nil)
	d := dying{App: a, swarm: s}
	for _, c := range []struct {
		name, says string
		victims    []*swarmlab.Node
	}{{"the first manager", "cannot reach the Docker Engine", s.Nodes[:1]}, {"the quorum", "the swarm has lost its quorum", s.Nodes[1:]}} {
		tip := a.Tip("main")
		for _, n := range c.victims {
			n.Kill()
		}
		a.Commit(lab.Files{"version": "without " + c.name})
		lab.Contains(t, d.refusedWhole(a.Pushing(), tip), c.says)
		for _, n := range c.victims {
			n.Start()
		}
		a.Git("reset", "-q", "--hard", tip)
		d.follows("the loss of " + c.name)
		a.Push(lab.Files{"version": "with " + c.name})
	}
	d.follows("a push")
}

// TestSwarmRegistryDies: a registry that is down when the nodes pull the image of a push
// has the push refused as a whole. A process that cannot be placed anew when its node dies, since no other one
// gets its image, is named with the reason, and runs once the registry is back. A link that is
// cut and mended during a push leaves one release whole.
func TestSwarmRegistryDies(t *testing.T) {
	tools, err := fault.Tools()
	lab.Must(t, err)
	l, s, r := onSwarmOf(t, tools, 3, 1, quick)
	a := l.App(lab.Files{"Procfile": spreadApp["Procfile"] + "release: /server -exit=0\n", "DOKKU_SCALE": spreadApp["DOKKU_SCALE"]})
	a.Push(nil)
	d := dying{App: a, swarm: s, points: fault.Points{Lab: l}}
	alone := l.App(lab.Files{"Procfile": "web: /server\n"})
	l.Dokku("apps:create", alone.Name)
	l.Dokku("scheduler-docker-swarm:set", alone.Name, "placement-constraints", "node.role!=manager")
	alone.Push(nil)

	tip := a.Tip("main")
	push := d.held("pre-receive/release-command-run#1", "without the registry")
	r.told(t, "stop")
	d.points.Release()
	lab.Contains(t, d.refusedWhole(push, tip), "the node cannot pull the image (node")
	a.Git("reset", "-q", "--hard", tip)
	d.follows("a push without the registry")

	victim := s.Nodes[1]
	if nodesOf(l, alone.Name, "web")[0] == s.Nodes[2].Name {
		victim = s.Nodes[2]
	}
	victim.Kill()
	const why = "the node cannot pull the image (node"
	for _, command := range []string{"ps:report", "doctor"} {
		lab.WaitFor(t, command+" says why the process does not run", func() bool {
			out, _ := l.Try(command, alone.Name)
			return strings.Contains(out, "web.1 waits for a node of the swarm: "+why)
		})
	}
	r.told(t, "start")
	lab.WaitFor(t, "the process is placed anew", func() bool {
		status, _ := alone.Get("/")
		return status == 200
	})
	victim.Start()
	d.follows("the registry is back")

	push = d.held("pre-receive/all-healthy#1", "with a link cut and mended")
	s.Nodes[1].Cut()
	lab.WaitFor(t, "the swarm has noticed", func() bool { return d.down(s.Nodes[1]) })
	s.Nodes[1].Mend()
	d.points.Release()
	if _, code := push.Wait(); (code == 0) != d.accepted() {
		t.Errorf("the push ends with %d, and main is at %s:\n%s", code, d.Tip("main"), push.Output())
	}
	if !d.accepted() {
		a.Git("reset", "-q", "--hard", d.Tip("main"))
	}
	d.follows("a link that was cut and mended")
}

// held commits a version and begins a push of it, which waits at a point.
func (d dying) held(point, version string) *lab.Process {
	t := d.Lab.T
	t.Helper()
	d.points.Plan(point, "hold")
	d.Commit(lab.Files{"version": version})
	push := d.Pushing()
	lab.WaitFor(t, "the push is at "+point, func() bool { return d.points.Struck() || push.Ended() })
	if !d.points.Struck() {
		t.Fatalf("the push does not reach %s:\n%s", point, push.Output())
	}
	return push
}

// down reports whether the swarm has noticed that a node is gone.
func (d dying) down(n *swarmlab.Node) bool {
	c, err := d.swarm.Nodes[0].Cluster(d.Lab.T.Context())
	lab.Must(d.Lab.T, err)
	for _, o := range c.Nodes {
		if o.Name == n.Name {
			return o.State == "down"
		}
	}
	return false
}
