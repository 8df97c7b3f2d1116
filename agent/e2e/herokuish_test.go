package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sys/unix"

	"dokku/agent/e2e/fault"
	"dokku/agent/e2e/lab"
	"dokku/build/buildtest"
)

// herokuishApp is an app without a Dockerfile on a server whose herokuish image has the
// test's server.
func herokuishApp(t *testing.T) *lab.App {
	t.Helper()
	tools, err := lab.Shared()
	lab.Must(t, err)
	server, err := os.ReadFile(filepath.Join(tools.Dir, "server"))
	lab.Must(t, err)
	image := buildtest.Herokuish(t, tools.Docker, buildtest.Files{"100755 server": string(server)})
	l := lab.New(t, map[string]any{"build": map[string]string{"stack": image}})
	return l.App(lab.Files{"Dockerfile": "", "package.json": "{}", "main.sh": "exec /server\n"})
}

// caches are the names of the volumes of an app's builds.
func caches(a *lab.App) (names []string) {
	a.Lab.T.Helper()
	list, err := a.Lab.Tools.Docker.VolumeList(context.Background(), volume.ListOptions{Filters: a.Label()})
	lab.Must(a.Lab.T, err)
	for _, v := range list.Volumes {
		names = append(names, v.Name)
	}
	return names
}

// TestHerokuish: an app without a Dockerfile is built by its buildpack and serves, and the
// next build finds the cache, which goes with the app.
func TestHerokuish(t *testing.T) {
	t.Parallel()
	a := herokuishApp(t)
	l := a.Lab
	out := a.Push(nil)
	lab.Contains(t, out, "-----> Building "+a.Name+" with herokuish from package.json (", "-----> Shell app detected", "       cache: 1", "-----> Discovering process types")
	a.Serves(a.Tip("main"))
	lab.Contains(t, l.Dokku("ps:scale", a.Name), "web:  1")

	l.Dokku("config:set", "--no-restart", a.Name, "GREETING=it is")
	out = a.Push(lab.Files{"Procfile": "web: sh main.sh # comment\r\nworker: sh -c 'exec /server -exit=0'\n", "show-env": "1"})
	lab.Contains(t, out, "       cache: 2", "       exported: it is, CURL_TIMEOUT 600, 32767")
	a.Serves(a.Tip("main"))
	lab.Contains(t, l.Dokku("run", a.Name, "sh", "-c", "echo \"<$FROM_PROFILE  $HOME>\""), "<yes  /app>")
	lab.Contains(t, l.Dokku("run", a.Name, "ls"), "built")
	lab.Contains(t, l.Dokku("enter", a.Name, "web", "pwd"), "/app")
	lab.Contains(t, l.Dokku("builder:report", a.Name, "--builder-detected"), "herokuish")

	out = a.Rejected(lab.Files{"broken": "1"})
	lab.Contains(t, out, "       main.sh:1: syntax error", ": the buildpack for Shell ended with exit code 3; correct the command")
	out = a.Rejected(lab.Files{"main.sh": ""})
	lab.Contains(t, out, " fits the app: its root has Procfile, package.json, show-env; buildpacks look for files such as package.json, ")
	a.Serves(a.Tip("main"))

	lab.Contains(t, l.Dokku("repo:purge-cache", a.Name), "       Removed volume cache-"+a.Name)
	lab.Contains(t, l.Dokku("repo:purge-cache", a.Name), "       There is nothing to remove")
	lab.Contains(t, l.Dokku("ps:rebuild", a.Name), "       cache: 1")
	l.Dokku("apps:destroy", "--force", a.Name)
	if left := append(caches(a), a.Left()); len(left) != 1 || left[0] != "" {
		t.Errorf("apps:destroy leaves %q", left)
	}
}

// TestHerokuishKilled: a build that loses a process leaves no container behind.
func TestHerokuishKilled(t *testing.T) {
	t.Parallel()
	a := herokuishApp(t)
	a.Push(nil)
	recovery := func(a *lab.App) { a.Lab.Dokku("config:set", "--no-restart", a.Name, "NUMBER=1") }
	for name, end := range map[string]func(*lab.Lab, *lab.Process){
		"Ctrl-C":      func(_ *lab.Lab, push *lab.Process) { push.Signal(unix.SIGINT) },
		"the hook":    func(l *lab.Lab, _ *lab.Process) { fault.Kill(l, "pre-receive") },
		"all of them": func(l *lab.Lab, _ *lab.Process) { fault.Kill(l, "shell", "receive-pack", "pre-receive") },
	} {
		t.Run(name, func(t *testing.T) {
			a := a.With(t)
			killedEarly(a, end, recovery, lab.Files{"slow": "echo it is slow\nsleep 1000\n"}, "it is slow")
			for _, c := range a.Containers() {
				if c.Labels["com.dokku.container-type"] != "deploy" {
					t.Errorf("left is %s: %v", c.Names, c.Labels)
				}
			}
		})
	}
	a.Lab.Dokku("apps:destroy", "--force", a.Name)
}
