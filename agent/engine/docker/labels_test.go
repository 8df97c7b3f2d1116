package docker

import (
	"maps"
	"testing"

	"dokku/agent/engine"
)

// TestTaskLabelOfAnImage: a Dockerfile with LABEL com.docker.swarm.task= made containers that
// the server took for those of a swarm: they ran uncounted, and nothing ended them. The labels
// of a container win over those of its image.
func TestTaskLabelOfAnImage(t *testing.T) {
	d := &Engine{}
	for _, options := range []map[string]string{nil, {"com.docker.swarm.task": "", "com.docker.swarm.task.id": "x"}} {
		config, _, _ := d.container(engine.Spec{App: "shop", Options: engine.Options{Labels: options}})
		labels := map[string]string{"com.docker.swarm.task": "", "com.docker.swarm.task.id": "x"} // the image's
		maps.Copy(labels, config.Labels)
		if ofSwarm(labels) {
			t.Errorf("with options %v, the container seems to be a swarm's: %v", options, labels)
		}
	}
	if !ofSwarm(map[string]string{"com.docker.swarm.task": "", "com.docker.swarm.task.id": "x"}) {
		t.Error("a task of the swarm is taken for a container of ours")
	}
}
