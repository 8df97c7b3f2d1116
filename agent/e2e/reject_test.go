package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// rejections are pushes that must leave nothing behind, with their expected output.
var rejections = []struct {
	name  string
	files lab.Files
	says  []string
}{
	{"failing check", lab.Files{"Procfile": "web: /server -unhealthy -say=almost-there\nworker: /server -port=\n"},
		[]string{"-----> Attempt 1/2 ...", "       CHECKS expected result:", "http://APP.e2e.test/health", "500", " !     Check attempt 1/2 failed.",
			"=====> APP container output:", "       almost-there", "=====> end APP container output",
			" !     Could not start due to 2 failed checks."}},
	{"checks that want another answer", lab.Files{"CHECKS": "WAIT=1\nATTEMPTS=2\n/health  another answer\nhealth ok\n"},
		[]string{" !     CHECKS:4: \"health ok\"", "-----> Attempt 1/2 ...", `http://APP.e2e.test/health => "another answer"`,
			" !     Check attempt 1/2 failed.", "-----> Attempt 2/2 ...", " !     Check attempt 2/2 failed.",
			" !     Could not start due to 2 failed checks."}},
	{"web that listens elsewhere", lab.Files{"Procfile": "web: /server -port=5001\nworker: /server -port=\n"},
		[]string{"refused", "5001"}},
	{"failing build step", lab.Files{"Dockerfile": "FROM BASE\nCOPY . /app/\nRUN [\"/server\", \"-say=no-space-left\", \"-exit=7\"]\n"},
		[]string{"RUN", "no-space-left", "7"}},
	{"Dockerfile that does not parse", lab.Files{"Dockerfile": "FROM BASE\nCOPPY . /app/\n"}, []string{"Dockerfile", "COPPY"}},
	{"failing release command", lab.Files{"Procfile": "web: /server\nworker: /server -port=\nrelease: /server -say=migrating -exit=3\n"},
		[]string{"Executing release task", "migrating", " !     Execution of release task failed: ", "release command failed with exit code 3", " !     The release command has already run"}},
	{"worker that dies at once after the release command", lab.Files{"Procfile": "web: /server\nworker: /server -say=no-queue -exit=4\nrelease: /server -exit=0\n"},
		[]string{"Executing release task", " !     worker.1 exited with code 4", "exit code 4", "no-queue",
			" !     Could not start due to 1 failed checks.", " !     The release command has already run"}},
	{"web that dies at once", lab.Files{"Procfile": "web: /server -say=no-database -exit=1\nworker: /server -port=\n"},
		[]string{"web.1", "exit code 1", "no-database"}},
	{"bad line in DOKKU_SCALE", lab.Files{"DOKKU_SCALE": "web: 1\nworker=x\n"},
		[]string{"DOKKU_SCALE", "1", "web: 1", "web=1", "worker=x"}},
	{"count for a type that does not exist", lab.Files{"DOKKU_SCALE": "web=1\nclock=1\n"}, []string{"DOKKU_SCALE", "clock"}},
	{"Procfile without a command", lab.Files{"Procfile": "web:\n"}, []string{"Procfile", "web"}},
	{"command that the image lacks", lab.Files{"Procfile": "web: /server\nworker: /nothing\n"}, []string{"/nothing"}},
	{"submodule", lab.Files{".gitmodules": "[submodule \"lib\"]\n\tpath = lib\n\turl = ../lib\n"},
		[]string{"lib: its URL in .gitmodules, line 3, is ../lib: it is relative to the repository's own address"}},
	{"LFS pointer", lab.Files{"big.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("a", 64) + "\nsize 12345\n"},
		[]string{"big.bin: it is a Git LFS pointer, but .gitattributes does not say filter=lfs for it"}},
}

// TestRejectedPush: a push that cannot go live is rejected with its cause and leaves nothing
// behind: no ref, setting, container, network or image.
func TestRejectedPush(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes, "DOKKU_SCALE": "web=2\nworker=1\n", "CHECKS": "WAIT=1\nATTEMPTS=2\n/health\n"})
	live := a.Tip("main")
	for _, c := range rejections {
		t.Run(c.name, func(t *testing.T) {
			a := a.With(t)
			a.Git("reset", "-q", "--hard", live)
			for name, text := range c.files {
				c.files[name] = strings.ReplaceAll(text, "BASE", l.Tools.Base)
			}
			if c.name == "submodule" {
				addSubmodule(a, "lib")
			}
			out := a.Rejected(c.files)
			os.RemoveAll(filepath.Join(a.Work, "lib"))
			a.Serves(live)
			a.Runs("web.1", "web.2", "worker.1")
			for n, text := range c.says {
				c.says[n] = strings.ReplaceAll(text, "APP", a.Name)
			}
			lab.Contains(t, out, c.says...)
			lab.Contains(t, out, "Nothing has changed: v1 (", "pre-receive hook declined")
		})
	}
	// A rejected revision can be fixed and pushed.
	out := a.Push(lab.Files{"DOKKU_SCALE": "web=1\nworker=1\n"})
	lab.Contains(t, out, "-----> Shutting down old containers in 1 seconds", "=====> Application deployed in ")
	a.Runs("web.1", "worker.1")
}

// addSubmodule makes a repository inside the app's, which the next commit adds as a
// submodule.
func addSubmodule(a *lab.App, path string) {
	a.Lab.T.Helper()
	a.Git("init", "-q", path)
	a.Git("-C", path, "commit", "-q", "--allow-empty", "-m", "one")
}

// TestRejectedPushStaysDead: a push was rejected late, when its image existed and its processes
// ran. Every later command uses the deployed release's image, commands, config and checks.
func TestRejectedPushStaysDead(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes, "CHECKS": "WAIT=1\nATTEMPTS=2\n/health\n"})
	l.Dokku("config:set", a.Name, "GREETING=hello")
	live, first := a.Tip("main"), a.Image("web.1")
	dead := lab.Files{"Procfile": "web: /server -unhealthy\nworker: /server -exit=1\n", "CHECKS": "WAIT=1\nATTEMPTS=1\n/health never\n",
		"DOKKU_SCALE": "web=1\nworker=1\n", "version": "dead"}
	check := func(a *lab.App, processes ...string) {
		a.Lab.T.Helper()
		a.Serves(live)
		a.Runs(processes...)
		for _, p := range processes {
			if got := a.Image(p); got != first {
				a.Lab.T.Errorf("%s runs the image %s, want %s", p, got, first)
			}
		}
		if _, body := a.Get("/"); !strings.HasSuffix(body, " hello\n") {
			a.Lab.T.Errorf("the app has another config: %q", body)
		}
	}
	for _, c := range []struct {
		name string
		do   func(a *lab.App)
	}{
		{"ps:scale", func(a *lab.App) { a.Lab.Dokku("ps:scale", a.Name, "web=2", "worker=1") }},
		{"ps:restart", func(a *lab.App) { a.Lab.Dokku("ps:restart", a.Name) }},
		{"ps:stop and ps:start", func(a *lab.App) { a.Lab.Dokku("ps:stop", a.Name); a.Lab.Dokku("ps:start", a.Name) }},
		{"ps:rebuild", func(a *lab.App) { a.Lab.Dokku("ps:rebuild", a.Name) }},
		{"a start of the agent", func(a *lab.App) { a.Lab.StartAgent(); a.Rests() }},
		{"a reboot", func(a *lab.App) {
			a.StopAll()
			a.Lab.StartAgent()
			lab.WaitFor(a.Lab.T, "the app is back", func() bool { status, _ := a.Get("/"); return status == 200 && len(a.Instances()) == 3 })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := a.With(t)
			a.Rejected(dead)
			c.do(a)
			check(a, "web.1", "web.2", "worker.1")
		})
	}
}
