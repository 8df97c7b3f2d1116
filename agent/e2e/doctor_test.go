package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// The doctor finds nothing on a server that works, names what is broken, mends
// what is safe, and leaves the apps of other servers on this engine alone.
func TestDoctor(t *testing.T) {
	t.Parallel()
	l := New(t, nil)
	u, err := url.Parse(l.Front.URL)
	Must(t, err)
	port, err := strconv.Atoi(u.Port())
	Must(t, err)
	l.Configure(map[string]any{"ssh_port": port})
	Must(t, os.Chmod(filepath.Join(l.Root, ".dokku"), 0o700))
	other := New(t, nil).Deployed(nil)
	a := l.Deployed(nil)
	l.StartAgent()
	WaitFor(t, "the agent runs", func() bool {
		info, err := os.Stat(filepath.Join(l.Root, ".dokku", "locks", "_agent"))
		return err == nil && info.Size() > 0
	})
	a.Rests()
	out := l.Dokku("doctor")
	Lacks(t, out, " !     ")
	Contains(t, out, "       engine                        fine: ", "       nginx                         fine: serves 1 app, its configuration is accepted\n",
		"       ssh keys                      fine: 1 key may push\n", "       agent                         fine: runs as process ",
		"       orphans                       fine: none\n", "       "+a.Name+" processes")

	l.Nginx.Kill()
	down := " nothing listens on port " + strconv.Itoa(l.Nginx.Port) + "; to mend: "
	Contains(t, l.Refused("doctor", "--fix"), down)
	l.Nginx.Start()
	l.Dokku("doctor")

	EndProcess(l.Agent)
	Contains(t, l.Refused("doctor"), " !     agent                         the agent does not run")
	id := a.Instances()["web.1"]
	Must(t, a.Tools.Docker.ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true}))
	Contains(t, l.Refused("doctor", a.Name), "web.1 is missing; to mend: dokku doctor "+a.Name+" --fix\n")
	Contains(t, l.Dokku("doctor", a.Name, "--fix"), " mended: web.1 is missing\n")
	a.Serves(a.Tip("main"))

	broken := filepath.Join(l.Root, ".dokku", "nginx", "live", a.Name+".conf")
	Must(t, os.WriteFile(broken, []byte("# nothing\n"), 0o644))
	Contains(t, l.Refused("doctor"), "cannot read the route of "+a.Name)
	Must(t, os.Remove(broken))
	l.Dokku("doctor", a.Name, "--fix")
	a.Serves(a.Tip("main"))

	Must(t, os.RemoveAll(a.Dir()))
	Contains(t, l.Refused("doctor"), "App "+a.Name+" does not exist, but its route, 1 container, 1 network, 1 image do")
	out = l.Refused("doctor", "--fix") // the agent is still down
	Contains(t, out, "       orphans                       mended: ")
	if strings.Count(out, " !     ") != 1 {
		t.Errorf("more than the agent is wrong:\n%s", out)
	}
	if left := a.Resources(); left != "" {
		t.Errorf("doctor --fix leaves:\n%s", left)
	}
	other.Serves(other.Tip("main"))
}
