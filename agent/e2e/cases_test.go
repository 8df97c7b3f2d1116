package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
)

// dockerfile is an image of the test's server that exposes the ports.
func dockerfile(l *lab.Lab, expose ...string) string {
	text := "FROM " + l.Tools.Base + "\nCOPY . /app/\n"
	for _, e := range expose {
		text += "EXPOSE " + e + "\n"
	}
	return text + "CMD [\"/server\"]\n"
}

// TestPortFirstPush: where nothing names a port, the one that the first version listens on
// is found, said and kept. A later version has to listen there.
func TestPortFirstPush(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.Files{"Dockerfile": dockerfile(l), "Procfile": "web: /server -port=3000\n"})
	lab.Contains(t, a.Push(nil), "web listens on 3000; routing there", "All checks successful!", "Application deployed")
	a.Serves(a.Tip("main"))
	a.Push(lab.Files{"version": "2"})
	a.Serves(a.Tip("main"))
	l.Dokku("ps:restart", a.Name)
	l.Dokku("ps:scale", a.Name, "web=2")
	l.Dokku("ps:rebuild", a.Name)
	a.Serves(a.Tip("main"))

	l.Dokku("checks:set", a.Name, "listen-timeout", "2")
	out := a.Rejected(lab.Files{"Procfile": "web: /server -port=4000\n"})
	lab.Contains(t, out, " does not accept connections on port 3000 after ", "it listens on port 4000",
		"EXPOSE 4000", " ports:set "+a.Name+" http:80:4000", "require-listening false", "Nothing has changed: ")
	lab.Lacks(t, out, "All checks successful!")
	a.Serves(a.Tip("main"))
}

// TestPortAfterSilence: a first version that was accepted without listening does not keep
// the next one from being found.
func TestPortAfterSilence(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"checks": map[string]string{"default-wait": "0.5", "listen-timeout": "2", "wait-to-retire": "1"}})
	a := l.App(lab.Files{"Dockerfile": dockerfile(l), "Procfile": "web: /server -port=\n"})
	lab.Contains(t, a.Rejected(nil), "web.1 does not accept connections on port 5000 after ", "it listens on no port",
		"A process that gets no requests is a worker")
	l.Dokku("checks:set", a.Name, "require-listening", "false")
	a.Commit(lab.Files{"version": "silent"})
	out := a.Push(nil)
	lab.Contains(t, out, "web.1 is up but does not accept connections on port 5000")
	lab.Lacks(t, out, "All checks successful!")
	lab.Contains(t, a.Push(lab.Files{"Procfile": "web: /server -port=3000\n"}), "web listens on 3000; routing there")
	a.Serves(a.Tip("main"))
}

// TestLoopback: an app that nothing can reach is told why.
func TestLoopback(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"checks": map[string]string{"default-wait": "0.5", "listen-timeout": "2", "wait-to-retire": "1"}})
	a := l.Deployed(nil)
	live := a.Tip("main")
	lab.Contains(t, a.Rejected(lab.Files{"Procfile": "web: /server -bind=127.0.0.1\n"}),
		"web.1 does not accept connections on port 5000 after ", "it listens on 127.0.0.1:5000 only", "Bind it to 0.0.0.0 instead of 127.0.0.1")
	a.Serves(live)
}

// TestSlowStart: a version that needs long to listen replaces the old one without a gap,
// whatever default-wait is.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	live := a.Tip("main")
	a.Commit(lab.Files{"Procfile": "web: /server -sleep=6s\n"})
	push := a.Pushing()
	for done := false; !done; {
		select {
		case <-push.Done:
			done = true
		default:
			if status, body := a.Get("/"); status != 200 || !strings.HasPrefix(body, live) && !strings.HasPrefix(body, a.Tip("main")) {
				t.Fatalf("the site answers %d %q", status, body)
			}
		}
	}
	lab.Contains(t, push.Succeeds(), "All checks successful!")
	a.Serves(a.Tip("main"))
}

// TestWebDisappears: a push that takes web away while it serves is refused before the
// build, and accepted once it is meant.
func TestWebDisappears(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": "web: /server\n"})
	live := a.Tip("main")
	for procfile, says := range map[string]string{
		"wbe: /server\n":                   `Procfile:1: "wbe: /server": it has no web any more`,
		"Web: /server\n":                   `Procfile:1: "Web: /server": it has no web any more`,
		"# bots\nworker: /server -port=\n": "Procfile: it has no web any more",
	} {
		out := a.Rejected(lab.Files{"Procfile": procfile})
		lab.Contains(t, out, says, " ps:scale "+a.Name+" web=0", "Nothing has changed: v1 (")
		if strings.Contains(procfile, "eb") {
			lab.Contains(t, out, "did you mean web?")
		}
		lab.Lacks(t, out, "Building")
		a.Serves(live)
	}
	lab.Contains(t, a.Rejected(lab.Files{"Procfile": "web: /server\nworker: /server -port=\n", "DOKKU_SCALE": "worker=1\n"}),
		"DOKKU_SCALE: it leaves out web", "set web to 1 in it, or to 0 if web shall end")
	a.Serves(live)

	out := a.Push(lab.Files{"Procfile": "web: /server\nworker: /server -port=\n", "DOKKU_SCALE": "web=0\nworker=1\n"})
	lab.Contains(t, out, "Application deployed in ")
	lab.Lacks(t, out, "http://")
	a.Runs("worker.1")
}

// TestNothingRuns: an accepted push of which nothing runs says so and prints no URL.
func TestNothingRuns(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.Files{"Procfile": "worker: /server -port=\n"})
	out := a.Push(nil)
	lab.Contains(t, out, " !     Skipping web as it is missing from the current Procfile",
		"worker runs 0 processes: ssh ", " ps:scale "+a.Name+" worker=1 starts one", "Nothing runs", "Application deployed in ")
	lab.Lacks(t, out, "http://", "All checks successful!")
	l.Dokku("ps:scale", a.Name, "worker=1")
	a.Runs("worker.1")
	out = a.Push(lab.Files{"version": "2"})
	lab.Lacks(t, out, "Nothing runs", "starts one", "Skipping web")
}

// TestReleaseAlone: a Procfile with nothing but release runs the image's command as web,
// with its checks.
func TestReleaseAlone(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.Files{"Procfile": "release: /server -say=migrated -exit=0\n", "CHECKS": "WAIT=2\nATTEMPTS=5\n/health\n"})
	lab.Contains(t, a.Push(nil), "migrated", "Running pre-flight checks: CHECKS, 1 check for web", "http://")
	a.Serves(a.Tip("main"))
}

// TestPredeploy: what predeploy changed is in the image of every process, now and after
// each later command; its environment is not.
func TestPredeploy(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	f := lab.WithShell(t, l)
	f["Procfile"] = "web: /server\nrelease: grep -q assets /app/built\n"
	f["app.json"] = `{"scripts": {"dokku": {"predeploy": "printf \"assets-$MODE\" > /app/built; exit 0"}}}`
	f["Dockerfile"] = strings.Replace(f["Dockerfile"], "env printf", "env grep printf", 1)
	f["Dockerfile"] = strings.Replace(f["Dockerfile"], "COPY --chmod", "COPY app.json /app/\nCOPY --chmod", 1)
	a := l.App(f)
	l.Dokku("apps:create", a.Name)
	l.Dokku("config:set", "--no-restart", a.Name, "MODE=it's \"new\"")
	lab.Contains(t, a.Push(nil), "Executing predeploy task from app.json: ", "Executing release task from Procfile in ephemeral container: ", "Application deployed")
	built := func(want string) {
		t.Helper()
		if out := l.Dokku("run", a.Name, "/bin/sh", "-c", "while read -r x || [ -n \"$x\" ]; do echo \"$x\"; done </app/built"); !strings.Contains(out, want) {
			t.Errorf("/app/built has %q, want %q", out, want)
		}
	}
	built("assets-it's \"new\"")
	l.Dokku("config:unset", a.Name, "MODE")
	built("assets-it's \"new\"")
	if out := l.Dokku("run", a.Name, "env"); strings.Contains(out, "MODE=") {
		t.Errorf("the variable outlives config:unset:\n%s", out)
	}
	l.Dokku("ps:rebuild", a.Name)
	built("assets-")
	a.Rests()

	out := a.Rejected(lab.Files{"app.json": `{"scripts": {"dokku": {"predeploy": "echo compiling; false; true"}}}`})
	lab.Contains(t, out, "compiling", "the predeploy command failed with exit code 1")
}

// TestReleaseParts: a release command fails when any part of it does.
func TestReleaseParts(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	f := lab.WithShell(t, l)
	f["Dockerfile"] = strings.Replace(f["Dockerfile"], "env printf", "env false printf", 1)
	f["Procfile"] = "web: /server\n"
	a := l.Deployed(f)
	for command, code := range map[string]int{"false; true": 1, "false | true": 1, `sh -c "exit 3"; echo done`: 3, "cd /nowhere; true": 2} {
		out := a.Rejected(lab.Files{"Procfile": "web: /server\nrelease: " + command + "\n"})
		lab.Contains(t, out, fmt.Sprintf("the release command failed with exit code %d: %s", code, command))
	}
	lab.Contains(t, a.Push(lab.Files{"Procfile": "web: /server\nrelease: false || echo all-right\n"}), "all-right", "Application deployed")
}

// TestChecksAskDomain: checks without a host ask for the app's first domain.
func TestChecksAskDomain(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.Files{"Procfile": "web: /server -only-host=shop.example.com\n", "CHECKS": "WAIT=1\nATTEMPTS=2\n/\n"})
	l.Dokku("apps:create", a.Name)
	l.Dokku("domains:set", a.Name, "shop.example.com")
	lab.Contains(t, a.Push(nil), "http://shop.example.com/", "200 in ")
	out := a.Push(lab.Files{"app.json": `{"healthchecks": {"web": [{"type": "startup", "path": "/never"}]}}`})
	lab.Contains(t, out, "CHECKS: it replaces app.json's healthchecks for web", "All checks successful!")
	lab.Contains(t, a.Push(lab.Files{"CHECKS": "", "app.json": `{"healthchecks": {"web": [{"type": "startup", "path": "/"}]}}`}), "http://shop.example.com/", "200 in ")
}

// TestHealthcheck: the image's HEALTHCHECK rejects with its output, unless it is left out.
func TestHealthcheck(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	live := a.Tip("main")
	sick := lab.Files{"Dockerfile": dockerfile(l, "5000") + "HEALTHCHECK --interval=1s --retries=2 CMD [\"/server\", \"-say=no-queue\", \"-exit=1\"]\n"}
	lab.Contains(t, a.Rejected(sick), "HEALTHCHECK, 1 check for web", "web.1 runs /server -say=no-queue -exit=1: exit code 1: no-queue",
		" checks:set "+a.Name+" image-healthcheck false")
	a.Serves(live)
	lab.Contains(t, a.Push(lab.Files{"Dockerfile": strings.Replace(sick["Dockerfile"], "-exit=1", "-exit=0", 1)}), "runs /server -say=no-queue -exit=0", "All checks successful!")
	l.Dokku("checks:set", a.Name, "image-healthcheck", "false")
	a.Push(sick)
	a.Serves(a.Tip("main"))
}

// TestRejectedDiesAtOnce: a rejected web process that ignores TERM delays nothing: it has
// never served.
func TestRejectedDiesAtOnce(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"ps": map[string]string{"stop-timeout-seconds": "60"}})
	a := l.Deployed(lab.Files{"CHECKS": "WAIT=1\nATTEMPTS=1\n/health\n"})
	begun := time.Now()
	a.Rejected(lab.Files{"Procfile": "web: /server -stubborn -unhealthy\n"})
	if took := time.Since(begun); took > 40*time.Second {
		t.Errorf("the push took %s", took)
	}
}

// TestDestroyStopsInParallel: the processes of an app end side by side.
func TestDestroyStopsInParallel(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"ps": map[string]string{"stop-timeout-seconds": "6"}})
	a := l.Deployed(lab.Files{"Procfile": "web: /server -stubborn\nworker: /server -stubborn -port=\n"})
	l.Dokku("ps:scale", a.Name, "worker=5")
	begun := time.Now()
	l.Dokku("apps:destroy", "--force", a.Name)
	if took := time.Since(begun); took > 25*time.Second {
		t.Errorf("apps:destroy took %s: 6 processes need 6 s each", took)
	}
}

// TestScaleOfGoneType: a stored count of a type that has left the Procfile is forgotten
// when it is set to 0. Any other unknown type is refused.
func TestScaleOfGoneType(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes})
	l.Dokku("ps:scale", a.Name, "worker=2")
	lab.Contains(t, a.Push(lab.Files{"Procfile": "web: /server\n"}), "local setting worker=2 is ignored")
	lab.Contains(t, l.Refused("ps:scale", a.Name, "worker=1"), "worker is not a valid process name to scale up")
	lab.Contains(t, l.Refused("ps:scale", a.Name, "clock=0"), "clock is not a valid process name to scale up")
	l.Dokku("ps:scale", a.Name, "worker=0")
	lab.Lacks(t, a.Push(lab.Files{"version": "2"}), "worker")
}

// TestAilingSite: ps:report, doctor and checks:run see what a visitor sees.
func TestAilingSite(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"checks": map[string]string{"listen-timeout": "3"}})
	a := l.Deployed(lab.Files{"Procfile": "web: /server -quit-after=10s\n"})
	lab.WaitFor(t, "ps:report names the problem", func() bool {
		return strings.Contains(l.Dokku("ps:report", a.Name, "--problem"), "web.1 does not accept connections on port 5000")
	})
	lab.Contains(t, l.Refused("doctor", a.Name), "web.1 does not accept connections on port 5000; to fix: dokku checks:run "+a.Name)
	lab.Contains(t, l.Refused("doctor", "--quiet"), a.Name+" processes", "web.1 does not accept connections on port 5000")
	lab.Contains(t, l.Refused("checks:run", a.Name), "web.1 does not accept connections on port 5000 after ", "it listens on no port")
}
