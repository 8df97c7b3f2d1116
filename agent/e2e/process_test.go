package e2e

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"

	"dokku/agent/e2e/lab"
	"dokku/agent/engine"
)

// TestProcesses changes an app's processes without a push.
func TestProcesses(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes})
	l.Dokku("ps:scale", a.Name, "worker=2")
	rev := a.Tip("main")

	t.Run("restart one type", func(t *testing.T) {
		a := a.With(t)
		before := a.Instances()
		a.Lab.Dokku("ps:restart", a.Name, "worker")
		a.Runs("web.1", "worker.1", "worker.2")
		after := a.Instances()
		if after["web.1"] != before["web.1"] || after["worker.1"] == before["worker.1"] || after["worker.2"] == before["worker.2"] {
			t.Errorf("before %v, after %v", before, after)
		}
		a.Lab.Dokku("ps:scale", a.Name, "web=2")
		a.Runs("web.1", "web.2", "worker.1", "worker.2")
		if now := a.Instances(); now["web.1"] != before["web.1"] || now["worker.1"] != after["worker.1"] {
			t.Errorf("scaling web restarts others: %v, then %v", after, now)
		}
		a.Serves(rev)
		a.Lab.Dokku("ps:restart", a.Name)
		if now := a.Instances(); now["web.1"] == before["web.1"] || now["worker.1"] == after["worker.1"] {
			t.Errorf("a restart leaves some alone: %v, then %v", after, now)
		}
		a.Lab.Dokku("ps:scale", a.Name, "web=1")
	})
	t.Run("inspect", func(t *testing.T) {
		a := a.With(t)
		a.Lab.Dokku("config:set", "--no-restart", a.Name, "SECRET=hidden-value")
		a.Lab.Dokku("ps:restart", a.Name)
		out := a.Lab.Dokku("ps:inspect", a.Name)
		var list []container.InspectResponse
		lab.Must(t, json.Unmarshal([]byte(out), &list))
		if len(list) != 3 || !slices.Contains(list[0].Config.Env, "SECRET=XXXXXX") {
			t.Errorf("%d containers, the first with %v", len(list), list[0].Config.Env)
		}
		lab.Lacks(t, out, "hidden-value")
		labels := list[0].Config.Labels
		for key, want := range map[string]string{"com.dokku.app-name": a.Name, "com.dokku.container-type": "deploy",
			"com.dokku.process-type": "web", "com.dokku.dyno": "web.1"} {
			if labels[key] != want {
				t.Errorf("the label %s is %q, want %q", key, labels[key], want)
			}
		}
	})
	t.Run("what runs", func(t *testing.T) {
		a := a.With(t)
		out := a.Lab.Dokku("ps", a.Name)
		lab.Contains(t, out, "USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND", "/server\n")
		if n := strings.Count(out, "-----> running processes in container: "); n != 3 {
			t.Errorf("ps lists %d containers:\n%s", n, out)
		}
		status := "running (CID: " + a.Instances()["web.1"][:11] + ")\n"
		if got := a.Lab.Dokku("ps:report", a.Name, "--status-web-1"); got != status {
			t.Errorf("the status is %q, want %q", got, status)
		}
		lab.Contains(t, a.Lab.Dokku("ps:report", a.Name), "       Deployed:                      true\n", "       Processes:                     3\n",
			"       Running:                       true\n", "       Status web 1:                  "+status)
	})
	t.Run("restore", func(t *testing.T) {
		a := a.With(t)
		id := a.Instances()["web.1"]
		lab.Must(t, a.Lab.Tools.Docker.ContainerStop(t.Context(), id, container.StopOptions{}))
		if got := a.Lab.Dokku("ps:report", a.Name, "--running"); got != "mixed\n" {
			t.Errorf("of an app of which some runs, running is %q", got)
		}
		a.Lab.Dokku("ps:restore", a.Name)
		a.Runs("web.1", "worker.1", "worker.2")
		a.Serves(rev)
		a.Lab.Dokku("ps:stop", a.Name)
		lab.Contains(t, a.Lab.Dokku("ps:restore", a.Name), "stays stopped")
		lab.Contains(t, a.Lab.Dokku("ps:report", a.Name), "       Restore:                       false\n", "       Running:                       false\n")
		if got := a.Instances(); len(got) != 0 {
			t.Errorf("a stopped app is restored: %v", got)
		}
		a.Lab.Dokku("ps:start", a.Name)
	})
	t.Run("a pushed revision that is not deployed", func(t *testing.T) {
		a := a.With(t)
		a.Lab.Dokku("ps:set", a.Name, "skip-deploy", "true")
		pushed := a.Commit(lab.Files{"version": "2"})
		lab.Contains(t, a.Pushing().Succeeds(), pushed[:7]+" is not deployed, since skip-deploy is set", "ps:rebuild "+a.Name)
		a.Serves(rev)
		if got := a.Lab.Dokku("ps:report", a.Name, "--undeployed"); got != pushed+"\n" {
			t.Errorf("undeployed: %q", got)
		}
		a.Lab.Dokku("ps:rebuild", a.Name)
		a.Serves(pushed)
		if got := a.Lab.Dokku("ps:report", a.Name, "--undeployed"); got != "\n" {
			t.Errorf("undeployed after ps:rebuild: %q", got)
		}
		a.Lab.Dokku("ps:set", a.Name, "skip-deploy")
		a.Push(lab.Files{"version": "3"})
		a.Serves(a.Tip("main"))
	})
	t.Run("commands", func(t *testing.T) {
		a := a.With(t)
		a.Lab.Dokku("ps:set", a.Name, "procfile-path", "deploy/Procfile")
		lab.Contains(t, a.Rejected(lab.Files{"deploy/Procfile": "web /server\n"}), "deploy/Procfile:1")
		a.Push(lab.Files{"deploy/Procfile": "web: /server -say=elsewhere\n"})
		a.Runs("web.1")
		says(a, "elsewhere")
		a.Lab.Dokku("ps:set", a.Name, "dockerfile-start-cmd", "/server -say=by-setting")
		lab.Contains(t, a.Push(lab.Files{"deploy/Procfile": ""}), "procfile-path names deploy/Procfile, which does not exist")
		says(a, "by-setting")
		a.Lab.Dokku("ps:set", a.Name, "dockerfile-start-cmd")
		a.Lab.Dokku("ps:restart", a.Name)
		a.Serves(a.Tip("main"))
		lab.Lacks(t, a.Lab.Dokku("logs", a.Name), "by-setting")
	})
}

// says waits until a process of the app has printed a line.
func says(a *lab.App, line string) {
	a.Lab.T.Helper()
	lab.WaitFor(a.Lab.T, "the log says "+line, func() bool { return strings.Contains(a.Lab.Dokku("logs", a.Name), ": "+line+"\n") })
}

// TestDisabledChecks: two releases of a type with zero downtime disabled never run side by
// side, nor do those of an exclusive type, which are checked before the push is accepted.
func TestDisabledChecks(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	a := l.Deployed(lab.Files{"Procfile": twoTypes, "DOKKU_SCALE": "web=1\nworker=2\n"})
	lab.Contains(t, l.Dokku("checks:disable", a.Name, "worker"), "-----> Disabling zero downtime for app's ("+a.Name+") proctypes (worker)\n")
	begun := time.Now()
	out := a.Push(lab.Files{"version": "2"})
	lab.Contains(t, out, "Zero downtime is disabled for worker.1 worker.2", "Starting web.1 ")
	a.Rests()
	a.Runs("web.1", "worker.1", "worker.2")
	oneGeneration(a, begun)
	if got := l.Dokku("checks:report", a.Name, "--checks-disabled-list"); got != "worker\n" {
		t.Errorf("disabled list: %q", got)
	}
	l.Dokku("checks:enable", a.Name, "worker")
	exclusive := lab.Files{"app.json": `{"formation": {"worker": {"rollover": "exclusive"}}}`}
	begun = time.Now()
	lab.Contains(t, a.Push(exclusive), "Stopping worker.1 worker.2 first: the rollover is exclusive", "worker.1 up for ")
	a.Rests()
	oneGeneration(a, begun)
	begun = time.Now()
	a.Commit(lab.Files{"Procfile": "web: /server\nworker: /server -port= -exit=4\n"})
	lab.Contains(t, a.Pushing().Fails(), " exited with code 4", "Starting worker.1 worker.2 of v3 again")
	a.Git("reset", "-q", "--hard", "HEAD~1")
	a.Rests()
	a.Runs("web.1", "worker.1", "worker.2")
	oneGeneration(a, begun)

	l.Dokku("checks:disable", a.Name)
	a.Push(lab.Files{"version": "3"})
	lab.WaitFor(t, "the new version serves", func() bool { _, body := a.Get("/"); return strings.HasPrefix(body, a.Tip("main")) })
	a.Rests()
	a.Runs("web.1", "worker.1", "worker.2")
}

// oneGeneration fails the test if workers of two releases have run side by side since a
// moment, or two do not run now.
func oneGeneration(a *lab.App, since time.Time) {
	t := a.Lab.T
	t.Helper()
	running := map[string]string{} // worker's attempt by container
	for _, e := range eventsOf(a, since) {
		id, attempt := e.Actor.ID, e.Actor.Attributes[engine.LabelAttempt]
		switch {
		case e.Actor.Attributes[engine.LabelProcessType] != "worker":
		case e.Action == events.ActionDie:
			delete(running, id)
		case e.Action == events.ActionStart:
			running[id] = attempt
			for other, theirs := range running {
				if theirs != attempt {
					t.Errorf("%.12s of %s runs beside %.12s of %s", id, attempt, other, theirs)
				}
			}
		}
	}
	if len(running) != 2 {
		t.Errorf("workers were started: %v", running)
	}
}

// eventsOf returns the engine's events of the app's containers, from a moment until now.
func eventsOf(a *lab.App, since time.Time) []events.Message {
	a.Lab.T.Helper()
	unix := func(at time.Time) string { return strconv.FormatFloat(float64(at.UnixNano())/1e9, 'f', 9, 64) }
	messages, failed := a.Lab.Tools.Docker.Events(a.Lab.T.Context(), events.ListOptions{
		Since: unix(since), Until: unix(time.Now()), Filters: a.Label()})
	var list []events.Message
	for {
		select {
		case m := <-messages:
			list = append(list, m)
		case <-failed: // io.EOF at the end
			return list
		}
	}
}

// TestAppJSON: app.json's limit of parallel starts, and its command for a failed check.
func TestAppJSON(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes, "app.json": `{"formation": {"web": {"quantity": 3, "max_parallel": 2}, "worker": {"quantity": 1}}}`})
	a.Runs("web.1", "web.2", "web.3", "worker.1")
	out := a.Push(lab.Files{"DOKKU_SCALE": "web=1\n"})
	lab.Contains(t, out, " !     app.json and DOKKU_SCALE both set the formation: app.json wins")
	a.Runs("web.1", "web.2", "web.3", "worker.1")
	lab.Contains(t, l.Refused("ps:scale", a.Name, "web=1"),
		" !     App "+a.Name+" contains an app.json file with a formations key and cannot be manually scaled\n")
	first, second := strings.Index(out, "Starting web.1 web.2 worker.1 "), strings.Index(out, "Starting web.3 ")
	if passed := strings.Index(out, "All checks successful!"); first < 0 || second < passed || passed < first {
		t.Errorf("web.3 does not wait for the others:\n%s", out)
	}
	out = a.Rejected(lab.Files{"app.json": `{"healthchecks": {"web": [{"type": "startup", "path": "/", "content": "never", "attempts": 1, "wait": 1,
		"onFailure": {"command": ["/server", "-say=called", "-exit=3"]}}]}}`})
	lab.Contains(t, out, "Running onFailure command in web.1: /server -say=called -exit=3", "remote:        called", "exit code 3")
}
