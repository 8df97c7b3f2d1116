package docker_test

import (
	"testing"

	"dokku/agent/engine"
	"dokku/agent/engine/enginetest"
)

// TestWrittenVolume: an app fills the disk through a folder that its image declares as a volume,
// which no size of its container has in it.
func TestWrittenVolume(t *testing.T) {
	d := newDocker(t)
	i := deploy(t, d, "written-volume", enginetest.Program{}, func(s *engine.Spec) {
		s.Image = busybox(t, d, s.App, []string{"VOLUME /kept"})
	})
	for _, c := range []struct {
		command string
		least   int64
	}{
		{"dd if=/dev/zero of=/kept/large bs=1048576 count=3", 3 << 20},
		{"dd if=/dev/zero of=/large bs=1048576 count=2", 5 << 20},
	} {
		if out, code, err := d.Exec(t.Context(), i.ID, []string{"sh", "-c", c.command}); code != 0 || err != nil {
			t.Fatalf("%s: %d %s %v", c.command, code, out, err)
		}
		got, err := d.Written(t.Context(), i.ID)
		if err != nil || got < c.least {
			t.Errorf("after %s: %d bytes, %v", c.command, got, err)
		}
	}
}
