package railpack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildkit"
	"dokku/build/buildtest"
	buildcontainer "dokku/build/container"
	"dokku/build/source"
)

const labelApp = "com.dokku.app-name"

// tool stands for railpack's: on the host it is asked for its version only, and in the
// container it reads the revision and the environment.
const tool = `#!/bin/sh
if [ "$1" = --version ]; then echo "railpack version 0.9.1"; exit; fi
if [ -f /tmp/app/broken ]; then echo "no provider"; echo; exit 1; fi
[ ! -f /tmp/app/slow ] || sleep 1000
[ "$1 $2 $3" = "prepare /tmp/app --plan-out" ] || exit 9
shift 4
printf '{"steps": [], "deploy": {"startCommand": "sh  main.sh"}, "words": "%s", "value": "%s", "file": "%s", "config": "%s"}' "$*" "$GREETING" "$(cat /tmp/app/main.sh)" "$(cat /tmp/app/railpack.json)" >/tmp/dokku/railpack-plan.json
`

// newProgram writes the tool.
func newProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "railpack")
	if err := os.WriteFile(path, []byte(tool), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// request is a request for files.
func request(t *testing.T, f buildtest.Files) build.Request {
	t.Helper()
	repo := buildtest.NewRepo(t)
	revision := repo.Commit("", f)
	s, err := source.Open(source.Options{GitDir: repo.Dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := s.Commit(revision)
	if err != nil {
		t.Fatal(err)
	}
	app := fmt.Sprintf("railpack-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	return build.Request{App: app, Source: s, Commit: c, Env: map[string]string{"GREETING": "hello you", "TOKEN": "secret"}, Labels: map[string]string{labelApp: app}}
}

// TestBuild: the tool plans in a container, the frontend of its version builds the plan, and
// the image has no ENTRYPOINT.
func TestBuild(t *testing.T) {
	cli := buildtest.Engine(t)
	base := buildtest.BaseImage(t, cli, nil, `ENTRYPOINT ["/bin/sh", "-c"]`, `CMD ["sh main.sh"]`)
	connect := func() *client.Client { return cli }
	b := New(Config{Client: connect, Steps: buildcontainer.New(buildcontainer.Config{Client: connect}), Program: newProgram(t), Image: base})
	var got buildkit.Frontend
	var asked build.Request
	b.solve = func(_ context.Context, r build.Request, f buildkit.Frontend) (build.Result, error) {
		asked, got = r, f
		return build.Result{ImageID: base}, nil
	}
	r := request(t, buildtest.Files{"railpack.json": "{}", "main.sh": "exit"})
	t.Cleanup(func() { cleaned(t, cli, r.App) })
	result, err := b.Build(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	const plan = `{"steps": [], "deploy": {"startCommand": "sh  main.sh"}, "words": "--env GREETING --env TOKEN", "value": "hello you", "file": "exit", "config": "{}"}`
	if string(got.Content) != plan || got.Name != "railpack-plan.json" || got.Image != "ghcr.io/railwayapp/railpack-frontend:v0.9.1" {
		t.Errorf("frontend %q of %q, plan\n%s, want\n%s", got.Image, got.Name, got.Content, plan)
	}
	if asked.Secrets["TOKEN"] != "secret" || len(asked.BuildArgs["secrets-hash"]) != 64 || asked.BuildArgs["cache-key"] != r.App {
		t.Errorf("the frontend is asked for %+v, with %v", asked.BuildArgs, asked.Secrets)
	}
	if changed := hash(map[string]string{"GREETING": "hello you", "TOKEN": "other"}); changed == asked.BuildArgs["secrets-hash"] {
		t.Error("another secret has the same hash")
	}
	if string(result.Procfile) != "web: sh main.sh\n" {
		t.Errorf("Procfile %q", result.Procfile)
	}
	info, err := cli.ImageInspect(t.Context(), result.ImageID)
	if err != nil || len(info.Config.Entrypoint)+len(info.Config.Cmd) > 0 || info.Config.Labels[labelApp] != r.App {
		t.Errorf("%+v, %v", info.Config, err)
	}
	r.Procfile = []byte("web: other\n")
	if result, err = b.Build(t.Context(), r); err != nil || result.Procfile != nil {
		t.Errorf("Procfile %q, %v", result.Procfile, err)
	}
	// Another path of railpack.json wins over the one in the root, also without a file there.
	other := request(t, buildtest.Files{"railpack.json": "0", "deploy/railpack.json": "1", "main.sh": "exit"})
	t.Cleanup(func() { cleaned(t, cli, other.App) })
	for path, config := range map[string]string{"deploy/railpack.json": "1", "none.json": "{}"} {
		other.RailpackJSON = path
		reason, ok, err := b.Detect(t.Context(), func() build.Request { q := other; q.FilesOnly = true; return q }())
		if ok != (config == "1") || ok && reason != path || err != nil {
			t.Errorf("%s is detected: %q, %t, %v", path, reason, ok, err)
		}
		if _, err := b.Build(t.Context(), other); err != nil || !strings.Contains(string(got.Content), `"config": "`+config+`"`) {
			t.Errorf("%s: plan %s, %v", path, got.Content, err)
		}
	}
	q := request(t, buildtest.Files{"railpack.json": "{}", "broken": "1"})
	t.Cleanup(func() { cleaned(t, cli, q.App) })
	_, err = b.Build(t.Context(), q)
	var failed *build.Error
	if want := "cannot build " + q.Commit.Short + ": railpack cannot plan the build (exit code 1): no provider"; !errors.As(err, &failed) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestCancel: a build that is cancelled while the tool plans it ends with the cause, and
// leaves no container.
func TestCancel(t *testing.T) {
	cli := buildtest.Engine(t)
	base := buildtest.BaseImage(t, cli, nil)
	connect := func() *client.Client { return cli }
	b := New(Config{Client: connect, Steps: buildcontainer.New(buildcontainer.Config{Client: connect}), Program: newProgram(t), Image: base})
	b.solve = func(context.Context, build.Request, buildkit.Frontend) (build.Result, error) {
		t.Error("it is built all the same")
		return build.Result{}, nil
	}
	r := request(t, buildtest.Files{"railpack.json": "{}", "slow": "1"})
	t.Cleanup(func() { cleaned(t, cli, r.App) })
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client went away")
	begun := time.Now()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		defer cancel(gone)
		messages, failed := cli.Events(t.Context(), events.ListOptions{Since: begun.Format(time.RFC3339Nano),
			Filters: filters.NewArgs(filters.Arg("label", labelApp+"="+r.App), filters.Arg("event", string(events.ActionStart)))})
		select {
		case <-messages:
		case err := <-failed:
			t.Error(err)
		}
	}()
	if _, err := b.Build(ctx, r); !errors.Is(err, gone) || time.Since(begun) > time.Minute {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
	<-watched
}

// cleaned fails the test if a container of the app is left, and removes its images.
func cleaned(t *testing.T, cli *client.Client, app string) {
	t.Helper()
	selected := filters.NewArgs(filters.Arg("label", labelApp+"="+app))
	left, err := cli.ContainerList(context.Background(), container.ListOptions{All: true, Filters: selected})
	if err != nil || len(left) > 0 {
		t.Errorf("containers are left: %v, %v", left, err)
	}
	images, err := cli.ImageList(context.Background(), image.ListOptions{Filters: selected})
	if err != nil {
		t.Error(err)
	}
	for _, i := range images {
		if _, err := cli.ImageRemove(context.Background(), i.ID, image.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	}
}

// TestDetect: railpack.json asks for railpack, and a server that cannot says what it lacks.
func TestDetect(t *testing.T) {
	r := request(t, buildtest.Files{"railpack.json": "{}"})
	other := request(t, buildtest.Files{"package.json": "{}"})
	t.Setenv("PATH", t.TempDir())
	b := New(Config{})
	if reason, ok, err := b.Detect(t.Context(), other); reason != "" || ok || err != nil {
		t.Errorf("without its file: %q, %t, %v", reason, ok, err)
	}
	other.Selected = "railpack"
	for _, q := range []build.Request{r, other} {
		_, ok, err := b.Detect(t.Context(), q)
		want := "cannot build " + q.Commit.Short + " with railpack: this server has no railpack; install it there (https://railpack.com/installation), so that user dokku finds it in PATH"
		if ok || err == nil || err.Error() != want {
			t.Errorf("%t, %v, want %s", ok, err, want)
		}
	}
	for _, c := range []struct{ api, version, want string }{
		{"1.41", "20.10.24", "it needs Docker Engine 23 or later, and this server has 20.10.24; upgrade docker, or choose another builder"},
		{"1.42", "23.0.0", ""},
		{"1.51", "28.5.2", ""},
	} {
		cli := answering(t, `{"Version": "`+c.version+`", "ApiVersion": "`+c.api+`"}`)
		b := New(Config{Client: func() *client.Client { return cli }, Program: newProgram(t)})
		reason, ok, err := b.Detect(t.Context(), r)
		if c.want == "" {
			if reason != "railpack.json" || !ok || err != nil {
				t.Errorf("%s: %q, %t, %v", c.version, reason, ok, err)
			}
			continue
		}
		if ok || err == nil || !strings.HasSuffix(err.Error(), " with railpack: "+c.want) {
			t.Errorf("%s: %t, %v", c.version, ok, err)
		}
	}
}
