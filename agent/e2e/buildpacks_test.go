package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sys/unix"

	"dokku/agent/e2e/lab"
	"dokku/build/buildtest"
)

// serverPack is a Cloud Native Buildpack for apps that have a file say.txt: they run the
// server of the tests.
var serverPack = buildtest.Buildpack{ID: "test/server", Version: "1.0.0",
	Detect: `[ -f say.txt ] || { echo "there is no say.txt"; exit 100; }`,
	Build: `
echo "saying $(cat say.txt) with ${WORD:-no word}"
[ "$(cat say.txt)" != slow ] || sleep 1000
[ "$(cat say.txt)" != broken ] || { echo "say.txt is broken"; exit 9; }
[ ! -f "$layers/tools.toml" ] || echo "tools are there already"
mkdir -p "$layers/tools/env.launch"
printf from-the-buildpack > "$layers/tools/env.launch/SAID.override"
printf '[types]\nlaunch = true\ncache = true\n' > "$layers/tools.toml"
cat > "$layers/launch.toml" <<'T'
[[processes]]
type = "web"
command = ["/server"]
default = true
[[processes]]
type = "worker"
command = ["sleep", "1000"]
T
`}

// withPack makes a lab whose server has a builder image with a buildpack.
func withPack(t *testing.T) *lab.Lab {
	t.Helper()
	tools, err := lab.Shared()
	lab.Must(t, err)
	server, err := os.ReadFile(filepath.Join(tools.Dir, "server"))
	lab.Must(t, err)
	builder, _ := buildtest.BuilderImages(t, tools.Docker, []buildtest.Buildpack{serverPack}, buildtest.Files{"100755 server": string(server)})
	return lab.New(t, map[string]any{"lifecycle": buildtest.Lifecycle(t), "build": map[string]string{"image": builder}})
}

// stepTime is how long the build phase took, as the push prints it.
var stepTime = regexp.MustCompile(`\[4/5\] build +([0-9.]+)s`)

func buildSeconds(t *testing.T, out string) float64 {
	t.Helper()
	m := stepTime.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("the push has no time of the build:\n%s", out)
	}
	seconds, err := strconv.ParseFloat(m[1], 64)
	lab.Must(t, err)
	return seconds
}

// volumes lists the app's volumes.
func volumes(t *testing.T, a *lab.App) (names []string) {
	t.Helper()
	list, err := a.Lab.Tools.Docker.VolumeList(t.Context(), volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "com.dokku.app-name="+a.Name))})
	lab.Must(t, err)
	for _, v := range list.Volumes {
		names = append(names, v.Name)
	}
	slices.Sort(names) // the engine has no order
	return names
}

// TestPack pushes an app without a Dockerfile: buildpacks build it, and name its processes.
func TestPack(t *testing.T) {
	t.Parallel()
	l := withPack(t)
	a := l.App(lab.Files{"Dockerfile": "", "project.toml": "[_]\nschema-version = \"0.2\"\n", "say.txt": "hello"})
	out := a.Push(nil)
	lab.Contains(t, out, "Building "+a.Name+" with pack from project.toml (", "[2/5] detect", "  | test/server 1.0.0", "[4/5] build", "  | saying hello with no word")
	a.Serves(a.Tip("main"))
	a.Runs("web.1")
	l.Dokku("ps:scale", a.Name, "worker=1")
	a.Runs("web.1", "worker.1")
	lab.Contains(t, l.Dokku("run", a.Name, "sh", "-c", "echo said=$SAID"), "said=from-the-buildpack")
	lab.Contains(t, l.Dokku("enter", a.Name, "web", "sh", "-c", "echo said=$SAID"), "said=from-the-buildpack")
	lab.Contains(t, l.Dokku("builder:report", a.Name, "--builder-detected"), "pack")

	l.Dokku("config:set", "--no-restart", a.Name, "WORD=a secret")
	lab.Contains(t, a.Push(lab.Files{"say.txt": "again"}), "saying again with a secret", "tools are there already")
	a.Serves(a.Tip("main"))
	a.Runs("web.1", "worker.1")

	serving := a.Tip("main")
	out = a.Rejected(lab.Files{"say.txt": "broken"})
	lab.Contains(t, out, "  | say.txt is broken", "the buildpack test/server@1.0.0 ended with exit code 9")
	out = a.Rejected(lab.Files{"say.txt": ""})
	lab.Contains(t, out, "no buildpack of ", "test/server@1.0.0 (there is no say.txt)", "[[io.buildpacks.group]] in project.toml")
	a.Serves(serving)

	kept := volumes(t, a)
	killedEarly(a, func(_ *lab.Lab, push *lab.Process) { push.Signal(unix.SIGINT) }, func(*lab.App) {}, lab.Files{"say.txt": "slow"}, "saying slow")
	if now := volumes(t, a); !slices.Equal(now, kept) {
		t.Errorf("Ctrl-C leaves the volumes %s of %s", now, kept)
	}

	lab.Contains(t, a.Push(lab.Files{"say.txt": "own", "Procfile": "web: SAID=\"$SAID-too\" exec /server\nworker: sleep 1000\n"}), "saying own")
	a.Serves(a.Tip("main"))
	a.Runs("web.1", "worker.1")

	l.Dokku("apps:destroy", "--force", a.Name)
	if left := a.Left(); left != "" {
		t.Errorf("left are:\n%s", left)
	}
	if left := volumes(t, a); len(left) > 0 {
		t.Errorf("left are the volumes %s", strings.Join(left, " "))
	}
}
