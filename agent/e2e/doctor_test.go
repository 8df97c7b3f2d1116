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
	l := newLab(t, nil)
	u, err := url.Parse(l.front.url)
	must(t, err)
	port, err := strconv.Atoi(u.Port())
	must(t, err)
	l.configure(map[string]any{"ssh_port": port})
	must(t, os.Chmod(filepath.Join(l.root, ".dokku"), 0o700))
	other := newLab(t, nil).deployed(nil)
	a := l.deployed(nil)
	l.startAgent()
	waitFor(t, "the agent runs", func() bool {
		info, err := os.Stat(filepath.Join(l.root, ".dokku", "locks", "_agent"))
		return err == nil && info.Size() > 0
	})
	a.rests()
	out := l.dokku("doctor")
	lacks(t, out, " !     ")
	contains(t, out, "       engine                        fine: ", "       nginx                         fine: serves 1 app, its configuration is accepted\n",
		"       ssh keys                      fine: 1 key may push\n", "       agent                         fine: runs as process ",
		"       orphans                       fine: none\n", "       "+a.name+" processes")

	l.nginx.Kill()
	down := " nothing listens on port " + strconv.Itoa(l.nginx.Port) + "; to mend: "
	contains(t, l.refused("doctor", "--fix"), down)
	l.nginx.Start()
	l.dokku("doctor")

	endProcess(l.agent)
	contains(t, l.refused("doctor"), " !     agent                         the agent does not run")
	id := a.instances()["web.1"]
	must(t, a.tools.docker.ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true}))
	contains(t, l.refused("doctor", a.name), "web.1 is missing; to mend: dokku doctor "+a.name+" --fix\n")
	contains(t, l.dokku("doctor", a.name, "--fix"), " mended: web.1 is missing\n")
	a.serves(a.tip("main"))

	broken := filepath.Join(l.root, ".dokku", "nginx", "live", a.name+".conf")
	must(t, os.WriteFile(broken, []byte("# nothing\n"), 0o644))
	contains(t, l.refused("doctor"), "cannot read the route of "+a.name)
	must(t, os.Remove(broken))
	l.dokku("doctor", a.name, "--fix")
	a.serves(a.tip("main"))

	must(t, os.RemoveAll(a.dir()))
	contains(t, l.refused("doctor"), "App "+a.name+" does not exist, but its route, 1 container, 1 network, 1 image do")
	out = l.refused("doctor", "--fix") // the agent is still down
	contains(t, out, "       orphans                       mended: ")
	if strings.Count(out, " !     ") != 1 {
		t.Errorf("more than the agent is wrong:\n%s", out)
	}
	if left := a.resources(); left != "" {
		t.Errorf("doctor --fix leaves:\n%s", left)
	}
	other.serves(other.tip("main"))
}
