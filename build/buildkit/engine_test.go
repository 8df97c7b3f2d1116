package buildkit

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"dokku/build"
)

// labelApp is engine.LabelApp, which this package does not import.
const labelApp = "com.dokku.app-name"

// app is one app on the real engine, with a repository to build from.
type app struct {
	t        testing.TB
	cli      *client.Client
	name     string
	manifest string
	repo     repo
	daemon   string // the socket of the BuildKit that builds; "": the engine's
}

// newApp fails without an engine: no test here is useful without one.
func newApp(t testing.TB) *app {
	t.Helper()
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cli.Ping(context.Background()); err != nil {
		t.Fatalf("these tests need a Docker Engine: %v", err)
	}
	a := &app{t: t, cli: cli, repo: newRepo(t), manifest: filepath.Join(t.TempDir(), "manifest"), daemon: os.Getenv(daemonEnv),
		name: fmt.Sprintf("build-test-%d-%d", os.Getpid(), time.Now().UnixNano())}
	t.Cleanup(a.clean)
	return a
}

// clean removes all resources with the app's label.
func (a *app) clean() {
	defer a.cli.Close()
	ctx := context.Background()
	f := filters.NewArgs(filters.Arg("label", labelApp+"="+a.name))
	containers, err := a.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: f})
	if err != nil {
		a.t.Error(err)
	}
	for _, c := range containers {
		a.cli.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true})
	}
	images, err := a.cli.ImageList(ctx, image.ListOptions{Filters: f})
	if err != nil {
		a.t.Error(err)
	}
	for _, i := range images {
		if _, err := a.cli.ImageRemove(ctx, i.ID, image.RemoveOptions{Force: true}); err != nil {
			a.t.Error(err)
		}
	}
}

func (a *app) request(rev string) build.Request {
	a.t.Helper()
	s := a.repo.open()
	c, err := s.Commit(rev)
	if err != nil {
		a.t.Fatal(err)
	}
	return build.Request{App: a.name, Source: s, Commit: c, Manifest: a.manifest,
		Labels: map[string]string{labelApp: a.name}, Isolated: a.daemon != ""}
}

func (a *app) client() *client.Client { return a.cli }

// solve builds by the request's Dockerfile.
func (a *app) solve(ctx context.Context, r build.Request) (build.Result, error) {
	return New(Config{Client: a.client, Daemon: a.daemon}).Solve(ctx, r, cmp.Or(r.Dockerfile, "Dockerfile"))
}

// build builds a revision and fails the test when that fails.
func (a *app) build(rev string, more ...func(*build.Request)) build.Result {
	a.t.Helper()
	r := a.request(rev)
	for _, f := range more {
		f(&r)
	}
	res, err := a.solve(context.Background(), r)
	if err != nil {
		a.t.Fatal(err)
	}
	return res
}

// failing builds a revision that cannot be built.
func (a *app) failing(rev string) error {
	a.t.Helper()
	res, err := a.solve(context.Background(), a.request(rev))
	if err == nil {
		a.t.Fatalf("built %+v", res)
	}
	return err
}

// inside returns the files of an image's folder: "mode content" or "mode -> target" by
// path.
func (a *app) inside(id, dir string) (map[string]string, map[string]time.Time) {
	a.t.Helper()
	ctx := context.Background()
	c, err := a.cli.ContainerCreate(ctx, &container.Config{Image: id, Cmd: []string{"/none"}}, nil, nil, nil, "")
	if err != nil {
		a.t.Fatal(err)
	}
	defer a.cli.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true})
	rc, _, err := a.cli.CopyFromContainer(ctx, c.ID, dir)
	if err != nil {
		a.t.Fatal(err)
	}
	defer rc.Close()
	found, times := map[string]string{}, map[string]time.Time{}
	for r := tar.NewReader(rc); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found, times
		}
		if err != nil {
			a.t.Fatal(err)
		}
		_, name, _ := strings.Cut(h.Name, "/")
		b, err := io.ReadAll(r)
		if err != nil {
			a.t.Fatal(err)
		}
		times[name] = h.ModTime
		switch h.Typeflag {
		case tar.TypeDir:
		case tar.TypeSymlink:
			found[name] = "-> " + h.Linkname
		default:
			found[name] = fmt.Sprintf("%03o %.60s", h.Mode&0o777, b)
		}
	}
}

// busybox is a file that makes RUN possible without a registry.
func busybox(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatalf("these tests need a static busybox (apt-get install busybox-static): %v", err)
	}
	return string(b)
}

// shell is an app whose Dockerfile runs scripts.
func (a *app) shell(scripts ...string) string {
	a.t.Helper()
	f := files{"100755 bin/sh": busybox(a.t), "Dockerfile": "FROM scratch\nCOPY bin /bin/\n",
		"bin/unique": a.name} // or the engine knows the steps from an earlier run
	for _, s := range scripts {
		f["Dockerfile"] += "RUN " + s + "\n"
	}
	return a.repo.Commit("", f)
}
