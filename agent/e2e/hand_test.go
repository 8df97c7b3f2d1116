package e2e

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"golang.org/x/sys/unix"

	"dokku/agent/e2e/lab"
)

// TestByHand changes containers and images behind the program's back. The agent restores
// missing ones, and reports those that it cannot restore.
func TestByHand(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	a := l.Deployed(nil)
	l.Dokku("ps:scale", a.Name, "web=2")
	ctx, docker := t.Context(), a.Lab.Tools.Docker
	remove := func(process string) {
		t.Helper()
		lab.Must(t, docker.ContainerRemove(ctx, a.Instances()[process], container.RemoveOptions{Force: true}))
	}

	t.Run("a container is removed", func(t *testing.T) {
		a := a.With(t)
		remove("web.1")
		lab.WaitFor(t, "web.1 is back and behind nginx", func() bool { return len(a.Serving()) == 2 && len(a.Upstreams()) == 2 })
		a.Serves(a.Tip("main"))
	})
	t.Run("a process ends beyond its policy", func(t *testing.T) {
		a := a.With(t)
		a.Lab.Dokku("ps:set", a.Name, "restart-policy", "no")
		a.Lab.Dokku("ps:restart", a.Name)
		crash(a, "/crash")
		lab.WaitFor(t, "nginx leads to the other one alone", func() bool { return len(a.Upstreams()) == 1 })
		a.Serves(a.Tip("main"))
		if got := a.Lab.Dokku("ps:report", a.Name, "--running"); got != "mixed\n" {
			t.Errorf("running: %q", got)
		}
		lab.Contains(t, a.Lab.Refused("doctor", a.Name), "has ended with exit code 1", "ps:start "+a.Name)
		a.Lab.Dokku("ps:start", a.Name)
		a.Runs("web.1", "web.2")
	})
	t.Run("memory runs out", func(t *testing.T) {
		a := a.With(t)
		a.Lab.Dokku("resource:limit", "--memory", "48m", a.Name)
		a.Lab.Dokku("ps:restart", a.Name)
		crash(a, "/eat")
		lab.WaitFor(t, "nginx leads to the other one alone", func() bool { return len(a.Upstreams()) == 1 })
		a.Serves(a.Tip("main"))
		lab.Contains(t, a.Lab.Refused("doctor", a.Name), "memory ran out")
		a.Lab.Dokku("resource:limit-clear", a.Name)
		a.Lab.Dokku("ps:set", a.Name, "restart-policy")
		a.Lab.Dokku("ps:restart", a.Name)
		a.Runs("web.1", "web.2")
	})
	t.Run("a container and its image are removed", func(t *testing.T) {
		a := a.With(t)
		a.Lab.Dokku("ps:scale", a.Name, "web=1")
		a.Rests()
		// Otherwise the agent is quicker than the second removal.
		lab.Must(t, a.Lab.Agent.Process.Signal(unix.SIGSTOP))
		inspected, err := docker.ContainerInspect(ctx, a.Instances()["web.1"])
		lab.Must(t, err)
		remove("web.1")
		_, err = docker.ImageRemove(ctx, inspected.Image, image.RemoveOptions{Force: true})
		lab.Must(t, err)
		lab.Must(t, a.Lab.Agent.Process.Signal(unix.SIGCONT))
		lab.WaitFor(t, "ps:report says what to do", func() bool {
			return strings.Contains(a.Lab.Dokku("ps:report", a.Name, "--problem"), "ps:rebuild")
		})
		lab.Contains(t, a.Lab.Refused("doctor", a.Name), "ps:rebuild")
		a.Lab.Dokku("ps:rebuild", a.Name)
		a.Runs("web.1")
		a.Serves(a.Tip("main"))
		if got := a.Lab.Dokku("ps:report", a.Name, "--problem"); got != "\n" {
			t.Errorf("after ps:rebuild there is still a problem: %q", got)
		}
	})
}

// crash sends one web process a request that ends it. nginx would pass the request on to
// the next process.
func crash(a *lab.App, path string) {
	a.Lab.T.Helper()
	if status, body, err := a.Ask(a.Upstreams()[0].String(), path); err == nil {
		a.Lab.T.Errorf("%s answers %d %q", path, status, body)
	}
}
