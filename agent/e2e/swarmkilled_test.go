package e2e

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"

	"dokku/agent/e2e/fault"
	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/swarmlab"
	"dokku/agent/engine"
)

var (
	swarmTurn = flag.Int("swarm.turn", 0, "which step of a push TestSwarmNodeDiesAtSteps begins with")
	swarmFor  = flag.Duration("swarm.for", 45*time.Second, "let TestSwarmNodeDiesAtSteps begin no step later than this")
)

// swarmStride is how far the steps are apart that one run of TestSwarmNodeDiesAtSteps takes:
// they are spread over the push.
const swarmStride = 17

// quick are settings with which a push takes a few seconds.
var quick = map[string]any{"checks": map[string]string{"default-wait": "1", "wait-to-retire": "1"}}

// TestSwarmNodeDiesAtSteps: at steps of a push, each change of a file, call of the engine and
// step of git, a node loses its power or its link, and is back after the push. The push is
// accepted or it changes nothing, all of one release serves, from all of its processes soon after the swarm
// runs them, and nothing is left behind. One run takes some steps; -swarm.turn chooses others.
func TestSwarmNodeDiesAtSteps(t *testing.T) {
	tools, err := fault.Tools()
	lab.Must(t, err)
	l, s := onSwarmWith(t, tools, 3, 3, quick)
	a := l.App(lab.Files{"Procfile": "web: /server\nworker: /server -port=\n", "DOKKU_SCALE": "web=3\nworker=1\n"})
	a.Push(nil)
	points := fault.Points{Lab: l}
	points.Plan("", "")
	a.Push(lab.Files{"version": "recorded"})
	steps := slices.DeleteFunc(points.Reached(), func(p string) bool { return !strings.Contains(p, "-receive/any#") })
	begun, taken, accepted := time.Now(), 0, 0
	for n := range len(steps) {
		if time.Since(begun) > *swarmFor {
			break
		}
		k := (*swarmTurn + n*swarmStride) % len(steps)
		if d := (dying{App: a, swarm: s, points: points, step: steps[k], number: k}); !d.strikes() {
			continue
		} else if d.accepted() {
			accepted++
		}
		taken++
	}
	t.Logf("a node died at %d of %d steps of a push; %d were accepted", taken, len(steps), accepted)
	if len(steps) < 40 || taken < 2 {
		t.Errorf("a push has %d steps, and a node died at %d of them", len(steps), taken)
	}
}

// dying is a push that loses a node at a step.
type dying struct {
	*lab.App
	swarm  *swarmlab.Lab
	points fault.Points
	step   string
	number int
}

// accepted reports whether the branch is at the last commit.
func (d dying) accepted() bool { return d.Tip("main") == d.Git("rev-parse", "HEAD") }

// strikes makes the push, and checks what has become of it. It is false if the push never
// reached the step: not all pushes have equally many.
func (d dying) strikes() bool {
	t := d.Lab.T
	t.Helper()
	victim := d.swarm.Nodes[1+d.number%2]
	die, back, how := victim.Kill, victim.Start, "power"
	if d.number/2%2 == 1 {
		die, back, how = victim.Cut, victim.Mend, "link"
	}
	before := d.Tip("main")
	d.points.Plan(d.step, "hold")
	d.Commit(lab.Files{"version": fmt.Sprintf("%s without %s", d.step, victim.Name)})
	push := d.Pushing()
	lab.WaitFor(t, "the push is at "+d.step, func() bool { return d.points.Struck() || push.Ended() })
	struck := d.points.Struck()
	if struck {
		die()
	}
	d.points.Release()
	push.Wait()
	at := fmt.Sprintf("%s loses its %s at %s", victim.Name, how, d.step)
	if code := push.Cmd.ProcessState.ExitCode(); code == 0 && !d.accepted() {
		t.Errorf("%s: the push succeeds, and main is at %s:\n%s", at, d.Tip("main"), push.Output())
	} else if !d.accepted() && d.Tip("main") != before {
		t.Errorf("%s: main moved from %s to %s", at, before, d.Tip("main"))
	} else {
		t.Logf("%s: the push ends with %d", at, code)
	}
	if !d.accepted() {
		d.Git("reset", "-q", "--hard", before)
	}
	if status, body := d.Get("/"); status != 200 || !strings.HasPrefix(body, d.Tip("main")) {
		t.Errorf("%s: main is at %s, and visitors get %d %q\n%s", at, d.Tip("main"), status, body, push.Output())
	}
	if struck {
		back()
	}
	d.follows(at)
	return struck
}

// routeBound is how long a process may run on the swarm until requests are passed to it.
const routeBound = 20 * time.Second

// follows waits until all is at rest after a fault. Once the swarm runs all processes, the route
// has to have them soon.
func (d dying) follows(fault string) {
	t := d.Lab.T
	t.Helper()
	var placed time.Time
	lab.WaitUntil(t, "the route has all processes after "+fault, func() error {
		if err := d.placed(); err != nil {
			placed = time.Time{}
			return err
		}
		if placed.IsZero() {
			placed = time.Now()
		}
		err := d.routed()
		if err != nil && time.Since(placed) > routeBound {
			t.Fatalf("%s: the swarm has run all processes for %s, and %s", fault, routeBound, err)
		}
		return err
	})
	lab.WaitUntil(t, "all is at rest after "+fault, d.rests)
	d.Serves(d.Tip("main"))
}

// placed returns what of the current release the swarm has yet to run.
func (d dying) placed() error {
	st, err := d.ReadState()
	if err != nil {
		return err
	}
	have, err := d.tasks()
	if err != nil {
		return err
	}
	current := fmt.Sprintf("of v%d running", st.Current)
	have = slices.DeleteFunc(have, func(task string) bool { return !strings.HasSuffix(task, current) })
	if want := running(st.Current); !slices.Equal(have, want) {
		return fmt.Errorf("the swarm runs %q, want %q", have, want)
	}
	return nil
}

// running are the tasks of a release, as tasks has them.
func running(release int) []string {
	web, worker := fmt.Sprintf("web of v%d running", release), fmt.Sprintf("worker of v%d running", release)
	return []string{web, web, web, worker}
}

// routed returns an error unless nginx passes requests to three processes, and all answer.
func (d dying) routed() error {
	up := d.Upstreams()
	if len(up) != 3 {
		return fmt.Errorf("nginx passes requests to %v", up)
	}
	for range 3 * len(up) { // each of them in turn, over TLS
		if status, body := d.Get("/"); status != 200 || !strings.HasPrefix(body, d.Tip("main")) {
			return fmt.Errorf("visitors get %d %q", status, body)
		}
	}
	return nil
}

// tasks are the tasks of the app that are to run on nodes that are there: "web of v3 running".
func (d dying) tasks() (have []string, err error) {
	ctx, cli := d.Lab.T.Context(), d.swarm.Nodes[0].Client()
	services, err := cli.ServiceList(ctx, swarm.ServiceListOptions{Filters: d.Label()})
	if err != nil {
		return nil, err
	}
	for _, s := range services {
		tasks, err := cli.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("service", s.ID), filters.Arg("desired-state", "running"))})
		if err != nil {
			return nil, err
		}
		for _, task := range tasks {
			have = append(have, fmt.Sprintf("%s of v%s %s", s.Spec.Labels[engine.LabelProcessType], s.Spec.Labels[engine.LabelRelease], task.Status.State))
		}
	}
	slices.Sort(have)
	return have, nil
}

// rests returns what is not at rest: the nodes, the push, the app's state, its services with
// their tasks, or its route.
func (d dying) rests() error {
	ctx := d.Lab.T.Context()
	nodes, err := d.swarm.Nodes[0].Cluster(ctx)
	if err != nil {
		return err
	}
	if n := slices.IndexFunc(nodes.Nodes, func(n engine.Node) bool {
		return n.State != engine.NodeReady || n.Role == engine.RoleManager && !n.Reachable
	}); n >= 0 {
		return fmt.Errorf("node %s is %s", nodes.Nodes[n].Name, nodes.Nodes[n].State)
	}
	if err := fault.PushEnded(d.App); err != nil {
		return err
	}
	st, err := d.ReadState()
	if err != nil {
		return err
	}
	if st.Staged != nil || len(st.Retiring) > 0 {
		return fmt.Errorf("staged is %v, retiring are %v", st.Staged, st.Retiring)
	}
	have, err := d.tasks()
	if err != nil {
		return err
	}
	if want := running(st.Current); !slices.Equal(have, want) {
		return fmt.Errorf("the swarm runs %q, want %q", have, want)
	}
	return d.routed()
}
