package docker_test

import (
	"fmt"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/engine/enginetest"
)

// TestDockerHealthcheck: a container of an image with a HEALTHCHECK that runs without a pause
// gets it with one, and with the rest of what the image says. NONE remains none.
func TestDockerHealthcheck(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	app := appName(t)
	for line, want := range map[string]string{
		`HEALTHCHECK --interval=1ms --timeout=2ms --retries=9 CMD ["true"]`: "[CMD true] 5s 1s 9",
		`HEALTHCHECK NONE`: "[NONE] 0s 0s 0",
	} {
		id := busybox(t, d, app, []string{line})
		i := deploy(t, d, app, enginetest.Program{}, func(s *engine.Spec) { s.Image = id })
		r, err := d.Client().ContainerInspect(t.Context(), i.ID)
		if err != nil {
			t.Fatal(err)
		}
		h := r.Config.Healthcheck
		if got := fmt.Sprint(h.Test, h.Interval, h.Timeout, h.Retries); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
		if err := d.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: i.ID}); err != nil {
			t.Fatal(err)
		}
	}
}
