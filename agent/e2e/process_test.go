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

	"dokku/agent/engine"
)

// What can be done to an app's processes without a push.
func TestProcesses(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(files{"Procfile": twoTypes})
	l.dokku("ps:scale", a.name, "worker=2")
	rev := a.tip("main")

	t.Run("restart one type", func(t *testing.T) {
		a := a.with(t)
		before := a.instances()
		a.dokku("ps:restart", a.name, "worker")
		a.runs("web.1", "worker.1", "worker.2")
		after := a.instances()
		if after["web.1"] != before["web.1"] || after["worker.1"] == before["worker.1"] || after["worker.2"] == before["worker.2"] {
			t.Errorf("before %v, after %v", before, after)
		}
		a.dokku("ps:scale", a.name, "web=2")
		a.runs("web.1", "web.2", "worker.1", "worker.2")
		if now := a.instances(); now["web.1"] != before["web.1"] || now["worker.1"] != after["worker.1"] {
			t.Errorf("scaling web restarts others: %v, then %v", after, now)
		}
		a.serves(rev)
		a.dokku("ps:restart", a.name)
		if now := a.instances(); now["web.1"] == before["web.1"] || now["worker.1"] == after["worker.1"] {
			t.Errorf("a restart leaves some alone: %v, then %v", after, now)
		}
		a.dokku("ps:scale", a.name, "web=1")
	})
	t.Run("inspect", func(t *testing.T) {
		a := a.with(t)
		a.dokku("config:set", "--no-restart", a.name, "SECRET=hidden-value")
		a.dokku("ps:restart", a.name)
		out := a.dokku("ps:inspect", a.name)
		var list []container.InspectResponse
		must(t, json.Unmarshal([]byte(out), &list))
		if len(list) != 3 || !slices.Contains(list[0].Config.Env, "SECRET=XXXXXX") {
			t.Errorf("%d containers, the first with %v", len(list), list[0].Config.Env)
		}
		lacks(t, out, "hidden-value")
		labels := list[0].Config.Labels
		for key, want := range map[string]string{"com.dokku.app-name": a.name, "com.dokku.container-type": "deploy",
			"com.dokku.process-type": "web", "com.dokku.dyno": "web.1"} {
			if labels[key] != want {
				t.Errorf("the label %s is %q, want %q", key, labels[key], want)
			}
		}
	})
	t.Run("what runs", func(t *testing.T) {
		a := a.with(t)
		out := a.dokku("ps", a.name)
		contains(t, out, "USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND", "/server\n")
		if n := strings.Count(out, "-----> running processes in container: "); n != 3 {
			t.Errorf("ps lists %d containers:\n%s", n, out)
		}
		status := "running (CID: " + a.instances()["web.1"][:11] + ")\n"
		if got := a.dokku("ps:report", a.name, "--status-web-1"); got != status {
			t.Errorf("the status is %q, want %q", got, status)
		}
		contains(t, a.dokku("ps:report", a.name), "       Deployed:                      true\n", "       Processes:                     3\n",
			"       Running:                       true\n", "       Status web 1:                  "+status)
	})
	t.Run("restore", func(t *testing.T) {
		a := a.with(t)
		id := a.instances()["web.1"]
		must(t, a.tools.docker.ContainerStop(t.Context(), id, container.StopOptions{}))
		if got := a.dokku("ps:report", a.name, "--running"); got != "mixed\n" {
			t.Errorf("of an app of which some runs, running is %q", got)
		}
		a.dokku("ps:restore", a.name)
		a.runs("web.1", "worker.1", "worker.2")
		a.serves(rev)
		a.dokku("ps:stop", a.name)
		contains(t, a.dokku("ps:restore", a.name), "is stopped")
		contains(t, a.dokku("ps:report", a.name), "       Restore:                       false\n", "       Running:                       false\n")
		if got := a.instances(); len(got) != 0 {
			t.Errorf("a stopped app is restored: %v", got)
		}
		a.dokku("ps:start", a.name)
	})
	t.Run("a pushed revision that is not deployed", func(t *testing.T) {
		a := a.with(t)
		a.dokku("ps:set", a.name, "skip-deploy", "true")
		pushed := a.commit(files{"version": "2"})
		contains(t, a.pushing().succeeds(), pushed[:7]+" is not deployed, since skip-deploy is set", "ps:rebuild "+a.name)
		a.serves(rev)
		if got := a.dokku("ps:report", a.name, "--undeployed"); got != pushed+"\n" {
			t.Errorf("undeployed: %q", got)
		}
		a.dokku("ps:rebuild", a.name)
		a.serves(pushed)
		if got := a.dokku("ps:report", a.name, "--undeployed"); got != "\n" {
			t.Errorf("undeployed after ps:rebuild: %q", got)
		}
		a.dokku("ps:set", a.name, "skip-deploy")
		a.push(files{"version": "3"})
		a.serves(a.tip("main"))
	})
	t.Run("commands", func(t *testing.T) {
		a := a.with(t)
		a.dokku("ps:set", a.name, "procfile-path", "deploy/Procfile")
		contains(t, a.rejected(files{"deploy/Procfile": "web /server\n"}), "deploy/Procfile:1")
		a.push(files{"deploy/Procfile": "web: /server -say=elsewhere\n"})
		a.runs("web.1")
		a.says("elsewhere")
		a.dokku("ps:set", a.name, "dockerfile-start-cmd", "/server -say=by-setting")
		contains(t, a.push(files{"deploy/Procfile": ""}), "There is no deploy/Procfile")
		a.says("by-setting")
		a.dokku("ps:set", a.name, "dockerfile-start-cmd")
		a.dokku("ps:restart", a.name)
		a.serves(a.tip("main"))
		lacks(t, a.dokku("logs", a.name), "by-setting")
	})
}

// says waits until a process of the app has printed a line.
func (a *app) says(line string) {
	a.t.Helper()
	waitFor(a.t, "the log says "+line, func() bool { return strings.Contains(a.dokku("logs", a.name), ": "+line+"\n") })
}

// Of a type whose zero downtime is disabled, two releases never run side by side.
func TestDisabledChecks(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.startAgent()
	a := l.deployed(files{"Procfile": twoTypes, "DOKKU_SCALE": "web=1\nworker=2\n"})
	contains(t, l.dokku("checks:disable", a.name, "worker"), "-----> Disabling zero downtime for app's ("+a.name+") proctypes (worker)\n")
	begun := time.Now()
	out := a.push(files{"version": "2"})
	contains(t, out, "Zero downtime is disabled for worker.1 worker.2", "Starting web.1 ")
	a.rests()
	a.runs("web.1", "worker.1", "worker.2")
	running := map[string]string{} // worker's attempt by container
	for _, e := range a.events(begun) {
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
	if got := l.dokku("checks:report", a.name, "--checks-disabled-list"); got != "worker\n" {
		t.Errorf("disabled list: %q", got)
	}
	l.dokku("checks:disable", a.name)
	a.push(files{"version": "3"})
	waitFor(t, "the new version serves", func() bool { _, body := a.get("/"); return strings.HasPrefix(body, a.tip("main")) })
	a.rests()
	a.runs("web.1", "worker.1", "worker.2")
}

// events are the engine's about the app's containers, from a moment until now.
func (a *app) events(since time.Time) []events.Message {
	a.t.Helper()
	unix := func(at time.Time) string { return strconv.FormatFloat(float64(at.UnixNano())/1e9, 'f', 9, 64) }
	messages, failed := a.tools.docker.Events(a.t.Context(), events.ListOptions{
		Since: unix(since), Until: unix(time.Now()), Filters: a.label()})
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

// app.json's limit of starts at a time, and its command for a failed check.
func TestAppJSON(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(files{"Procfile": twoTypes, "app.json": `{"formation": {"web": {"quantity": 3, "max_parallel": 2}, "worker": {"quantity": 1}}}`})
	a.runs("web.1", "web.2", "web.3", "worker.1")
	out := a.push(files{"DOKKU_SCALE": "web=1\n"})
	contains(t, out, " !     app.json and DOKKU_SCALE both set the formation: app.json wins")
	a.runs("web.1", "web.2", "web.3", "worker.1")
	contains(t, l.refused("ps:scale", a.name, "web=1"),
		" !     App "+a.name+" contains an app.json file with a formations key and cannot be manually scaled\n")
	first, second := strings.Index(out, "Starting web.1 web.2 worker.1 "), strings.Index(out, "Starting web.3 ")
	if passed := strings.Index(out, "All checks successful!"); first < 0 || second < passed || passed < first {
		t.Errorf("web.3 does not wait for the others:\n%s", out)
	}
	out = a.rejected(files{"app.json": `{"healthchecks": {"web": [{"type": "startup", "path": "/", "content": "never", "attempts": 1, "wait": 1,
		"onFailure": {"command": ["/server", "-say=called", "-exit=3"]}}]}}`})
	contains(t, out, "Running onFailure command in web.1: /server -say=called -exit=3", "remote:        called", "exit code 3")
}
