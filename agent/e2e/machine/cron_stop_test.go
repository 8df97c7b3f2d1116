package machine

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// TestCronStop: a run that cron:stop has stopped is no failure, and the task goes on. What
// follows the run's log ends with it.
func TestCronStop(t *testing.T) {
	m := newCronMachine(t, cronTasks)
	m.ends = map[string]int{"sync": 0}
	run := m.mover().Run
	synctest.Test(t, func(t *testing.T) {
		m.machine.t = t
		stop := m.agent()
		pass(10*time.Minute + time.Second)
		runs, err := m.server.Env.Store.Runs("shop")
		check(t, err)
		id := ""
		for _, r := range runs {
			if r.Command == "report --all" {
				id = r.ID
			}
		}
		followed := make(chan string, 1)
		go func() {
			out, err := run(t.Context(), []string{"cron:logs", "shop", id, "-t"}, "")
			check(t, err)
			followed <- out
		}()
		synctest.Wait()
		if len(followed) > 0 {
			t.Errorf("the log ends before the run: %s", <-followed)
		}
		_, err = run(t.Context(), []string{"cron:stop", "shop", id}, "")
		check(t, err)
		if out := <-followed; !strings.Contains(out, "report --all ran\n") {
			t.Errorf("the followed log is %q", out)
		}
		pass(time.Second)
		m.want("stopped", m.history(), "00:10 report --all: stopped", "00:10 sync: exit code 0")
		m.want("containers", m.containers())
		if _, err := run(t.Context(), []string{"cron:stop", "shop", id}, ""); err == nil || !strings.Contains(err.Error(), "does not run: dokku cron:logs shop shows how it ended") {
			t.Errorf("stopped again: %v", err)
		}
		pass(10 * time.Minute)
		m.want("ten minutes later", m.history(), "00:10 report --all: stopped", "00:10 sync: exit code 0", "00:20 report --all: running", "00:20 sync: exit code 0")
		_, err = run(t.Context(), []string{"cron:stop", "shop", m.task("report --all").ID}, "")
		check(t, err)
		pass(time.Second)
		m.want("by the task", m.history(), "00:10 report --all: stopped", "00:10 sync: exit code 0", "00:20 report --all: stopped", "00:20 sync: exit code 0")
		stop()
		m.once()
	})
}

// TestCronEndsMeanwhile: a run that ends between a scheduler's look at the records and that at
// the containers keeps its outcome.
func TestCronEndsMeanwhile(t *testing.T) {
	m := newCronMachine(t, `{"cron": [{"command": "one", "schedule": "*/10 * * * *"}]}`)
	synctest.Test(t, func(t *testing.T) {
		m.machine.t = t
		stop := m.agent()
		pass(11 * time.Minute)
		stop()
		o, err := m.engine.Observe(t.Context(), "shop")
		check(t, err)
		ends := func() {
			runs, err := m.server.Env.Store.Runs("shop")
			check(t, err)
			runs[0].Outcome, runs[0].Ended = app.RunTimedOut, time.Now()
			check(t, m.server.Env.Store.SaveRun("shop", runs[0]))
			for _, i := range o.Instances {
				if i.Kind == engine.KindCron {
					check(t, m.engine.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: i.ID}))
				}
			}
		}
		var once sync.Once
		m.engine.Fail(func(call string, _ ...any) error {
			if call == "Observe" {
				once.Do(ends)
			}
			return nil
		})
		m.scheduler().Look(t.Context())
		m.want("runs", m.history(), "00:10 one: timed out")
	})
}
