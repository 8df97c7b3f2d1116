package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/cron"
	"dokku/agent/disk"
	"dokku/agent/engine"
)

// look is one look of a scheduler whose clock shows a time, and the end of what it starts.
func (m *cronMachine) look(s *cron.Scheduler, at time.Time) {
	s.Now = func() time.Time { return at }
	s.Look(context.Background())
	s.Wait()
}

func (m *cronMachine) scheduler() *cron.Scheduler { return &cron.Scheduler{Server: m.server} }

// TestCronOnce: no minute has two runs, whoever finds it due: two agents at once, or one
// whose clock was set back.
func TestCronOnce(t *testing.T) {
	m := newCronMachine(t, cronTasks)
	m.ends = map[string]int{"report": 0, "backup": 0, "sync": 0}
	m.next(func(st *app.State) { st.Cron = map[string]string{app.CronTimezone: "UTC"} })
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	agents := []*cron.Scheduler{m.scheduler(), m.scheduler(), m.scheduler()}
	for _, s := range agents {
		m.look(s, noon.Add(-time.Minute))
	}
	var wg sync.WaitGroup
	for _, s := range agents {
		wg.Go(func() { m.look(s, noon.Add(3*time.Second)) })
	}
	wg.Wait()
	m.started("three agents", 2)

	s := agents[0]
	m.look(s, noon.Add(10*time.Minute))
	for _, back := range []time.Duration{9 * time.Minute, 0, 10*time.Minute + time.Second} {
		m.look(s, noon.Add(back))
		m.look(m.scheduler(), noon.Add(back))
	}
	m.started("set back by minutes", 4)
	m.look(s, noon.Add(20*time.Minute))
	// A clock that was wrong by a day: tasks go on, and the minutes that ran do not run again.
	m.look(s, noon.AddDate(0, 0, 1))
	m.look(s, noon.Add(19*time.Minute))
	m.look(s, noon.Add(20*time.Minute))
	m.look(s, noon.Add(30*time.Minute))
	if got := m.history(); !slices.Contains(got, "12:30 report --all: exit code 0") {
		t.Errorf("the clock was corrected: %q", got)
	}
	m.started("at last", 10) // two tasks at 12:00, 12:10, 12:20, 12:30 and a day later
}

// started fails unless so many runs have started, each once.
func (m *cronMachine) started(when string, want int) {
	m.t.Helper()
	m.once()
	if len(m.runs) != want {
		m.t.Errorf("%s: the runs are %v, want %d", when, slices.Sorted(maps.Keys(m.runs)), want)
	}
}

// TestCronKilled kills the agent before each change of a minute with a run, and starts
// another one in the same minute: the task does not start twice, and its run has an end.
func TestCronKilled(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for k := 1; ; k++ {
		m := newCronMachine(t, `{"cron": [{"command": "report", "schedule": "0 12 * * *"}]}`)
		m.ends = map[string]int{"report": 0}
		m.next(func(st *app.State) { st.Cron = map[string]string{app.CronTimezone: "UTC"} })
		m.look(m.scheduler(), noon.Add(-time.Minute))
		ctx, die := context.WithCancel(context.Background())
		names := m.dieBefore(k, die)
		s := m.scheduler()
		s.Now = func() time.Time { return noon.Add(time.Second) }
		s.Look(ctx)
		s.Wait()
		die()
		killed := m.powered() != nil
		m.visit = nil
		m.turnOn()
		for at := range 3 {
			m.look(m.scheduler(), noon.Add(time.Duration(2+at)*time.Second))
			m.settle()
		}
		where := fmt.Sprintf("killed before change %d of %q", k, *names)
		if t.Failed() || m.runs[mapsOnly(m.runs)] > 1 || len(m.runs) > 1 {
			t.Fatalf("%s: the runs are %v", where, m.runs)
		}
		history := m.history()
		if len(history) != 1 || strings.HasSuffix(history[0], "running") || m.containers() != nil {
			t.Fatalf("%s: %q, containers %q", where, history, m.containers())
		}
		if !killed {
			if history[0] != "12:00 report: exit code 0" || k < 5 {
				t.Errorf("undisturbed after %d changes: %q", k, history)
			}
			t.Logf("killed before each of %d changes: %q", k-1, *names)
			return
		}
	}
}

// dieBefore cuts the power before change k, and ends all that waits. names are the changes.
func (m *cronMachine) dieBefore(k int, die func()) (names *[]string) {
	names = &[]string{}
	m.visit = func(name string) error {
		m.machine.mu.Lock()
		defer m.machine.mu.Unlock()
		if m.dead {
			return errDead
		}
		if *names = append(*names, name); len(*names) == k {
			m.dead = true
			die()
			return errDead
		}
		return nil
	}
	return names
}

// mapsOnly is the only key of a map; "": it has none.
func mapsOnly(m map[string]int) string {
	for k := range m {
		return k
	}
	return ""
}

// TestCronRecordedFirst: the record of a run, and its name, are on the disk before its
// container starts.
func TestCronRecordedFirst(t *testing.T) {
	m := newCronMachine(t, `{"cron": [{"command": "report", "schedule": "0 12 * * *"}]}`)
	m.ends = map[string]int{"report": 0}
	m.next(func(st *app.State) { st.Cron = map[string]string{app.CronTimezone: "UTC"} })
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	m.look(m.scheduler(), noon.Add(-time.Minute))
	var mu sync.Mutex
	synced := map[string]bool{}
	m.server.Env.Store.Disk.Watch = func(op disk.Op) {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind == disk.Sync {
			synced[op.Path] = true
		}
	}
	started := false
	m.engine.Fail(func(call string, args ...any) error {
		if call != "Start" {
			return nil
		}
		s, ok := args[0].(engine.Spec)
		if !ok || s.Kind != engine.KindCron {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		started = true
		dir := m.server.Env.Store.File("shop", "cron")
		if !synced[dir+"/"+s.CronRun+".json"] || !synced[dir] {
			t.Errorf("it starts before its record is on the disk: %v", synced)
		}
		return nil
	})
	m.look(m.scheduler(), noon)
	if !started {
		t.Error("it has not started")
	}
}

// cronDue is when the task of a row of the matrix is due.
var cronDue = time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC)

// cronMinute is the agent's look at an app in a minute in which a task is due. The current
// release gets the task first.
func (m *machine) cronMinute(ctx context.Context) error {
	a, err := m.server.Env.Store.Load("shop")
	if err != nil {
		return err
	}
	r := *a.Current
	r.RunsCron, r.Files = true, maps.Clone(r.Files)
	r.Files[app.FileAppJSON] = `{"cron": [{"command": "tidy", "schedule": "CRON_TZ=UTC 0 0 29 2 *"}]}`
	data, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(m.server.Env.Store.File("shop", "releases", fmt.Sprint(r.Number)+".json"), data, 0o600)
	}
	if err != nil {
		return err
	}
	m.lookCron(ctx, cronDue.Add(-time.Minute), cronDue)
	return errors.Join(ctx.Err(), m.powered())
}

// lookCron is a new agent's look at each of some times.
func (m *machine) lookCron(ctx context.Context, times ...time.Time) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute) // a machine without power never answers
	defer cancel()
	s := &cron.Scheduler{Server: m.server}
	for _, at := range times {
		s.Now = func() time.Time { return at }
		s.Look(ctx)
	}
	s.Wait()
}

// cronOnce returns an error if the task has started twice, or if a run of it has no end.
func (r *rig) cronOnce(name string) error {
	runs, err := r.server.Env.Store.Runs(name)
	if err == nil && (r.crons > 1 || len(runs) > 1 || len(runs) == 1 && !runs[0].Over()) {
		err = fmt.Errorf("the task has started %d times, the runs are %+v", r.crons, runs)
	}
	return err
}
