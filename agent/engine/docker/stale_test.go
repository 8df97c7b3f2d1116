package docker_test

import (
	"testing"

	"github.com/docker/docker/api/types/container"

	"dokku/agent/engine"
	"dokku/agent/engine/enginetest"
)

// TestDockerStaleLimit: a limit that is higher than the engine's count explains is seen, and
// mended while the process runs.
func TestDockerStaleLimit(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	i := deploy(t, d, appName(t), enginetest.Program{}, func(s *engine.Spec) { s.RestartPolicy = "on-failure:10" })
	// What a start by the engine itself leaves: its count is zero, the limit as it was.
	_, err := d.Client().ContainerUpdate(t.Context(), i.ID, container.UpdateConfig{RestartPolicy: container.RestartPolicy{
		Name: container.RestartPolicyOnFailure, MaximumRetryCount: 40}})
	if err != nil {
		t.Fatal(err)
	}
	stale := func() bool {
		t.Helper()
		i, err := d.Instance(t.Context(), i.ID)
		if err != nil || i.Policy.Max != 10 || i.Restarts != 0 || !i.Running() {
			t.Errorf("%+v, %v", i, err)
		}
		return i.StaleLimit
	}
	if !stale() {
		t.Error("a limit of 40 without a restart is not stale")
	}
	if err := d.ForgetRestarts(t.Context(), i.ID); err != nil {
		t.Fatal(err)
	}
	if stale() {
		t.Error("the limit is stale after ForgetRestarts")
	}
	r, err := d.Client().ContainerInspect(t.Context(), i.ID)
	if err != nil || r.HostConfig.RestartPolicy.MaximumRetryCount != 10 {
		t.Errorf("the engine allows %d restarts, %v", r.HostConfig.RestartPolicy.MaximumRetryCount, err)
	}
}
