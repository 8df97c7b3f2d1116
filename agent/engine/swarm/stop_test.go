package swarm

import (
	"testing"

	"github.com/docker/docker/api/types/swarm"
)

// TestForgetting: a service is removed once the swarm has forgotten what it had stopped. What
// runs on, on a node that does not answer, is never forgotten.
func TestForgetting(t *testing.T) {
	task := func(service string, desired, state swarm.TaskState) swarm.Task {
		return swarm.Task{ServiceID: service, DesiredState: desired, Status: swarm.TaskStatus{State: state}}
	}
	for n, test := range []struct {
		tasks []swarm.Task
		want  bool
	}{
		{nil, false},
		{[]swarm.Task{task("a", swarm.TaskStateRemove, swarm.TaskStateShutdown)}, true},
		{[]swarm.Task{task("b", swarm.TaskStateRemove, swarm.TaskStateShutdown)}, false},
		{[]swarm.Task{task("a", swarm.TaskStateRemove, swarm.TaskStateRunning)}, false},
		{[]swarm.Task{task("a", swarm.TaskStateShutdown, swarm.TaskStateFailed)}, false},
	} {
		if got := forgetting(test.tasks, "a"); got != test.want {
			t.Errorf("%d: %v", n, got)
		}
	}
}
