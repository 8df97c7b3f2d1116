package machine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/cron"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/watch"
)

// cronTasks are the tasks of the app of these tests.
const cronTasks = `{"cron": [
	{"command": "report --all", "schedule": "*/10 * * * *"},
	{"command": "backup", "schedule": "0 3 * * *", "concurrency_policy": "forbid"},
	{"command": "sync", "schedule": "*/10 * * * *", "concurrency_policy": "replace"}
]}`

// A cronMachine is a machine whose app has cron tasks.
type cronMachine struct {
	*machine
	h    history
	rev  string // the revision with the tasks
	mu   sync.Mutex
	runs map[string]int // the starts of each run
	// ends are the exit codes of commands; others go on.
	ends map[string]int
}

func newCronMachine(t *testing.T, tasks string) *cronMachine {
	t.Helper()
	h := newHistory(t)
	m := &cronMachine{machine: newMachine(t, h), h: h, runs: map[string]int{}, ends: map[string]int{}}
	m.rev = m.revision(h.two, tasks)
	check(t, m.push(h.one, m.rev))
	m.settle()
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		if s.Kind != engine.KindCron {
			return behaviour(s)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.runs[s.CronRun]++
		code, ends := m.ends[s.Command[0]]
		return memory.Behaviour{Output: []string{"begin", strings.Join(s.Command, " ") + " ran"}, Exits: ends, Code: code}
	})
	return m
}

// revision makes a revision with another app.json.
func (m *cronMachine) revision(parent, tasks string) string {
	m.t.Helper()
	git(m.t, m.h.dir, "checkout", "-q", "--detach", parent)
	put(m.t, m.h.dir+"/app.json", tasks)
	git(m.t, m.h.dir, "add", "-A")
	git(m.t, m.h.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "cron")
	commit := git(m.t, m.h.dir, "rev-parse", "HEAD")
	if m.packs == nil {
		m.packs = map[string]pack{}
	}
	m.packs[commit] = newPack(m.t, m.h, commit, m.h.two)
	git(m.t, m.h.dir, "checkout", "-q", "main")
	return commit
}

// agent runs the agent in a bubble until stop.
func (m *cronMachine) agent() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- watch.Run(ctx, m.server, event.Log{}) }()
	return func() {
		m.t.Helper()
		cancel()
		check(m.t, <-ended)
	}
}

// history has the recorded runs: "00:10 report --all: exit code 0".
func (m *cronMachine) history() (list []string) {
	m.t.Helper()
	runs, err := m.server.Env.Store.Runs("shop")
	check(m.t, err)
	for _, r := range runs {
		at := "-"
		if !r.Minute.IsZero() {
			at = r.Minute.Format("15:04")
		}
		list = append(list, fmt.Sprintf("%s %s: %s", at, r.Command, r.Text()))
	}
	slices.Sort(list)
	return list
}

// containers are those of cron tasks: "report --all running".
func (m *cronMachine) containers() (list []string) {
	m.t.Helper()
	o, err := m.engine.Observe(m.t.Context(), "shop")
	check(m.t, err)
	for _, i := range o.Instances {
		if i.Kind == engine.KindCron {
			list = append(list, i.Command+" "+string(i.Status))
		}
	}
	slices.Sort(list)
	return list
}

func (m *cronMachine) task(command string) app.CronTask {
	m.t.Helper()
	v, err := m.server.View("shop")
	check(m.t, err)
	for _, t := range v.CronTasks() {
		if t.Command == command {
			return t
		}
	}
	m.t.Fatalf("there is no task %q", command)
	return app.CronTask{}
}

// once fails if a run has started twice.
func (m *cronMachine) once() {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for run, n := range m.runs {
		if n > 1 {
			m.t.Errorf("%s has started %d times", run, n)
		}
	}
}

func (m *cronMachine) want(when string, got []string, want ...string) {
	m.t.Helper()
	if !slices.Equal(got, want) {
		m.t.Errorf("%s:\ngot  %s\nwant %s", when, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// TestCronTasks: the agent runs what is due, once, keeps log and exit code, and tells what
// failed. The clock of a bubble begins at midnight, UTC.
func TestCronTasks(t *testing.T) {
	m := newCronMachine(t, cronTasks)
	m.next(func(st *app.State) {
		st.Cron = map[string]string{app.CronTimezone: "UTC"}
		st.Resources = map[string]string{app.ResourceKey(app.DefaultType, app.ResourceLimit, "memory"): "64m"}
	})
	m.ends = map[string]int{"report": 3, "backup": 0, "sync": 0}
	synctest.Test(t, func(t *testing.T) {
		m.machine.t = t
		stop := m.agent()
		pass(9 * time.Minute)
		m.want("before anything is due", m.history())
		pass(time.Minute + time.Second)
		m.want("at 00:10", m.history(), "00:10 report --all: exit code 3", "00:10 sync: exit code 0")
		m.want("containers", m.containers())
		pass(10 * time.Minute)
		m.want("at 00:20", m.history(), "00:10 report --all: exit code 3", "00:10 sync: exit code 0",
			"00:20 report --all: exit code 3", "00:20 sync: exit code 0")
		m.want("events", m.eventTexts(t, journal.Cron), "shop cron report --all: exit code 3", "shop cron report --all: exit code 3")
		runs, err := m.server.Env.Store.Runs("shop")
		check(t, err)
		log, err := os.ReadFile(m.server.Env.Store.RunLog("shop", runs[0].ID))
		check(t, err)
		if r := runs[0]; !strings.HasSuffix(string(log), " ran\n") || r.Release == 0 || r.By != "agent" || r.Ended.Before(r.Began) {
			t.Errorf("the run is %+v, its log %q", r, log)
		}
		pass(2*time.Hour + 40*time.Minute)
		if got := m.history(); !slices.Contains(got, "03:00 backup: exit code 0") {
			t.Errorf("at 03:00: %q", got)
		}
		pass(12 * time.Hour)
		if got := m.history(); len(got) != 2*50+1 {
			t.Errorf("%d runs are kept", len(got))
		}
		stop()
		m.once()
	})
}

// TestCronOfARelease: a new release ends the tasks of the one before, and a run goes on.
func TestCronOfARelease(t *testing.T) {
	m := newCronMachine(t, `{"cron": [{"command": "old", "schedule": "*/10 * * * *"}]}`)
	next := m.revision(m.rev, `{"cron": [{"command": "new", "schedule": "*/10 * * * *"}]}`)
	m.packs[next] = newPack(t, m.h, next, m.h.two)
	synctest.Test(t, func(t *testing.T) {
		m.machine.t = t
		stop := m.agent()
		pass(11 * time.Minute)
		m.want("at 00:10", m.containers(), "old running")
		check(t, m.push(m.rev, next))
		pass(10 * time.Minute)
		m.want("at 00:20", m.containers(), "new running", "old running")
		m.want("runs", m.history(), "00:10 old: running", "00:20 new: running")
		// ps:stop ends no task: maintenance does.
		check(t, m.server.Stop(t.Context(), "shop", event.Log{}))
		pass(10 * time.Minute)
		m.want("at 00:30, stopped", m.containers(), "new running", "new running", "old running")
		m.next(func(st *app.State) { st.Cron = map[string]string{app.CronMaintenance: "true"} })
		pass(10 * time.Minute)
		m.want("at 00:40, in maintenance", m.containers(), "new running", "new running", "old running")
		check(t, m.server.Destroy(t.Context(), "shop", event.Log{}))
		m.want("destroyed", m.containers())
		pass(time.Minute)
		stop()
		m.once()
	})
}

// TestCronPolicy: forbid skips a run, replace stops the one before, and the time to live ends
// one that hangs.
func TestCronPolicy(t *testing.T) {
	m := newCronMachine(t, `{"cron": [
		{"command": "both", "schedule": "*/10 * * * *"},
		{"command": "one", "schedule": "*/10 * * * *", "concurrency_policy": "forbid"},
		{"command": "last", "schedule": "*/10 * * * *", "concurrency_policy": "replace"}]}`)
	synctest.Test(t, func(t *testing.T) {
		m.machine.t = t
		stop := m.agent()
		pass(21 * time.Minute)
		m.want("at 00:20", m.containers(), "both running", "both running", "last running", "one running")
		m.want("runs", m.history(), "00:10 both: running", "00:10 last: replaced", "00:10 one: running", "00:20 both: running", "00:20 last: running",
			"00:20 one: skipped: the run before it has not ended")
		_, err := cron.RunDetached(t.Context(), m.server, "shop", cron.Request{Task: m.task("one"), TTL: time.Hour}, event.Log{})
		if want := "shop currently has a cron lock in place for " + m.task("one").ID + ". Exiting..."; err == nil || err.Error() != want {
			t.Errorf("cron:run of it: %v", err)
		}
		m.next(func(st *app.State) { st.Cron = map[string]string{app.CronMaintenance: "true"} })
		pass(24 * time.Hour)
		m.want("a day later", m.containers())
		if got := m.history(); !slices.Contains(got, "00:10 one: timed out") || !slices.Contains(got, "00:20 last: timed out") {
			t.Errorf("a day later: %q", got)
		}
		stop()
		m.once()
	})
}

// TestCronMissed: what was due while no agent ran is told and not made up. What was due
// before a task was scheduled, or while it was suspended, is not missed.
func TestCronMissed(t *testing.T) {
	m := newCronMachine(t, cronTasks)
	m.ends = map[string]int{"report": 0, "backup": 0, "sync": 0}
	m.next(func(st *app.State) {
		st.Cron = map[string]string{app.CronTimezone: "UTC"}
		st.Suspend(m.task("sync").Key, true)
	})
	synctest.Test(t, func(t *testing.T) {
		m.machine.t = t
		pass(time.Hour) // before the agent's first look, nothing is scheduled
		stop := m.agent()
		pass(11 * time.Minute)
		m.want("at 01:10", m.history(), "01:10 report --all: exit code 0")
		stop()
		pass(2 * time.Hour)
		stop = m.agent()
		pass(2 * time.Minute)
		m.want("at 03:13", m.history(), "01:10 report --all: exit code 0", "03:00 backup: missed", "03:10 report --all: missed 12 times")
		m.want("events", m.eventTexts(t, journal.Cron), "shop cron report --all: missed 12 times", "shop cron backup: missed")
		m.next(func(st *app.State) { st.Suspend(m.task("sync").Key, false) })
		pass(8 * time.Minute)
		if got := m.history(); len(got) != 5 || got[4] != "03:20 sync: exit code 0" || got[3] != "03:20 report --all: exit code 0" {
			t.Errorf("at 03:21: %q", got)
		}
		// Another time zone makes nothing missed: 03:00 in New York is 08:00.
		m.next(func(st *app.State) { st.Cron = map[string]string{app.CronTimezone: "America/New_York"} })
		pass(5 * time.Hour)
		if got := m.history(); !slices.Contains(got, "08:00 backup: exit code 0") || len(m.eventTexts(t, journal.Cron)) != 2 {
			t.Errorf("at 08:21: %q, %q", got, m.eventTexts(t, journal.Cron))
		}
		stop()
		m.once()
	})
}

// TestCronOutlivesTheAgent: a run goes on while the agent is restarted, and the next agent
// records its end; also of a run that cron:run has begun.
func TestCronOutlivesTheAgent(t *testing.T) {
	m := newCronMachine(t, cronTasks)
	m.ends = map[string]int{"sync": 0}
	synctest.Test(t, func(t *testing.T) {
		m.machine.t = t
		stop := m.agent()
		pass(10*time.Minute + time.Second)
		i, err := cron.RunDetached(t.Context(), m.server, "shop", cron.Request{Task: m.task("backup"), TTL: time.Hour, By: "ann"}, event.Log{})
		check(t, err)
		stop()
		m.want("the agent is gone", m.containers(), "backup running", "report --all running")
		o, err := m.engine.Observe(t.Context(), "shop")
		check(t, err)
		for _, other := range o.Instances {
			if other.Kind == engine.KindCron && other.ID != i.ID {
				m.engine.Exit(other.ID, 4)
			}
		}
		stop = m.agent()
		pass(2 * time.Minute)
		m.want("after its return", m.history(), "- backup: running", "00:10 report --all: exit code 4", "00:10 sync: exit code 0")
		m.engine.Exit(i.ID, 0)
		pass(2 * time.Second)
		m.want("at the end", m.history(), "- backup: exit code 0", "00:10 report --all: exit code 4", "00:10 sync: exit code 0")
		m.want("containers", m.containers())
		stop()
		m.once()
	})
}

// TestCronMail: the output of a run goes to mailto by the server's sendmail, and none without
// output.
func TestCronMail(t *testing.T) {
	m := newCronMachine(t, `{"cron": [{"command": "report", "schedule": "0 12 * * *"}]}`)
	m.ends = map[string]int{"report": 3}
	m.next(func(st *app.State) { st.Cron = map[string]string{app.CronTimezone: "UTC"} })
	check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
		set.Cron = map[string]string{app.CronMailTo: "ops@example.com", app.CronMailFrom: "cron@example.com"}
		return nil
	}))
	dir := t.TempDir()
	program := dir + "/sendmail"
	check(t, os.WriteFile(program, []byte("#!/bin/sh\necho \"$@\" > "+dir+"/words\ncat > "+dir+"/mail\n"), 0o755))
	s := m.scheduler()
	s.Sendmail = program
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	m.look(s, noon.Add(-time.Minute))
	m.look(s, noon)
	mail, err := os.ReadFile(dir + "/mail")
	check(t, err)
	words, err := os.ReadFile(dir + "/words")
	check(t, err)
	want := "From: cron@example.com\nTo: ops@example.com\nSubject: Cron shop: report (exit code 3)\n" +
		"Content-Type: text/plain; charset=utf-8\nAuto-Submitted: auto-generated\n\nbegin\nreport ran\n"
	if string(mail) != want || string(words) != "-t -oi\n" {
		t.Errorf("sendmail %s gets\n%s", words, mail)
	}
}
