package dockerfile

import (
	"strings"
	"testing"

	"github.com/docker/docker/client"

	"dokku/build/buildtest"
)

// TestFrontend: an image that the server does not allow reads no Dockerfile, however it is
// named. The engine is not asked.
func TestFrontend(t *testing.T) {
	r := buildtest.NewRepo(t)
	const from = "FROM scratch\n"
	for _, c := range []struct{ file, arg, where string }{
		{from, "", ""},
		{"# syntax=docker/dockerfile:1\n" + from, "", ""},
		{"# syntax = docker.io/docker/dockerfile:1.7 \r\n# escape=`\r\n" + from, "", ""},
		{"# syntax=acme/frontend:2\n" + from, "", ""},
		{from + "# syntax=evil/x\n", "", ""},
		{from, "docker/dockerfile:1", ""},
		{"# syntax=evil/x\n" + from, "", `Dockerfile:1: "# syntax=evil/x" names`},
		{"#SYNTAX=evil/x:1 --a\n" + from, "", `Dockerfile:1: "#SYNTAX=evil/x:1 --a" names`},
		{"\ufeff# syntax=evil/x\n" + from, "", `Dockerfile:1: "# syntax=evil/x" names`},
		{"#!/usr/bin/x\n# syntax=evil/x\n" + from, "", `Dockerfile:2: "# syntax=evil/x" names`},
		{"// syntax=evil/x\n" + from, "", `Dockerfile:1: "// syntax=evil/x" names`},
		{"# escape=`\n# syntax=evil/x\n" + from, "", `Dockerfile:2: "# syntax=evil/x" names`},
		{"# syntax=docker/dockerfile:1\n# syntax=evil/x\n" + from, "", `Dockerfile:2: "# syntax=evil/x" names`},
		{`{"syntax": "evil/x"}`, "", `Dockerfile:1: "syntax=evil/x" names`},
		{from, "evil/x", `--build-arg: "BUILDKIT_SYNTAX=evil/x" names`},
		{"# syntax=docker/dockerfile:1\n" + from, "evil/x", `--build-arg: "BUILDKIT_SYNTAX=evil/x" names`},
	} {
		q := request(t, r, r.Commit("", buildtest.Files{"Dockerfile": c.file}))
		q.Frontends = []string{"acme/frontend"}
		if c.arg != "" {
			q.BuildArgs = map[string]string{"BUILDKIT_SYNTAX": c.arg}
		}
		none, err := client.NewClientWithOpts(client.WithHost("unix://" + t.TempDir() + "/none.sock"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = New(Config{Client: func() *client.Client { return none }}).Build(t.Context(), q)
		want := "/none.sock" // the engine was asked
		if c.where != "" {
			want = "cannot build " + q.Commit.Short + ": " + c.where + " an image that may not read a Dockerfile on this server, which allows docker/dockerfile, acme/frontend; " +
				"remove it, or on the server: dokku builder-dockerfile:set --global allowed-syntax evil/x"
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q %s:\n got %v\nwant %s", c.file, c.arg, err, want)
		}
	}
}
