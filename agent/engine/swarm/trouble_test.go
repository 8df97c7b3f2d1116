package swarm

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"dokku/agent/engine"
)

// TestTrouble: a process that the swarm cannot place or start says why, and only ends of
// processes that have run count as restarts.
func TestTrouble(t *testing.T) {
	t.Parallel()
	made, err := service(spec(func(*engine.Spec) {}), "dokku_shop", false)
	if err != nil {
		t.Fatal(err)
	}
	task := func(state swarm.TaskState, node, text string) swarm.Task {
		return swarm.Task{ID: "t", Slot: 1, NodeID: node, Status: swarm.TaskStatus{State: state, Err: text}}
	}
	const missing = "No such image: registry.test/shop@sha256:1"
	rejected, pending := task(swarm.TaskStateRejected, "two", missing), task(swarm.TaskStatePending, "", "")
	full := task(swarm.TaskStatePending, "", "no suitable node (max replicas per node limit exceed; scheduling constraints not satisfied on 1 node)")
	failed, ready := task(swarm.TaskStateFailed, "two", "task: non-zero exit (1)"), task(swarm.TaskStateReady, "two", "")
	moved := task(swarm.TaskStateShutdown, "two", "")
	for name, c := range map[string]struct {
		tasks    []swarm.Task
		want     string
		restarts int
		status   engine.Status
	}{
		"no image":   {[]swarm.Task{failed, rejected, rejected, pending}, "the node cannot pull the image (node2)", 1, engine.StatusRestarting},
		"refused":    {[]swarm.Task{task(swarm.TaskStateRejected, "two", "no space left"), pending}, "node2: no space left", 0, engine.StatusRestarting},
		"no node":    {[]swarm.Task{moved, full}, "max replicas per node limit exceed; scheduling constraints not satisfied on 1 node", 0, engine.StatusRestarting},
		"drained":    {[]swarm.Task{moved, ready}, "", 0, engine.StatusRestarting},
		"crashes":    {[]swarm.Task{failed, failed, failed, failed, ready}, "", 4, engine.StatusRestarting},
		"runs again": {[]swarm.Task{rejected, task(swarm.TaskStateRunning, "two", "")}, "", 0, engine.StatusRunning},
	} {
		for n := range c.tasks {
			c.tasks[n].CreatedAt = time.Unix(int64(n), 0)
		}
		v := view{nodes: map[string]engine.Node{"two": {ID: "two", Name: "node2", State: engine.NodeReady}}}
		i := v.group(swarm.Service{ID: "s", Spec: made}, c.tasks).members[0].Instance
		if i.Trouble != c.want || i.Restarts != c.restarts || i.Status != c.status {
			t.Errorf("%s: %q after %d restarts, %s", name, i.Trouble, i.Restarts, i.Status)
		}
	}
}

// TestNewestTask: the process of a slot is the task that is to run, also where the manager that
// made it has a clock that is behind that of the one before.
func TestNewestTask(t *testing.T) {
	t.Parallel()
	made, err := service(spec(nil), "dokku_shop", true)
	if err != nil {
		t.Fatal(err)
	}
	task := func(node string, want, state swarm.TaskState, at int64) swarm.Task {
		return swarm.Task{ID: node, Slot: 1, NodeID: node, DesiredState: want, Meta: swarm.Meta{CreatedAt: time.Unix(at, 0)}, Status: swarm.TaskStatus{State: state}}
	}
	v := view{nodes: map[string]engine.Node{"one": {ID: "one", Name: "node1", State: "down"}, "two": {ID: "two", Name: "node2", State: engine.NodeReady}}}
	for name, tasks := range map[string][]swarm.Task{
		"in order":       {task("one", swarm.TaskStateShutdown, swarm.TaskStateRunning, 100), task("two", swarm.TaskStateRunning, swarm.TaskStateRunning, 200)},
		"a clock behind": {task("one", swarm.TaskStateShutdown, swarm.TaskStateRunning, 900), task("two", swarm.TaskStateRunning, swarm.TaskStateRunning, 200)},
	} {
		i := v.group(swarm.Service{ID: "s", Spec: made}, tasks).members[0].Instance
		if !i.Running() || i.Node != "node2" {
			t.Errorf("%s: it is %s on %s", name, i.Status, i.Node)
		}
	}
}

// TestWhenEnded: the end of a process was between two looks, whatever the clock of its node says.
func TestWhenEnded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := watcher{since: now.Add(-3 * time.Second)}
	for by, want := range map[time.Duration]time.Duration{-time.Second: -time.Second, -time.Hour: -3 * time.Second, time.Hour: 0} {
		if got := w.when(now.Add(by), now).Sub(now); got != want {
			t.Errorf("an end at %s was at %s, want %s", by, got, want)
		}
	}
}
