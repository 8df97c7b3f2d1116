package dockerfile

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/reference"

	"dokku/build/buildtest"
)

// TestGuard: Dockerfiles that have the engine fetch what the pusher may not see. The engine has
// the images of all apps, and asks hosts from its own place in the network.
func TestGuard(t *testing.T) {
	t.Parallel()
	const other = " is an image of the app shop, which hello may not use; to allow it, on the server: dokku builder:allow-from hello shop"
	const local = ", an address of this server alone; to allow it, on the server: dokku builder-dockerfile:set --global allowed-hosts "
	r := buildtest.NewRepo(t)
	for _, c := range []struct{ file, want string }{
		// Images of another app.
		{"FROM dokku/shop", `Dockerfile:1: "FROM dokku/shop"` + other},
		{"FROM dokku/shop:latest AS x\nFROM scratch", `Dockerfile:1: "FROM dokku/shop:latest"` + other},
		{"FROM docker.io/dokku/shop@sha256:" + strings.Repeat("a", 64), "Dockerfile:1: "},
		{"FROM index.docker.io/dokku/shop", `Dockerfile:1: "FROM index.docker.io/dokku/shop"` + other},
		{"from dokku/shop", `Dockerfile:1: "FROM dokku/shop"` + other},
		{"FROM --platform=linux/amd64 dokku/shop", "Dockerfile:1: "},
		{"ARG A=shop\nFROM dokku/${A}", `Dockerfile:2: "FROM dokku/${A}"` + other},
		{"ARG A=x\nFROM dokku/${A:+shop}", "Dockerfile:2: "},
		{"# escape=`\nFROM `\n dokku/shop", "Dockerfile:2: "},
		{"FROM scratch\nCOPY --from=dokku/shop:latest / /", `Dockerfile:2: "--from=dokku/shop:latest"` + other},
		{"FROM scratch\nCOPY --chown=1 --from=dokku/shop / /", "Dockerfile:2: "},
		{"FROM scratch\nARG A=shop\nCOPY --from=dokku/$A / /", `Dockerfile:3: "--from=dokku/$A"` + other},
		{"FROM scratch\nRUN --mount=from=dokku/shop,target=/x cat /x", `Dockerfile:2: "--mount=from=dokku/shop,target=/x"` + other},
		{"FROM scratch\nRUN --mount=type=bind,\"from=dokku/shop\",target=/x cat /x", "Dockerfile:2: "},
		{"FROM scratch\nRUN --mount=type=cache,FROM=dokku/shop,target=/x cat /x", "Dockerfile:2: "},
		{"FROM scratch\nENV A=dokku/shop\nRUN --mount=from=$A,target=/x cat /x", "Dockerfile:3: "},
		{"FROM scratch\nONBUILD COPY --from=dokku/shop / /", `Dockerfile:2: "--from=dokku/shop"` + other},
		{"FROM scratch AS later\nCOPY --from=dokku/shop / /\nFROM scratch", "Dockerfile:2: "},
		{"FROM scratch\nRUN <<EOF\nFROM dokku/shop\nEOF", `Dockerfile:2: "FROM dokku/shop"` + other}, // an old engine's instruction
		{"FROM scratch\nNONSENSE\nCOPY --from=dokku/shop / /", "Dockerfile:3: "},
		// Addresses of the host.
		{"FROM scratch\nADD http://127.0.0.1:8080/x /", `Dockerfile:2: "ADD http://127.0.0.1:8080/x" has the engine ask 127.0.0.1:8080` + local + "127.0.0.1:8080"},
		{"FROM scratch\nADD https://LOCALHOST/x /", "Dockerfile:2: "},
		{"FROM scratch\nADD http://a.localhost./x /", "Dockerfile:2: "},
		{"FROM scratch\nADD http://[::1]:80/x /", `Dockerfile:2: "ADD http://[::1]:80/x" has the engine ask [::1]:80` + local},
		{"FROM scratch\nADD http://[::ffff:127.0.0.1]/x /", "Dockerfile:2: "},
		{"FROM scratch\nADD http://0.0.0.0/x /", "Dockerfile:2: "},
		{"FROM scratch\nADD http://127.1/x /", "Dockerfile:2: "},
		{"FROM scratch\nADD http://2130706433/x /", "Dockerfile:2: "},
		{"FROM scratch\nADD http://0x7f000001/x /", "Dockerfile:2: "},
		{"FROM scratch\nADD http://169.254.169.254/latest/meta-data/ /", "Dockerfile:2: "},
		{"FROM scratch\nADD http://user:word@127.0.0.1/x /", "Dockerfile:2: "},
		{"FROM scratch\nADD git@127.0.0.1:x.git /", "Dockerfile:2: "},
		{"FROM scratch\nADD git://127.0.0.1/x.git /", "Dockerfile:2: "},
		{"FROM scratch\nADD [\"https://example.com/a\", \"http://127.0.0.1/x\", \"/\"]", "Dockerfile:2: "},
		{"FROM scratch\nARG H=127.0.0.1\nADD http://${H}/x /", "Dockerfile:3: "},
		{"FROM scratch\nONBUILD ADD http://127.0.0.1/x /", "Dockerfile:2: "},
		{"FROM 127.0.0.1:5000/x", `Dockerfile:1: "FROM 127.0.0.1:5000/x" has the engine ask 127.0.0.1:5000` + local},
		{"FROM localhost/x", "Dockerfile:1: "},
		{"FROM scratch\nCOPY --from=[::1]:5000/x / /", "Dockerfile:2: "},
		// What may be used.
		{"FROM dokku/hello", ""},
		{"FROM dokku/base", ""},
		{"FROM dokku/unknown", ""},
		{"FROM shop", ""},
		{"FROM ghcr.io/dokku/shop", ""},
		{"FROM scratch AS shop\nFROM shop\nCOPY --from=shop / /\nCOPY --from=0 / /", ""},
		{"FROM scratch\nADD https://example.com/127.0.0.1/dokku/shop /", ""},
		{"FROM scratch\nADD dokku/shop user@host /", ""},
		{"FROM scratch\nRUN echo FROM dokku/shop http://127.0.0.1/", ""},
		{"FROM localhost:5000/x", ""},
		{"FROM scratch\nADD http://10.0.0.5/x http://10.0.0.5:81/x /", ""},
		{"FROM scratch\nRUN --mount=type=cache,target=/x true\nRUN --mount=type=secret,id=x true", ""},
	} {
		q := request(t, r, r.Commit("", buildtest.Files{"Dockerfile": c.file + "\n"}))
		q.AllowedHosts, q.AllowedFrom = []string{"localhost:5000", "10.0.0.5"}, []string{"base"}
		q.Foreign = func(image string) string {
			for _, app := range []string{"shop", "base"} {
				if strings.HasPrefix(full(image), "docker.io/dokku/"+app) {
					return app
				}
			}
			return ""
		}
		_, err := New(Config{}).Inspect(t.Context(), q)
		switch want := "cannot build " + q.Commit.Short + ": " + c.want; {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.file, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("%q:\n got %v\nwant %s", c.file, err, want)
		}
	}
}

// TestSharedPaths finds the mounts that an engine with the flaw of CVE-2024-23651 follows out of
// the build.
func TestSharedPaths(t *testing.T) {
	t.Parallel()
	for mount, want := range map[string]bool{
		"type=cache,target=/x,source=a": true, "type=cache,src=a/b,dst=/x": true, "TYPE=CACHE,SOURCE=a,target=/x": true,
		`type=cache,"source=a,b",target=/x`: true, "source=a,target=/x,type=cache": true, "type=$KIND,source=a,target=/x": true,
		"type=cache,target=/x": false, "type=cache,target=/x,source=/": false, "type=bind,source=a,target=/x": false, "target=/x,source=a": false,
	} {
		uses, _ := usesOf([]byte("FROM scratch\nRUN --mount="+mount+" true\n"), outside{})
		if got := slices.ContainsFunc(uses, func(u use) bool { return u.subpath && u.line == 2 }); got != want {
			t.Errorf("--mount=%s: %t", mount, got)
		}
	}
	uses, _ := usesOf([]byte("FROM scratch\nARG KIND=cache\nRUN --mount=type=$KIND,source=a,target=/x true\nONBUILD RUN --mount=type=cache,source=a,target=/x true\n"), outside{})
	if len(uses) != 2 || !uses[0].subpath || !uses[1].subpath {
		t.Errorf("%+v", uses)
	}
}

// full is the whole name of an image.
func full(image string) string {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	return ref.Name()
}

// TestVariablesOfBuildKit: the name of another app's image comes together in a variable that
// BuildKit has by itself. Without its value, the file seemed to name an image of nobody's.
func TestVariablesOfBuildKit(t *testing.T) {
	for _, c := range []struct {
		file string
		from outside
		want string
	}{
		{"FROM dokku/sh${TARGETOS:+op}:1\n", outside{}, "dokku/shop:1"},
		{"FROM dokku/sh${BUILDPLATFORM:+op}\n", outside{}, "dokku/shop"},
		{"FROM dokku/sh${TARGETVARIANT:+op}\n", outside{platform: "linux/arm/v7"}, "dokku/shop"},
		{"FROM dokku/sh${TARGETOS:+op}\n", outside{args: map[string]string{"TARGETOS": ""}}, "dokku/sh"},
		{"ARG TARGETARCH=shop\nFROM dokku/${TARGETARCH}\n", outside{}, "dokku/shop"},
		{"FROM dokku/shop${TARGETSTAGE:+s}\n", outside{}, "dokku/shops dokku/shop"},
		{"FROM dokku/${TARGETSTAGE}\n", outside{target: "shop"}, "dokku/shop dokku/"},
		{"FROM scratch\nARG TARGETOS\nADD http://${TARGETOS:+127.0.0.1}${TARGETOS:-example.com}/x /\n", outside{}, "127.0.0.1linux"},
		{"FROM scratch\nARG TARGETARCH\nRUN --mount=from=dokku/sh${TARGETARCH:+op} true\n", outside{}, "dokku/shop"},
	} {
		uses, err := usesOf([]byte(c.file), c.from)
		var got []string
		for _, u := range uses {
			got = append(got, cmp.Or(u.image, u.host))
		}
		if strings.Join(got, " ") != c.want || err != nil {
			t.Errorf("%q uses %q, %v, want %q", c.file, got, err, c.want)
		}
	}
}
