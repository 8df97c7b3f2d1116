package e2e

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"dokku/agent/e2e/lab"
)

// TestLogsSayWhyItEnded ends a process in all the ways that a real engine tells apart. The
// logs, followed or not, say why and when.
func TestLogsSayWhyItEnded(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"ps": map[string]string{"restart-policy": "on-failure:2"}})
	l.StartAgent()
	a := l.Deployed(nil)
	l.Dokku("resource:limit", "--memory", "48m", a.Name)
	l.Dokku("ps:restart", a.Name)
	l.Dokku("ps:scale", a.Name, "web=2")
	a.Rests()
	ends := func() (texts []string) {
		for line := range strings.Lines(l.Dokku("logs", a.Name, "-n", "all")) {
			if _, text, ok := strings.Cut(line, ": dokku: "); ok {
				texts = append(texts, strings.TrimSpace(text))
			}
		}
		return texts
	}
	if got := ends(); len(got) > 0 {
		t.Errorf("after a deploy and a restart: %q", got)
	}

	id := a.Instances()["web.1"]
	for n, step := range []struct {
		do   func()
		want string
	}{
		{func() { lab.Must(t, l.Tools.Docker.ContainerKill(t.Context(), a.Instances()["web.2"], "KILL")) },
			"killed (exit code 137); not restarted, since the engine was told to end it: dokku ps:restart " + a.Name + " starts it again"},
		{func() { crash(a, "/crash") }, "exited with 1, restarted (1 of 2)"},
		{func() { crash(a, "/eat") }, "killed: out of memory (limit 48 MB), restarted (2 of 2)"},
		{func() { crash(a, "/crash") }, "exited with 1; restarts used up (2): dokku ps:restart " + a.Name + " starts it again"},
	} {
		lab.WaitFor(t, "one web process is behind nginx", func() bool { return n == 0 || len(a.Upstreams()) == 1 })
		if n > 0 {
			lab.WaitFor(t, "it accepts connections", func() bool { _, _, err := a.Ask(a.Upstreams()[0].String(), "/"); return err == nil })
		}
		step.do()
		lab.WaitFor(t, step.want, func() bool {
			got := ends()
			return len(got) == n+1 && got[n] == step.want
		})
	}
	r, err := l.Tools.Docker.ContainerInspect(t.Context(), id)
	if err != nil || r.State.Status != container.StateExited {
		t.Errorf("%+v, %v", r.State, err)
	}
}
