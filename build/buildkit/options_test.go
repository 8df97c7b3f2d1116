package buildkit

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"dokku/build"
)

// stages is an app whose Dockerfile has several stages and arguments.
func (a *app) stages() string {
	return a.repo.Commit("", files{"100755 bin/sh": busybox(a.t), "bin/unique": a.name, "Dockerfile": `FROM scratch AS base
COPY bin /bin/
ARG A=default
ARG B=default
RUN mkdir /out && echo "$A $B" > /out/args
FROM base AS tested
RUN echo tested > /out/which
FROM base AS release
COPY --from=tested /out/which /out/of-tested
RUN echo release > /out/which
`})
}

// TestArgumentsAndTarget: build arguments reach the steps, and a stage becomes the image.
func TestArgumentsAndTarget(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	rev := a.stages()
	res := a.build(rev, func(r *build.Request) { r.BuildArgs = map[string]string{"A": "a b", "UNKNOWN": "x"} })
	found, _ := a.inside(res.ImageID, "/out")
	if found["args"] != "644 a b default\n" || found["which"] != "644 release\n" || found["of-tested"] != "644 tested\n" {
		t.Errorf("the last stage has %q", found)
	}
	res = a.build(rev, func(r *build.Request) { r.Target = "tested"; r.BuildArgs = map[string]string{"B": ""} })
	found, _ = a.inside(res.ImageID, "/out")
	if found["args"] != "644 default \n" || found["which"] != "644 tested\n" || len(found) != 2 {
		t.Errorf("the stage has %q", found)
	}
	r := a.request(rev)
	r.Target = "nosuch"
	if _, err := a.solve(t.Context(), r); err == nil || !strings.Contains(err.Error(), "nosuch") {
		t.Errorf("a stage that is missing: %v", err)
	}
}

// TestSecret: a step can read a secret, which stays out of the image and its history.
func TestSecret(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	rev := a.shell(`--mount=type=secret,id=npm [ "$(cut -c1-3 /run/secrets/npm)" = s3c ] && mkdir /out && echo read > /out/read`)
	res := a.build(rev, func(r *build.Request) { r.Secrets = map[string]string{"npm": "s3cr3t"} })
	if found, _ := a.inside(res.ImageID, "/out"); found["read"] != "644 read\n" {
		t.Errorf("the step did not read the secret: %q", found)
	}
	history, err := a.cli.ImageHistory(t.Context(), res.ImageID)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(history); strings.Contains(text, "s3cr3t") || !strings.Contains(text, "cut -c1-3") {
		t.Errorf("the history is %s", text)
	}
	required := a.shell("--mount=type=secret,id=none,required true")
	if err := a.failing(required); !strings.Contains(err.Error(), "secret") {
		t.Errorf("a secret that is missing: %v", err)
	}
}

// TestPlatform: the image has the platform that the request names. No step has to run.
func TestPlatform(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	res := a.build(a.repo.Commit("", files{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"}), func(r *build.Request) { r.Platform = "linux/arm64" })
	info, err := a.cli.ImageInspect(t.Context(), res.ImageID)
	if err != nil {
		t.Fatal(err)
	}
	if info.Architecture != "arm64" || info.Os != "linux" {
		t.Errorf("the image is for %s/%s", info.Os, info.Architecture)
	}
}

// TestNoCache: a step whose result the engine knows runs again.
func TestNoCache(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	rev := a.shell("mkdir /out && cp /proc/sys/kernel/random/uuid /out/id")
	id := func(more ...func(*build.Request)) string {
		found, _ := a.inside(a.build(rev, more...).ImageID, "/out")
		return found["id"]
	}
	first, again, fresh := id(), id(), id(func(r *build.Request) { r.NoCache = true })
	if len(first) != len("644 ")+37 || again != first || fresh == first {
		t.Errorf("the builds left %q, %q and, without cache, %q", first, again, fresh)
	}
}

// TestCacheMount: a step finds in its cache what the build before left there. The image has
// none of it.
func TestCacheMount(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	step := "--mount=type=cache,target=/cache,id=" + a.name + " echo x >> /cache/n && mkdir -p /out && cp /cache/n /out/n"
	for _, want := range []string{"644 x\n", "644 x\nx\n"} {
		res := a.build(a.shell(step))
		if found, _ := a.inside(res.ImageID, "/out"); found["n"] != want {
			t.Errorf("the step left %q, want %q", found, want)
		}
		// BuildKit leaves the empty folder, or not, as its version is.
		if found, _ := a.inside(res.ImageID, "/"); found["cache/n"] != "" {
			t.Errorf("the image has %q of the cache", found)
		}
		step += " && true"
	}
}

// TestHosts: a step finds the additional hosts.
func TestHosts(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	rev := a.shell("mkdir /out && grep example.lan /etc/hosts > /out/hosts")
	res := a.build(rev, func(r *build.Request) { r.Hosts = []string{"example.lan:192.0.2.7"} })
	if found, _ := a.inside(res.ImageID, "/out"); found["hosts"] != "644 192.0.2.7\texample.lan\n" {
		t.Errorf("%q", found)
	}
}

// TestAddURL: the engine fetches a file for ADD, and says which it cannot fetch.
func TestAddURL(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/tool" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "tool of "+a.name)
	}))
	defer s.Close()
	dockerfile := "FROM scratch\nADD " + s.URL + "/%s /out/\n"
	res := a.build(a.repo.Commit("", files{"Dockerfile": fmt.Sprintf(dockerfile, "tool")}))
	if found, _ := a.inside(res.ImageID, "/out"); found["tool"] != "600 tool of "+a.name {
		t.Errorf("%q", found)
	}
	if err := a.failing(a.repo.Commit("", files{"Dockerfile": fmt.Sprintf(dockerfile, "none")})); !strings.Contains(err.Error(), s.URL+"/none") {
		t.Errorf("%v", err)
	}
}

// TestHeredoc: an engine that reads heredocs runs them; one that does not is named with what
// to do.
func TestHeredoc(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	rev := a.repo.Commit("", files{"100755 bin/sh": busybox(t), "bin/unique": a.name,
		"Dockerfile": "FROM scratch\nCOPY bin /bin/\nRUN <<EOF\nmkdir /out\necho $((1+1)) > /out/two\nEOF\nCOPY <<EOF /out/three\n3\nEOF\n"})
	r := a.request(rev)
	res, err := a.solve(context.Background(), r)
	if err == nil {
		if found, _ := a.inside(res.ImageID, "/out"); found["two"] != "644 2\n" || found["three"] != "644 3\n" {
			t.Errorf("%q", found)
		}
		return
	}
	const want = "this engine does not read the heredoc (<<) of line 3; write # syntax=docker/dockerfile:1 as the first line, or upgrade Docker to 23 or later"
	if !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want ...%s", err, want)
	}
}

// TestCachesOfApps: a step of one app mounts the cache that a step of another app has filled.
// BuildKit calls a cache by the path where it is mounted. An app's own cache stays.
func TestCachesOfApps(t *testing.T) {
	t.Parallel()
	a, b := newApp(t), newApp(t)
	id := a.name // of the cache, as both know
	write := `--mount=type=cache,id=` + id + `,target=/c [ -e /c/of ] || echo "$(cat /bin/unique)" > /c/of; mkdir /out && cat /c/of > /out/of`
	first := a.build(a.shell(write))
	second := b.build(b.shell(write))
	argument := b.build(b.shell(`true`, write), func(r *build.Request) { r.BuildArgs = map[string]string{"BUILDKIT_CACHE_MOUNT_NS": a.name} })
	again := a.build(a.shell(`true`, write))
	for name, c := range map[string]struct {
		image, want string
	}{"first": {first.ImageID, a.name}, "second": {second.ImageID, b.name}, "by an argument": {argument.ImageID, b.name}, "again": {again.ImageID, a.name}} {
		if found, _ := a.inside(c.image, "/out"); found["of"] != "644 "+c.want+"\n" {
			t.Errorf("%s: the cache is %q, want that of %s", name, found["of"], c.want)
		}
	}
}
