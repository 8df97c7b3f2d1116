package herokuish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildtest"
	buildcontainer "dokku/build/container"
	"dokku/build/source"
)

// buildtest.LabelApp is engine.LabelApp, which this package does not import.

// lab is an app on the real engine, and an image of herokuish's shape.
type lab struct {
	buildtest.Resources
	t       testing.TB
	cli     *client.Client
	engine  *buildcontainer.Engine
	builder *Builder
	repo    buildtest.Repo
	app     string
	image   string
	lines   []string // of the last build
}

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{t: t, cli: buildtest.Engine(t), repo: buildtest.NewRepo(t), app: fmt.Sprintf("herokuish-test-%d-%d", os.Getpid(), time.Now().UnixNano())}
	l.image = buildtest.Herokuish(t, l.cli, nil)
	l.engine = buildcontainer.New(buildcontainer.Config{Client: func() *client.Client { return l.cli }, Labels: map[string]string{"com.dokku.container-type": "build"}})
	l.builder = New(l.engine)
	l.Resources = buildtest.Resources{T: t, Client: l.cli, App: l.app}
	t.Cleanup(func() { l.Remove(1) })
	return l
}

// request is a request for the files of a revision.
func (l *lab) request(f buildtest.Files) build.Request {
	l.t.Helper()
	s, err := source.Open(source.Options{GitDir: l.repo.Dir})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { s.Close() })
	c, err := s.Commit(l.repo.Commit("", f))
	if err != nil {
		l.t.Fatal(err)
	}
	l.lines = nil
	return build.Request{App: l.app, Source: s, Commit: c, Manifest: filepath.Join(l.t.TempDir(), "manifest"), Stack: l.image,
		Labels:   map[string]string{buildtest.LabelApp: l.app},
		Header:   func(h build.Header) { l.lines = append(l.lines, "header "+h.String()) },
		Progress: func(line build.Line) { l.lines = append(l.lines, string(line.Kind)+" "+line.Text) }}
}

// build builds files and fails the test when that fails.
func (l *lab) build(r build.Request) build.Result {
	l.t.Helper()
	result, err := l.builder.Build(l.t.Context(), r)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, strings.Join(l.lines, "\n"))
	}
	return result
}

// in runs a command in an image, as the agent does, and returns its output.
func (l *lab) in(id string, command ...string) string {
	l.t.Helper()
	c, err := l.engine.Create(l.t.Context(), buildcontainer.Spec{Name: l.app + ".run", Image: id, Command: command, Labels: map[string]string{buildtest.LabelApp: l.app}})
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Remove()
	end, err := c.Run(l.t.Context(), "run", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return strings.Join(end.Output, "\n")
}

const mainScript = "echo \"main $1, $FROM_PROFILE, $(id -u), $(cat built)\"\n"

// TestBuild: a push is built and runs, its second build finds the cache, and the image has
// the slug and nothing of the build.
func TestBuild(t *testing.T) {
	l := newLab(t)
	r := l.request(buildtest.Files{"main.sh": mainScript, "100755 bin/tool": "#!/bin/sh\necho tool\n", ".env": "OWN=1\n", ".dockerignore": "main.sh\n"})
	r.Env = map[string]string{"GREETING": "hello", "TOKEN": "secret"}
	result := l.build(r)
	want := []string{"header " + r.Commit.Short + ", 4 files changed, 88 B sent", "heading Shell app detected", "output cache: 1", "heading Discovering process types"}
	if !slices.Equal(l.lines, want) {
		t.Errorf("lines\n%q, want\n%q", l.lines, want)
	}
	if got := string(result.Procfile); got != "web: sh main.sh\n" {
		t.Errorf("Procfile %q", got)
	}
	if got := l.in(result.ImageID, "/start", "web"); got != "main , yes, 32767, built" {
		t.Errorf("/start web prints %q", got)
	}
	if got := l.in(result.ImageID, "/exec", "bin/tool"); got != "tool" {
		t.Errorf("/exec prints %q", got)
	}
	if got := l.in(result.ImageID, "cat", ".env"); got != "OWN=1" {
		t.Errorf(".env has %q", got)
	}
	if got := l.in(result.ImageID, "find", "/app", "!", "-user", "herokuishuser"); got != "" {
		t.Errorf("files of others: %q", got)
	}
	if got := l.in(result.ImageID, "find", "/tmp/app", "/tmp/env", "/tmp/dokku", "/tmp/cache", "-type", "f"); got != "" {
		t.Errorf("left of the build: %q", got)
	}
	if got := l.in(result.ImageID, "grep", "-rl", "secret", "/app", "/tmp", "/etc"); got != "" {
		t.Errorf("files with the secret: %q", got)
	}
	info, err := l.cli.ImageInspect(t.Context(), result.ImageID)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(info.Config.User, " ", info.Config.WorkingDir, " ", info.Config.Env, " ", info.Config.Cmd, " ", info.Config.Labels)
	if want := "herokuishuser /app [PATH=/bin STACK=heroku-24 USER=herokuishuser HEROKUISH_SETUIDGUID=false HEROKUISH_DISABLE_CHOWN=true] [/bin/sh] " +
		"map[com.dokku.app-name:" + l.app + " com.dokku.builder-type:herokuish com.dokku.container-type:]"; got != want {
		t.Errorf("image\n%s, want\n%s", got, want)
	}
	r = l.request(buildtest.Files{"main.sh": mainScript, "Procfile": "web: sh other.sh\r\n"})
	r.Procfile = []byte("web: sh main.sh now\n")
	if result = l.build(r); result.Procfile != nil || !slices.Contains(l.lines, "output cache: 2") {
		t.Errorf("Procfile %q, lines %q", result.Procfile, l.lines)
	}
	if got := l.in(result.ImageID, "/start", "web"); got != "main now, yes, 32767, built" {
		t.Errorf("/start web prints %q", got)
	}
	if got := l.in(result.ImageID, "ls", "-A"); strings.Contains(got, ".env") {
		t.Errorf("the slug has %q", got)
	}
}

// TestEnvironment: the app's variables arrive as they are.
func TestEnvironment(t *testing.T) {
	l := newLab(t)
	r := l.request(buildtest.Files{"main.sh": mainScript, "show-env": "1", ".env": "GREETING=own\nCURL_TIMEOUT=1"})
	r.Env = map[string]string{"GREETING": "it's $HOME", "PLAN": "a  b\nc *", "CURL_TIMEOUT": "1200"}
	l.build(r)
	want := []string{"output ENV_DIR: CURL_TIMEOUT=1200 GREETING=it's $HOME PLAN=a  b", "output c * ",
		"output exported: it's $HOME, CURL_TIMEOUT 1200, 32767", "output all of it: a  b", "output c *"}
	if got := l.lines[3 : len(l.lines)-1]; !slices.Equal(got, want) {
		t.Errorf("lines\n%q, want\n%q", got, want)
	}
	r = l.request(buildtest.Files{"main.sh": mainScript, "show-env": "1"})
	l.build(r)
	if want := "output exported: , CURL_TIMEOUT 600, 32767"; !slices.Contains(l.lines, want) {
		t.Errorf("%q lacks %q", l.lines, want)
	}
}

// TestFailures: a build that fails says what to do, and leaves no container.
func TestFailures(t *testing.T) {
	l := newLab(t)
	shell := buildtest.Files{"main.sh": mainScript}
	for name, c := range map[string]struct {
		files  buildtest.Files
		change func(*build.Request)
		want   string
	}{
		"detect": {buildtest.Files{"README": "x", "b": "x", "c": "x", "d": "x", "e": "x", "f": "x", "g": "x"}, nil,
			"no buildpack of " + l.image + " fits the app: its root has README, b, c, d, e and 2 more; buildpacks look for files such as package.json, " +
				"requirements.txt, go.mod, Gemfile, pom.xml or composer.json; add the one of your language, name a buildpack: dokku config:set " +
				l.app + " BUILDPACK_URL=URL, or add a Dockerfile"},
		"another's detect": {buildtest.Files{".buildpacks": "/tmp/buildpacks/00_buildpack-shell\n"}, nil,
			"the buildpack that .buildpacks names does not fit the app: its bin/detect says no; correct it, or remove it so that the files decide"},
		"fetch": {shell, func(r *build.Request) { r.Env = map[string]string{"BUILDPACK_URL": "/none"} },
			"the buildpack /none cannot be fetched; check its address and the server's network, or name another one: dokku config:set " + l.app + " BUILDPACK_URL=URL"},
		"compile": {buildtest.Files{"main.sh": mainScript, "broken": "1"}, nil,
			"the buildpack for Shell ended with exit code 3; correct the command or the files that it uses and push again"},
		"no user": {shell, func(r *build.Request) { r.Env = map[string]string{"DOKKU_APP_USER": "nobody-here"} },
			"the image " + l.image + " has no user nobody-here; to name one that it has: dokku config:set " + l.app + " DOKKU_APP_USER=NAME"},
	} {
		r := l.request(c.files)
		if c.change != nil {
			c.change(&r)
		}
		_, err := l.builder.Build(t.Context(), r)
		var failed *build.Error
		if want := "cannot build " + r.Commit.Short + ": " + c.want; !errors.As(err, &failed) || err.Error() != want {
			t.Errorf("%s:\n%v, want\n%s", name, err, want)
		}
		if name == "compile" && (failed == nil || !slices.Contains(failed.Output, "main.sh:1: syntax error")) {
			t.Errorf("%s: output %q", name, failed.Output)
		}
	}
	r := l.request(shell)
	r.Env = map[string]string{"DOKKU_APP_USER": "a b"}
	want := `cannot use DOKKU_APP_USER="a b": it is not a user's name; to correct it: dokku config:set ` + l.app +
		" DOKKU_APP_USER=herokuishuser, or dokku config:unset " + l.app + " DOKKU_APP_USER"
	if _, err := l.builder.Build(t.Context(), r); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	r = l.request(shell)
	r.Stack = "127.0.0.1:1/herokuish:none"
	if _, err := l.builder.Build(t.Context(), r); err == nil || !strings.HasPrefix(err.Error(),
		"cannot build "+r.Commit.Short+" with herokuish: cannot pull image 127.0.0.1:1/herokuish:none: ") {
		t.Errorf("%v", err)
	}
}

// TestLimits: a build that needs more memory than it may says so.
func TestLimits(t *testing.T) {
	l := newLab(t)
	r := l.request(buildtest.Files{"main.sh": mainScript, "slow": "tail /dev/zero\nexit 137\n"})
	r.Limits.Memory = 32 << 20
	_, err := l.builder.Build(t.Context(), r)
	want := "cannot build " + r.Commit.Short + ": the buildpack for Shell was killed (exit code 137), most likely because memory ran out; " +
		"let the step need less memory, or give the host more"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestCancel: a cancelled build ends with the cause, and leaves no container.
func TestCancel(t *testing.T) {
	l := newLab(t)
	r := l.request(buildtest.Files{"main.sh": mainScript, "slow": "echo begun\nsleep 1000\n"})
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client went away")
	r.Progress = func(line build.Line) {
		if line.Text == "begun" {
			cancel(gone)
		}
	}
	begun := time.Now()
	if _, err := l.builder.Build(ctx, r); !errors.Is(err, gone) || time.Since(begun) > time.Minute {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
}
