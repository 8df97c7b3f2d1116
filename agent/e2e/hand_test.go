package e2e

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"golang.org/x/sys/unix"
)

// What is done to containers and images behind the program's back: the agent
// brings back what is missing, and says what it cannot.
func TestByHand(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.startAgent()
	a := l.deployed(nil)
	l.dokku("ps:scale", a.name, "web=2")
	ctx, docker := t.Context(), a.tools.docker
	remove := func(process string) {
		t.Helper()
		must(t, docker.ContainerRemove(ctx, a.instances()[process], container.RemoveOptions{Force: true}))
	}

	t.Run("a container is removed", func(t *testing.T) {
		a := a.with(t)
		remove("web.1")
		waitFor(t, "web.1 is back and behind nginx", func() bool { return len(a.serving()) == 2 && len(a.upstreams()) == 2 })
		a.serves(a.tip("main"))
	})
	t.Run("a process ends beyond its policy", func(t *testing.T) {
		a := a.with(t)
		a.dokku("ps:set", a.name, "restart-policy", "no")
		a.dokku("ps:restart", a.name)
		a.crash("/crash")
		waitFor(t, "nginx leads to the other one alone", func() bool { return len(a.upstreams()) == 1 })
		a.serves(a.tip("main"))
		if got := a.dokku("ps:report", a.name, "--running"); got != "mixed\n" {
			t.Errorf("running: %q", got)
		}
		contains(t, a.refused("doctor", a.name), "has ended with exit code 1", "ps:start "+a.name)
		a.dokku("ps:start", a.name)
		a.runs("web.1", "web.2")
	})
	t.Run("memory runs out", func(t *testing.T) {
		a := a.with(t)
		a.dokku("resource:limit", "--memory", "48m", a.name)
		a.dokku("ps:restart", a.name)
		a.crash("/eat")
		waitFor(t, "nginx leads to the other one alone", func() bool { return len(a.upstreams()) == 1 })
		a.serves(a.tip("main"))
		contains(t, a.refused("doctor", a.name), "memory ran out")
		a.dokku("resource:limit-clear", a.name)
		a.dokku("ps:set", a.name, "restart-policy")
		a.dokku("ps:restart", a.name)
		a.runs("web.1", "web.2")
	})
	t.Run("a container and its image are removed", func(t *testing.T) {
		a := a.with(t)
		a.dokku("ps:scale", a.name, "web=1")
		a.rests()
		// Otherwise the agent is quicker than the second removal.
		must(t, a.agent.Process.Signal(unix.SIGSTOP))
		inspected, err := docker.ContainerInspect(ctx, a.instances()["web.1"])
		must(t, err)
		remove("web.1")
		_, err = docker.ImageRemove(ctx, inspected.Image, image.RemoveOptions{Force: true})
		must(t, err)
		must(t, a.agent.Process.Signal(unix.SIGCONT))
		waitFor(t, "ps:report says what to do", func() bool {
			return strings.Contains(a.dokku("ps:report", a.name, "--problem"), "ps:rebuild")
		})
		contains(t, a.refused("doctor", a.name), "ps:rebuild")
		a.dokku("ps:rebuild", a.name)
		a.runs("web.1")
		a.serves(a.tip("main"))
		if got := a.dokku("ps:report", a.name, "--problem"); got != "\n" {
			t.Errorf("after ps:rebuild there is still a problem: %q", got)
		}
	})
}

// crash asks one web process for something that ends it. nginx would ask the next
// one after that.
func (a *app) crash(path string) {
	a.t.Helper()
	if status, body, err := a.ask(a.upstreams()[0].String(), path); err == nil {
		a.t.Errorf("%s answers %d %q", path, status, body)
	}
}
