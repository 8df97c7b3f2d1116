package docker_test

import (
	"strings"
	"testing"
	"time"

	"dokku/agent/engine"
	"dokku/agent/engine/enginetest"
)

// TestContainerOptions: a container sees the options of its Spec, and its labels name its own
// app whatever the options say.
func TestContainerOptions(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	app := appName(t)
	i := deploy(t, d, app, enginetest.Program{}, func(s *engine.Spec) {
		s.Options = engine.Options{
			Ulimits: map[string][2]int64{"nofile": {123, 456}}, ShmSize: 3 << 20, Hosts: []string{"db:192.0.2.1"},
			CapDrop: []string{"ALL"}, CapAdd: []string{"NET_ADMIN"}, Devices: []string{"/dev/full:/dev/other:r"},
			Labels: map[string]string{"team": "core", engine.LabelApp: "another"}, StopSignal: "SIGUSR1",
			Tmpfs: map[string]string{"/scratch": "size=1m"}, User: "1000:1001", ReadOnly: true,
		}
	})
	if i.App != app {
		t.Errorf("the container is of the app %s", i.App)
	}
	const script = "ulimit -Sn; ulimit -Hn; df -k /dev/shm /scratch | awk '{print $2}'; grep db /etc/hosts; id -u; id -g; " +
		"grep CapBnd /proc/self/status; ls -l /dev/other | cut -c1; touch /x 2>/dev/null || echo read-only"
	out, code, err := d.Exec(t.Context(), i.ID, []string{"sh", "-c", script})
	want := "123 456 1K-blocks 3072 1024 192.0.2.1 db 1000 1001 CapBnd: 0000000000001000 c read-only"
	if got := strings.Join(strings.Fields(string(out)), " "); got != want || code != 0 || err != nil {
		t.Errorf("the container sees %q, want %q (%d, %v)", got, want, code, err)
	}
	if err := d.Stop(t.Context(), i.ID, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	last, err := d.Instance(t.Context(), i.ID)
	if err != nil || last.ExitCode != 3 { // its trap of USR1
		t.Errorf("it ended with %d, %v", last.ExitCode, err)
	}
}
