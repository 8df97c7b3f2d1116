package pack

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"dokku/build"
	"dokku/build/buildtest"
	steps "dokku/build/container"
	"dokku/build/source"
)

func TestMain(m *testing.M) {
	code := m.Run()
	buildtest.RemoveLifecycle()
	os.Exit(code)
}

// lab is an app on the real engine, with a builder image.
type lab struct {
	buildtest.Resources
	t       testing.TB
	cli     *client.Client
	app     string
	builder string
	run     string
	pack    *Builder
	repo    buildtest.Repo
	env     map[string]string
	packs   []string
	limits  build.Limits
	ctx     context.Context  // of builds; nil: the test's
	seen    func(build.Line) // gets what builds print; nil: nothing is called
}

func newLab(t testing.TB, packs ...buildtest.Buildpack) *lab {
	t.Helper()
	l := &lab{t: t, cli: buildtest.Engine(t), app: fmt.Sprintf("pack-test-%d-%d", os.Getpid(), time.Now().UnixNano()), repo: buildtest.NewRepo(t)}
	l.builder, l.run = buildtest.BuilderImages(t, l.cli, packs, nil)
	engine := func() *client.Client { return l.cli }
	l.pack = New(Config{Client: engine, Lifecycle: buildtest.Lifecycle(t)}, steps.New(steps.Config{Client: engine}))
	l.Resources = buildtest.Resources{T: t, Client: l.cli, App: l.app}
	t.Cleanup(func() { l.Remove(2) })
	return l
}

// build builds a commit with the files and returns what it printed too.
func (l *lab) build(files buildtest.Files) (build.Result, string, error) {
	l.t.Helper()
	src, err := source.Open(source.Options{GitDir: l.repo.Dir})
	if err != nil {
		l.t.Fatal(err)
	}
	defer src.Close()
	commit, err := src.Commit(l.repo.Commit("", files))
	if err != nil {
		l.t.Fatal(err)
	}
	var out strings.Builder
	r := build.Request{App: l.app, Source: src, Commit: commit, Manifest: l.t.TempDir() + "/manifest", Selected: build.Pack,
		Stack: l.builder, Env: l.env, Buildpacks: l.packs, Limits: l.limits, Labels: map[string]string{buildtest.LabelApp: l.app},
		Header: func(h build.Header) { fmt.Fprintf(&out, "header: %s\n", h) },
		Progress: func(line build.Line) {
			fmt.Fprintf(&out, "%s: %s\n", line.Kind, line.Text)
			if l.seen != nil {
				l.seen(line)
			}
		}}
	if _, ok, err := l.pack.Detect(l.t.Context(), r); err != nil || !ok {
		return build.Result{}, out.String(), err
	}
	ctx := l.ctx
	if ctx == nil {
		ctx = l.t.Context()
	}
	result, err := l.pack.Build(ctx, r)
	return result, out.String(), err
}

// built is build of files that have to be built.
func (l *lab) built(files buildtest.Files) (build.Result, string) {
	l.t.Helper()
	result, out, err := l.build(files)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, out)
	}
	return result, out
}

// output runs a command in an image and returns what it prints.
func (l *lab) output(image string, entrypoint []string, command ...string) string {
	l.t.Helper()
	ctx := context.Background()
	made, err := l.cli.ContainerCreate(ctx, &container.Config{Image: image, Entrypoint: entrypoint, Cmd: command, Env: []string{"PORT=5000"}},
		&container.HostConfig{NetworkMode: "none"}, nil, nil, "")
	if err != nil {
		l.t.Fatal(err)
	}
	defer l.cli.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err := l.cli.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		l.t.Fatal(err)
	}
	ended, failed := l.cli.ContainerWait(ctx, made.ID, container.WaitConditionNotRunning)
	select {
	case <-ended:
	case err := <-failed:
		l.t.Fatal(err)
	}
	logs, err := l.cli.ContainerLogs(ctx, made.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		l.t.Fatal(err)
	}
	defer logs.Close()
	var out strings.Builder
	if _, err := stdcopy.StdCopy(&out, &out, io.Reader(logs)); err != nil {
		l.t.Fatal(err)
	}
	return out.String()
}

// hello is a buildpack for apps that have a file hello.txt. It keeps a layer from one
// build to the next.
var hello = buildtest.Buildpack{ID: "test/hello", Version: "1.2.3",
	Detect: `[ -f hello.txt ] || { echo "there is no hello.txt"; exit 100; }`,
	Build: `
echo "greeting is ${GREETING:-unset}, file $(cat $platform/env/GREETING 2>/dev/null)"
echo "user $(id -u):$(id -g)"
ls -d /cache /layout /trusted /var/run/docker.sock 2>/dev/null && echo "SEES WHAT IT MUST NOT"
if grep -q 'made = "1"' "$layers/deps.toml" 2>/dev/null; then
  echo "reusing deps"
else
  echo "making deps"
  mkdir -p "$layers/deps/env.launch"
  printf yes > "$layers/deps/env.launch/FROM_LAYER.override"
  echo content > "$layers/deps/file"
fi
printf '[types]\nlaunch = true\ncache = true\n[metadata]\nmade = "1"\n' > "$layers/deps.toml"
if [ ! -f "$layers/kept.toml" ]; then mkdir "$layers/kept"; echo kept > "$layers/kept/file"; echo "making kept"; else echo "leaving kept"; fi
printf '[types]\nlaunch = true\n' > "$layers/kept.toml"
cat > "$layers/launch.toml" <<'T'
[[processes]]
type = "web"
command = ["bash", "-c"]
args = ["echo web $PORT $FROM_LAYER $(cat hello.txt) $(cat /layers/test_hello/kept/file)"]
default = true
[[processes]]
type = "worker"
command = ["echo"]
args = ["worker"]
T
`}

// TestBuild goes the whole way: an image of a revision, its processes, and a second build
// that takes layers from the first.
func TestBuild(t *testing.T) {
	l := newLab(t, hello)
	l.env = map[string]string{"GREETING": "hi there"}
	result, out := l.built(buildtest.Files{"hello.txt": "one"})
	for _, line := range []string{"output:   | test/hello 1.2.3\n", "output:   | test/hello@1.2.3\n", "output:   | greeting is hi there, file hi there\n",
		"output:   | user 1000:1000\n", "output:   | making deps\n", "output:   | making kept\n"} {
		if !strings.Contains(out, line) {
			t.Errorf("the output lacks %q", line)
		}
	}
	if !strings.HasPrefix(out, "header: ") || !strings.Contains(out, "1 file changed, 3 B sent\n") || strings.Contains(out, "MUST NOT") || strings.Contains(out, "Timer") {
		t.Errorf("unexpected output")
	}
	if got := l.output(result.ImageID, []string{"/cnb/process/web"}); got != "web 5000 yes one kept\n" {
		t.Errorf("web prints %q", got)
	}
	if got := l.output(result.ImageID, []string{"/cnb/process/worker"}); got != "worker\n" {
		t.Errorf("worker prints %q", got)
	}
	if got := l.output(result.ImageID, []string{"/cnb/lifecycle/launcher"}, "echo $FROM_LAYER && pwd"); got != "yes\n/workspace\n" {
		t.Errorf("the launcher prints %q", got)
	}
	if got := string(result.Procfile); got != "web: /cnb/process/web\nworker: /cnb/process/worker\n" {
		t.Errorf("the Procfile is %q", got)
	}
	again, _ := l.built(buildtest.Files{"hello.txt": "one"})
	if again.ImageID != result.ImageID {
		t.Errorf("equal files make the images %s and %s", result.ImageID, again.ImageID)
	}
	second, out2 := l.built(buildtest.Files{"hello.txt": "two"})
	if !strings.Contains(out2, "reusing deps") || !strings.Contains(out2, "leaving kept") {
		t.Errorf("the second build does not take over layers:\n%s", out2)
	}
	if got := l.output(second.ImageID, []string{"/cnb/process/web"}); got != "web 5000 yes two kept\n" {
		t.Errorf("web prints %q after the second build", got)
	}
	if t.Failed() {
		t.Log(out)
	}
}
