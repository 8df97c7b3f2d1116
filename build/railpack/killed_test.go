package railpack

import (
	"context"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildkit"
	"dokku/build/buildtest"
	buildcontainer "dokku/build/container"
)

// labelKind is a label of package engine, which this package does not import.
const labelKind = "com.dokku.container-type"

// TestKilled: whatever change a build is killed at, the agent finds what is left by its labels,
// and the next build works and leaves nothing.
func TestKilled(t *testing.T) {
	cli := buildtest.Engine(t)
	relay := buildtest.NewRelay(t, cli)
	through, err := client.NewClientWithOpts(client.WithHost(relay.Address), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer through.Close()
	base := buildtest.BaseImage(t, cli, nil, `ENTRYPOINT ["/bin/sh", "-c"]`)
	connect := func() *client.Client { return through }
	b := New(Config{Client: connect, Program: newProgram(t), Image: base,
		Steps: buildcontainer.New(buildcontainer.Config{Client: connect, Labels: map[string]string{labelKind: "build"}})})
	b.solve = func(context.Context, build.Request, buildkit.Frontend) (build.Result, error) {
		return build.Result{ImageID: base}, nil
	}
	r := request(t, buildtest.Files{"railpack.json": "{}", "main.sh": "exit"})
	left := buildtest.Resources{T: t, Client: cli, App: r.App}
	t.Cleanup(func() { left.Remove(0) })
	relay.Count(true)
	if _, err := b.Build(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	calls, kills := relay.Calls(), 0
	for _, call := range calls {
		if strings.HasPrefix(call.Request, "GET ") || strings.HasPrefix(call.Request, "HEAD ") {
			continue // as after the call before, or only the client's first call
		}
		kills++
		relay.Plan(call, buildtest.KillAfter)
		if _, err := b.Build(t.Context(), r); err == nil {
			t.Errorf("%s: the build succeeds", call)
		}
		relay.Plan(buildtest.Call{}, "")
		if all, found := len(left.Containers()), builds(t, cli, r.App); all != found {
			t.Errorf("%s: of %d containers, %d say that they are of a build", call, all, found)
		}
	}
	if _, err := b.Build(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if c, v := left.Containers(), left.Volumes(); len(c)+len(v) > 0 {
		t.Errorf("after the next build, the containers %q and the volumes %q are left", c, v)
	}
	t.Logf("%d calls of the engine, %d kills", len(calls), kills)
	if kills < 8 {
		t.Error("there were 10 changes once")
	}
}

// builds counts the containers of the app's builds.
func builds(t *testing.T, cli *client.Client, app string) int {
	t.Helper()
	selected := filters.NewArgs(filters.Arg("label", labelApp+"="+app), filters.Arg("label", labelKind+"=build"))
	list, err := cli.ContainerList(t.Context(), container.ListOptions{All: true, Filters: selected})
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
