package dockerfile

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildtest"
)

// TestForeignImageByAnotherName: an image of another app has a name that does not tell, such as
// one that somebody gave it with docker tag. And an engine with the flaw of CVE-2024-23651
// mounts no path inside a shared cache.
func TestForeignImageByAnotherName(t *testing.T) {
	t.Parallel()
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	owner := fmt.Sprintf("guard-test-%d", os.Getpid())
	base := buildtest.BaseImage(t, cli, buildtest.Files{"file": "secret\n"}, "LABEL com.dokku.app-name="+owner)
	name := "neutral-" + owner + ":latest"
	if err := cli.ImageTag(t.Context(), base, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.ImageRemove(t.Context(), name, image.RemoveOptions{}) })
	r := buildtest.NewRepo(t)
	build1 := func(file string, more func(*build.Request)) error {
		q := request(t, r, r.Commit("", buildtest.Files{"Dockerfile": file}))
		q.Labels = map[string]string{labelApp: owner}
		q.Foreign = func(string) string { return "" }
		if more != nil {
			more(&q)
		}
		result, err := New(Config{Client: func() *client.Client { return cli }}).Build(t.Context(), q)
		if err == nil {
			cli.ImageRemove(t.Context(), result.ImageID, image.RemoveOptions{})
		}
		return err
	}
	file := "FROM " + name + "\nCMD x\n"
	want := fmt.Sprintf("Dockerfile:1: %q is an image of the app %s, which hello may not use", "FROM "+name, owner)
	if err := build1(file, nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v\nwant %s", err, want)
	}
	for what, more := range map[string]func(*build.Request){
		"its own":                           func(q *build.Request) { q.App = owner },
		"allowed":                           func(q *build.Request) { q.AllowedFrom = []string{"x", owner} },
		"chosen by somebody with the right": func(q *build.Request) { q.Foreign = nil },
	} {
		if err := build1(file, more); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	v, err := cli.ServerVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = build1("FROM scratch\nRUN --mount=type=cache,source=a,target=/x [\"/none\"]\n", nil)
	refused := err != nil && strings.Contains(err.Error(), `Dockerfile:2: "--mount=type=cache,source=a,target=/x" is refused by this server, since its Docker `+v.Version+" lets such a step reach the files of the host (CVE-2024-23651)")
	if safe := v.Version >= "24.0.9"; refused == safe {
		t.Errorf("Docker %s: %v", v.Version, err)
	}
}

// TestResultsOfOwnSteps: an app has the very step by which another one reads its cache or its
// secret. It got the other's result out of the engine's cache, though its own cache is empty and it
// has another secret. An app's own results stay, and apps without such steps share theirs.
func TestResultsOfOwnSteps(t *testing.T) {
	t.Parallel()
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	names := []string{fmt.Sprintf("own-a-%d", os.Getpid()), fmt.Sprintf("own-b-%d", os.Getpid())}
	base := buildtest.BaseImage(t, cli, buildtest.Files{"unique": names[0]})
	tag := "neutral-" + names[0] + ":latest"
	if err := cli.ImageTag(t.Context(), base, tag); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.ImageRemove(t.Context(), tag, image.RemoveOptions{}) })
	r := buildtest.NewRepo(t)
	manifests := map[string]string{}
	run := func(app, file string) (cached bool, out string) {
		t.Helper()
		q := request(t, r, r.Commit("", buildtest.Files{"Dockerfile": "FROM " + tag + "\n" + file + "CMD x\n"}))
		q.App, q.Labels = app, map[string]string{labelApp: app}
		q.Secrets = map[string]string{"TOKEN": "token of " + app}
		if manifests[app] == "" {
			manifests[app] = q.Manifest
		}
		q.Manifest = manifests[app]
		q.Progress = func(l build.Line) {
			cached = cached || strings.HasSuffix(l.Text, "cached") && strings.Contains(l.Text, "RUN")
		}
		result, err := New(Config{Client: func() *client.Client { return cli }}).Build(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cli.ImageRemove(context.Background(), result.ImageID, image.RemoveOptions{}) })
		return cached, contentOf(t, cli, result.ImageID, "/out")
	}
	secret := "RUN --mount=type=secret,id=TOKEN cat /run/secrets/TOKEN > /out\n"
	for _, app := range names {
		if _, got := run(app, secret); got != "token of "+app {
			t.Errorf("%s has the result %q", app, got)
		}
	}
	if cached, _ := run(names[0], secret); !cached {
		t.Error("an app does not find its own result")
	}
	cache := "RUN --mount=type=cache,id=" + names[0] + ",target=/c ls /c > /out; touch /c/stolen\nRUN --mount=type=cache,id=" + names[0] + ",target=/c ls /c > /out\n"
	if _, got := run(names[0], cache); got != "stolen\n" {
		t.Errorf("an app's cache has %q", got)
	}
	read := "RUN --mount=type=cache,id=" + names[0] + ",target=/c ls /c > /out\n"
	if _, got := run(names[0], read); got != "stolen\n" {
		t.Errorf("an app's cache has %q", got)
	}
	if _, got := run(names[1], read); got != "" {
		t.Errorf("another app has the result %q", got)
	}
	plain := "RUN echo plain > /out\n"
	run(names[0], plain)
	if cached, _ := run(names[1], plain); !cached {
		t.Error("apps without mounts do not share the results of equal steps")
	}
}

// contentOf reads a file of an image.
func contentOf(t *testing.T, cli *client.Client, id, path string) string {
	t.Helper()
	made, err := cli.ContainerCreate(t.Context(), &container.Config{Image: id}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer cli.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true})
	stream, _, err := cli.CopyFromContainer(t.Context(), made.ID, path)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	files := tar.NewReader(stream)
	if _, err := files.Next(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(files)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
