package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"dokku/agent/e2e/lab"
)

// TestDoctor: the doctor finds no problem on a working server, names each broken thing,
// fixes it where that is safe, and leaves the apps of other servers on this engine alone.
func TestDoctor(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	u, err := url.Parse(l.Front.URL)
	lab.Must(t, err)
	port, err := strconv.Atoi(u.Port())
	lab.Must(t, err)
	l.Configure(map[string]any{"ssh_port": port})
	lab.Must(t, os.Chmod(filepath.Join(l.Root, ".dokku"), 0o700))
	other := lab.New(t, nil).Deployed(nil)
	a := l.Deployed(nil)
	l.StartAgent()
	lab.WaitFor(t, "the agent runs", func() bool {
		info, err := os.Stat(filepath.Join(l.Root, ".dokku", "locks", "_agent"))
		return err == nil && info.Size() > 0
	})
	a.Rests()
	var out string
	lab.WaitFor(t, "the agent has looked at the app", func() bool {
		out = l.Dokku("doctor")
		return !strings.Contains(out, "a deploy is under way")
	})
	lab.Lacks(t, out, " !     ")
	lab.Contains(t, out, "       engine                        fine: ", "       nginx                         fine: serves 1 app, its configuration is accepted\n",
		"       ssh keys                      fine: 1 key may push, 1 as admin, which amounts to root\n", "       agent                         fine: runs as process ",
		"       orphans                       fine: none\n", fmt.Sprintf("       %-29s fine: 1 web running, http://", a.Name),
		"=====> 1 app, no problems\n")
	lab.Lacks(t, out, a.Name+" processes")
	if quiet := l.Dokku("doctor", "--quiet"); quiet != "" {
		t.Errorf("without a problem --quiet prints\n%s", quiet)
	}

	l.Nginx.Kill()
	down := " nothing listens on port " + strconv.Itoa(l.Nginx.Port) + "; to fix: "
	lab.Contains(t, l.Refused("doctor", "--fix"), down)
	l.Nginx.Start()
	l.Dokku("doctor")

	lab.EndProcess(l.Agent)
	lab.Contains(t, l.Refused("doctor"), " !     agent                         the agent does not run")
	id := a.Instances()["web.1"]
	lab.Must(t, a.Lab.Tools.Docker.ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true}))
	lab.Contains(t, l.Refused("doctor", a.Name), "web.1 is missing; to fix: dokku doctor "+a.Name+" --fix\n")
	lab.Contains(t, l.Dokku("doctor", a.Name, "--fix"), " fixed: web.1 is missing\n")
	a.Serves(a.Tip("main"))

	broken := filepath.Join(l.Root, ".dokku", "nginx", "live", a.Name+".conf")
	lab.Must(t, os.WriteFile(broken, []byte("# nothing\n"), 0o644))
	lab.Contains(t, l.Refused("doctor"), "cannot read the route of "+a.Name)
	lab.Must(t, os.Remove(broken))
	l.Dokku("doctor", a.Name, "--fix")
	a.Serves(a.Tip("main"))

	lab.Must(t, os.RemoveAll(a.Dir()))
	lab.Contains(t, l.Refused("doctor"), "App "+a.Name+" does not exist, but its route, 1 container, 1 network, 1 image do")
	out = l.Refused("doctor", "--fix") // the agent is still down
	lab.Contains(t, out, "       orphans                       fixed: ")
	if strings.Count(out, " !     ") != 1 {
		t.Errorf("more than the agent is wrong:\n%s", out)
	}
	if left := a.Resources(); left != "" {
		t.Errorf("doctor --fix leaves:\n%s", left)
	}
	other.Serves(other.Tip("main"))
}
