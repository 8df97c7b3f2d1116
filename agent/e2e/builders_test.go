package e2e

import (
	"testing"

	"golang.org/x/sys/unix"

	"dokku/agent/e2e/lab"
)

// TestBuildDir: a folder of the repository is built as if it were all of it: its control
// files count, and its files alone are sent.
func TestBuildDir(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.Files{"Dockerfile": "", "Procfile": "worker: /none\n", "DOKKU_SCALE": "nonsense\n",
		"apps/web/Dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\nEXPOSE 5000\nCMD [\"/server\"]\n",
		"apps/web/Procfile":   "web: /server -say=from-apps-web\n"})
	l.Dokku("apps:create", a.Name)
	lab.Contains(t, a.Rejected(nil), "DOKKU_SCALE:1: ")
	l.Dokku("builder:set", a.Name, "build-dir", "./apps/web/")
	lab.Contains(t, a.Push(nil), "Building "+a.Name+" from Dockerfile (", ", 2 files changed")
	a.Serves(a.Tip("main"))
	lab.Contains(t, l.Dokku("logs", a.Name), "from-apps-web")
	report := l.Dokku("builder:report", a.Name)
	lab.Contains(t, report, "Builder detected:              dockerfile\n", "Builder reason:                from Dockerfile\n")

	lab.Contains(t, a.Rejected(lab.Files{"apps/web/DOKKU_SCALE": "web=two\n"}), `apps/web/DOKKU_SCALE:1: "web=two"`)
	lab.Contains(t, a.Push(lab.Files{"README.md": "not built\n"}), ", 0 files changed")
	lab.Contains(t, a.Push(lab.Files{"apps/web/new": "x\n"}), ", 1 file changed")

	// The commit that removes the folder is refused, and so is a file in its place.
	out := a.Rejected(lab.Files{"apps/web/Dockerfile": "", "apps/web/Procfile": "", "apps/web/new": ""})
	lab.Contains(t, out, "cannot build the folder apps/web of ", "it is not in the repository; correct the path: ", " builder:set "+a.Name+" build-dir DIR")
	l.Dokku("builder:set", a.Name, "build-dir", "README.md")
	lab.Contains(t, a.Rejected(lab.Files{"more": "x\n"}), "cannot build the folder README.md of ", "it is not a folder; correct the path")
	a.Serves(a.Tip("main"))
}

// TestSelectedBuilder: the setting wins over the files, and a builder that the server does not
// have is refused before anything is built.
func TestSelectedBuilder(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.Files{"deploy/web.dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\nEXPOSE 5000\nCMD [\"/server\", \"-say=by-the-setting\"]\n"})
	l.Dokku("apps:create", a.Name)
	l.Dokku("builder:set", a.Name, "selected", "null")
	lab.Contains(t, a.Rejected(nil), " with null, which builder:set selects: it builds nothing and takes an image as it is")
	l.Dokku("builder:set", a.Name, "selected", "dockerfile")
	l.Dokku("builder-dockerfile:set", a.Name, "dockerfile-path", "deploy/none")
	lab.Contains(t, a.Rejected(nil), " with dockerfile, which builder:set selects: it has no deploy/none in its root; ")
	l.Dokku("builder-dockerfile:set", a.Name, "dockerfile-path", "deploy/web.dockerfile")
	lab.Contains(t, a.Push(nil), "Building "+a.Name+" with dockerfile from deploy/web.dockerfile, selected by builder:set (")
	lab.Contains(t, l.Dokku("logs", a.Name), "by-the-setting")
	lab.Contains(t, l.Dokku("ps:report", a.Name), "Image builder:                 dockerfile\n",
		"Image reason:                  with dockerfile from deploy/web.dockerfile, selected by builder:set\n")

	// A rebuild uses the settings of now; a restart keeps the image and how it was built.
	l.Dokku("builder:set", a.Name, "selected")
	l.Dokku("builder-dockerfile:set", a.Name, "dockerfile-path")
	lab.Contains(t, l.Dokku("builder:report", a.Name, "--builder-reason"), "with dockerfile from deploy/web.dockerfile, selected by builder:set")
	lab.Contains(t, l.Dokku("ps:rebuild", a.Name), "Building "+a.Name+" from Dockerfile (")
	l.Dokku("ps:restart", a.Name)
	if got := l.Dokku("builder:report", a.Name, "--builder-reason"); got != "from Dockerfile\n" {
		t.Errorf("after a restart the reason is %q", got)
	}
}

// TestAppJSONPath: app.json lies where the setting says, and problems name that path.
func TestAppJSONPath(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.Files{"deploy/app.json": `{"env": {"GREETING": {"value": "hello"}}}`})
	l.Dokku("apps:create", a.Name)
	l.Dokku("app-json:set", a.Name, "appjson-path", "deploy/app.json")
	a.Push(nil)
	lab.Contains(t, l.Dokku("config:get", a.Name, "GREETING"), "hello")
	lab.Contains(t, a.Rejected(lab.Files{"deploy/app.json": `{"formation": {"web": {"quantity": "two"}}}`}), "deploy/app.json:1: ")
	lab.Contains(t, a.Push(lab.Files{"deploy/app.json": ""}), "appjson-path names deploy/app.json, which does not exist: the app has no app.json. To correct the path: ")
}

// TestDockerOptions: the options of docker build reach a push's build, with values from the
// config; a push that lacks a value is refused. Those of containers reach the processes of a restart.
func TestDockerOptions(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	from := "FROM " + l.Tools.Base
	a := l.App(lab.Files{"Dockerfile": from + " AS web\nARG PORT=5000\nARG NOTE=none\nLABEL note=$NOTE\nCOPY . /app/\nEXPOSE $PORT\nCMD [\"/server\"]\n" +
		"FROM web AS worker\nEXPOSE 4000\nCMD [\"/none\"]\n"})
	l.Dokku("apps:create", a.Name)
	l.Dokku("docker-options:add", a.Name, "build", "--target web --build-arg NOTE --secret id=token,env=TOKEN --label com.example.team=core")
	lab.Contains(t, a.Rejected(nil), "the config has no TOKEN, which the option --secret id=token,env=TOKEN of the build needs: ", " config:set --no-restart "+a.Name+" TOKEN=VALUE")
	l.Dokku("config:set", "--no-restart", a.Name, "TOKEN=s3cr3t")
	out := a.Push(nil)
	lab.Contains(t, out, "--build-arg NOTE has no effect: the config has no NOTE. To set it: ", "Building "+a.Name+" from Dockerfile (")
	a.Serves(a.Tip("main"))
	if labels := imageLabels(a); labels["com.example.team"] != "core" || labels["note"] != "none" {
		t.Errorf("the image has the labels %q", labels)
	}
	l.Dokku("config:set", "--no-restart", a.Name, "NOTE=from the config")
	lab.Lacks(t, l.Dokku("ps:rebuild", a.Name), "has no effect")
	if labels := imageLabels(a); labels["note"] != "from the config" {
		t.Errorf("the image has the labels %q", labels)
	}
	l.Dokku("docker-options:add", a.Name, "deploy", "--shm-size 96m --ulimit nofile=500 --user 1234")
	l.Dokku("ps:restart", a.Name)
	made, err := l.Tools.Docker.ContainerInspect(t.Context(), a.Name+".web.1")
	lab.Must(t, err)
	if h := made.HostConfig; h.ShmSize != 96<<20 || len(h.Ulimits) != 1 || h.Ulimits[0].Hard != 500 || made.Config.User != "1234" {
		t.Errorf("web.1 has %+v and the user %s", h, made.Config.User)
	}
	lab.Contains(t, a.Rejected(lab.Files{"Dockerfile": "# syntax=evil.example.com/frontend:1\n" + from + "\n"}),
		`Dockerfile:1: "# syntax=evil.example.com/frontend:1" names an image that may not read a Dockerfile on this server, which allows docker/dockerfile; remove it, or on the server: `)
}

// imageLabels are the labels of the image that web.1 runs.
func imageLabels(a *lab.App) map[string]string {
	a.Lab.T.Helper()
	info, err := a.Lab.Tools.Docker.ImageInspect(a.Lab.T.Context(), a.Image("web.1"))
	lab.Must(a.Lab.T, err)
	return info.Config.Labels
}

// TestBuildsAtOnce: a build beyond max-builds waits and says for whom. Ctrl-C ends the wait
// without a trace, and a build that is cancelled gives its place to the next one.
func TestBuildsAtOnce(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"build": map[string]string{"max-builds": "1"}})
	first, second := l.Deployed(nil), l.Deployed(nil)
	first.Commit(lab.Files{"Dockerfile": "FROM " + l.Tools.Base + "\nCOPY . /app/\nRUN [\"/server\", \"-say=building\", \"-sleep=1000s\", \"-exit=0\"]\n"})
	building := first.Pushing()
	building.Prints("  | building")
	waits := "-----> Waiting to build " + second.Name + ": 1 at once is the limit, and this server builds " + first.Name + ", process "

	before := second.Everything()
	second.Commit(lab.Files{"new": "x"})
	waiting := second.Pushing()
	waiting.Prints(waits)
	waiting.Signal(unix.SIGINT)
	waiting.Fails()
	lab.WaitFor(t, "nothing is left of the push that waited", func() bool { return second.Resources() == last(second, before) })
	if building.Ended() {
		t.Error("the other build has ended too")
	}

	waiting = second.Pushing()
	waiting.Prints(waits)
	building.Signal(unix.SIGINT)
	building.Fails()
	waiting.Succeeds()
	second.Serves(second.Tip("main"))
	first.Serves(first.Tip("main"))
}
