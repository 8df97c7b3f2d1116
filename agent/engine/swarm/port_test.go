package swarm

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"

	"dokku/agent/engine"
)

// TestPortOfTask: a process whose task names no port, since its node reached the managers anew
// while it started, is reached at the port that the node's engine names. The port is asked for
// once, and forgotten with the task.
func TestPortOfTask(t *testing.T) {
	t.Parallel()
	made, err := service(spec(func(s *engine.Spec) { s.Port, s.Placement.Count = 5000, 2 }), "dokku_shop", true)
	if err != nil {
		t.Fatal(err)
	}
	node := swarm.Node{ID: "n1", Status: swarm.NodeStatus{State: swarm.NodeStateReady, Addr: "10.1.0.1"}}
	node.Description.Hostname = "node1"
	task := func(id string, slot int) swarm.Task {
		return swarm.Task{ID: id, ServiceID: "s1", Slot: slot, NodeID: "n1", Spec: made.TaskTemplate, Status: swarm.TaskStatus{State: swarm.TaskStateRunning}}
	}
	of := func(id string, port uint16) container.Summary {
		return container.Summary{Labels: map[string]string{labelTask: id}, Ports: []container.Port{{PrivatePort: 9}, {PrivatePort: 5000, PublicPort: port}}}
	}
	pages := map[string]any{"services": []swarm.Service{{ID: "s1", Spec: made}}, "tasks": []swarm.Task{task("t1", 1), task("t2", 2)},
		"nodes": []swarm.Node{node}, "json": []container.Summary{of("another", 1), of("t1", 32770)}}
	e := manager(t, pages)
	reached := func(want ...int) {
		t.Helper()
		found, err := e.observe(t.Context(), "")
		if err != nil || len(found) != 2 {
			t.Fatalf("%+v, %v", found, err)
		}
		for n, i := range found {
			if !i.Running() || i.NodePort != want[n] || i.Reach(5000).IsValid() != (want[n] != 0) {
				t.Errorf("%s is reached at %s, want port %d", i.Name, i.Reach(5000), want[n])
			}
		}
	}
	reached(32770, 0)
	e.docker, e.guard = manager(t, map[string]any{"services": pages["services"], "tasks": pages["tasks"], "nodes": pages["nodes"]}).docker, guard{}
	reached(32770, 0)
	e.forgetPorts([]swarm.Task{task("t2", 2)})
	reached(0, 0)
}
