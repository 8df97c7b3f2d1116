package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
)

// TestCron: the agent runs the task of a pushed app.json when the clock says so, with the
// app's config, and keeps its log and exit code. A run outlives an agent that is killed.
func TestCron(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	files := lab.WithShell(t, l)
	files["app.json"] = `{"cron": [
		{"command": "sh -c 'echo $COLOUR from $DYNO; exit 3'", "schedule": "* * * * *"},
		{"command": "sleep 5", "schedule": "0 0 29 2 *", "concurrency_policy": "forbid"}]}`
	a := l.App(files)
	l.Dokku("apps:create", a.Name)
	l.Dokku("config:set", "--no-restart", a.Name, "COLOUR=blue")
	lab.Contains(t, a.Push(nil), "Scheduling 2 cron tasks: ", " cron:list "+a.Name)

	type run struct {
		Run, Command, Outcome string
		Due                   time.Time
		Code                  int `json:"exit_code"`
	}
	runs := func() (list []run) {
		lab.Must(t, json.Unmarshal([]byte(l.Dokku("cron:logs", a.Name, "--format", "json")), &list))
		return list
	}
	lab.WaitFor(t, "the task has run", func() bool { list := runs(); return len(list) > 0 && list[0].Outcome == "failed" })
	first := runs()[0]
	if first.Code != 3 || first.Due.Second() != 0 || first.Due.IsZero() {
		t.Errorf("the run is %+v", first)
	}
	lab.Contains(t, l.Dokku("cron:logs", a.Name, first.Run), "blue from cron.")
	lab.WaitFor(t, "an event tells of its failure", func() bool {
		return strings.Contains(l.Dokku("events", a.Name), " cron agent sh -c 'echo $COLOUR from $DYNO; exit 3': exit code 3")
	})

	var tasks []struct{ ID, Command string }
	lab.Must(t, json.Unmarshal([]byte(l.Dokku("cron:list", a.Name, "--format", "json")), &tasks))
	out, code := l.Try("cron:run", a.Name, tasks[0].ID)
	if code != 3 || !strings.HasPrefix(out, "blue from cron.") {
		t.Errorf("cron:run prints %q and ends with %d", out, code)
	}
	container := strings.TrimSpace(l.Dokku("cron:run", a.Name, tasks[1].ID, "--detach"))
	lab.Contains(t, container, a.Name+".cron.")
	lab.Contains(t, l.Refused("cron:run", a.Name, tasks[1].ID), "currently has a cron lock in place for "+tasks[1].ID)
	lab.EndProcess(l.Agent)
	l.StartAgent()
	lab.WaitFor(t, "the run that outlived the agent is recorded", func() bool {
		for _, r := range runs() {
			if r.Command == "sleep 5" && r.Outcome == "done" {
				return true
			}
		}
		return false
	})
	l.Dokku("cron:set", a.Name, "maintenance", "true")
	lab.WaitFor(t, "no container of a task is left", func() bool {
		for _, c := range a.Containers() {
			if c.Labels["com.dokku.container-type"] == "cron" {
				return false
			}
		}
		return true
	})
	due := map[time.Time]int{}
	for _, r := range runs() {
		if due[r.Due]++; !r.Due.IsZero() && due[r.Due] > 1 {
			t.Errorf("%s ran twice: %+v", r.Due, runs())
		}
	}
}
