package docker

import (
	"testing"

	"github.com/docker/docker/api/types/container"

	"dokku/agent/engine"
)

// TestRestarts: the engine's limit is higher by the restarts that were forgotten. When the
// engine itself starts a container, as after a reboot, its count is zero again and the
// limit is not: that limit is stale.
func TestRestarts(t *testing.T) {
	made := engine.RestartPolicy{Name: "on-failure", Max: 10}
	for _, test := range []struct {
		count, limit int
		want         int
		policy       engine.RestartPolicy
		stale        bool
	}{
		{0, 10, 0, made, false},
		{7, 10, 7, made, false},
		{7, 17, 0, made, false},
		{9, 17, 2, made, false},
		{17, 17, 10, made, false},
		{0, 40, 0, made, true},
		{4, 40, 4, made, true},
		{30, 40, 0, made, false},
		{4, 5, 4, engine.RestartPolicy{Name: "on-failure", Max: 5}, false}, // by hand
	} {
		r := container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{RestartCount: test.count,
			HostConfig: &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: "on-failure", MaximumRetryCount: test.limit}}}}
		policy, count, stale := restarts(made, r)
		if policy != test.policy || count != test.want || stale != test.stale {
			t.Errorf("%d of %d: %+v, %d, %t; want %+v, %d, %t", test.count, test.limit, policy, count, stale, test.policy, test.want, test.stale)
		}
	}
}
