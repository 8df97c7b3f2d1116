package machine

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/watch"
)

// underAgent deploys shop again with a restart policy, and runs the agent in a bubble while
// f runs.
func (m *machine) underAgent(t *testing.T, policy string, f func(t *testing.T)) {
	t.Helper()
	err := m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
		set.PS = map[string]string{"restart-policy": policy}
		return nil
	})
	check(t, err)
	synctest.Test(t, func(t *testing.T) {
		check(t, m.server.Restart(t.Context(), "shop", event.Log{}))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- watch.Run(ctx, m.server, event.Log{}) }()
		pass(5 * time.Second)
		f(t)
		cancel()
		check(t, <-ended)
	})
}

// pass lets the bubble's clock advance.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// TestRestartsAreForgotten: crashes more than an hour apart never use up the restarts of a
// process. Others do.
func TestRestartsAreForgotten(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.underAgent(t, "on-failure:2", func(t *testing.T) {
		crash := func(want int, status engine.Status) {
			t.Helper()
			m.engine.Exit("shop.web.1", 3)
			i, err := m.engine.Instance(t.Context(), "shop.web.1")
			check(t, err)
			if i.Restarts != want || i.Status != status {
				t.Errorf("%d restarts and %s, want %d and %s", i.Restarts, i.Status, want, status)
			}
		}
		for range 3 {
			crash(1, engine.StatusRunning)
			pass(2 * time.Minute)
			m.engine.RunOut("shop.worker.1", false) // an event: the agent's sweeps do not meet the hour
			pass(58*time.Minute + 2*watch.Tick)     // no more than the agent needs to look
		}
		crash(1, engine.StatusRunning)
		pass(time.Hour - time.Minute)
		crash(2, engine.StatusRunning)
		crash(2, engine.StatusExited)
		pass(2 * time.Hour)
		i, err := m.engine.Instance(t.Context(), "shop.web.1")
		check(t, err)
		if i.Running() {
			t.Error("a process that has used up its restarts was started again")
		}
	})
}

// TestUnforgottenRestarts: an engine that cannot forget restarts keeps no command from its
// end. The command warns, and the agent tries again.
func TestUnforgottenRestarts(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.underAgent(t, "on-failure:2", func(t *testing.T) {
		m.engine.Exit("shop.web.1", 3)
		var works atomic.Bool
		m.engine.Fail(func(call string, _ ...any) error {
			if call == "ForgetRestarts" && !works.Load() {
				return errors.New("cannot update")
			}
			return nil
		})
		pass(time.Hour + 2*watch.Tick)
		var out bytes.Buffer
		if err := m.server.Scale(t.Context(), "shop", map[string]int{"worker": 2}, false, event.New(zerolog.SyncWriter(&out))); err != nil {
			t.Error(err)
		}
		if want := "Earlier restarts could not be forgotten; the agent will retry: cannot update"; !strings.Contains(out.String(), want) {
			t.Errorf("ps:scale says %s", out.String())
		}
		works.Store(true)
		pass(time.Hour)
		if i, err := m.engine.Instance(t.Context(), "shop.web.1"); err != nil || i.Restarts != 0 {
			t.Errorf("%d restarts, %v", i.Restarts, err)
		}
	})
}

// ends are the recorded ends of shop's processes, as logs shows them.
func (m *machine) ends(t *testing.T) (texts []string) {
	t.Helper()
	list, err := m.server.Env.Store.Ends("shop")
	check(t, err)
	for _, e := range list {
		texts = append(texts, e.Process+" "+e.Text("shop"))
	}
	return texts
}

// TestEndsAreRecorded: the agent records why and when a process ended, and nothing about the
// processes that operations end. A held lock does not keep it from that.
func TestEndsAreRecorded(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.next(func(st *app.State) { st.Isolation = app.IsolationOff }) // no limit of memory
	m.underAgent(t, "on-failure:2", func(t *testing.T) {
		none := event.Log{}
		check(t, m.server.Restart(t.Context(), "shop", none))
		check(t, m.server.Scale(t.Context(), "shop", map[string]int{"web": 1}, false, none))
		pass(5 * time.Second)
		check(t, m.server.Stop(t.Context(), "shop", none))
		pass(5 * time.Second)
		check(t, m.server.Start(t.Context(), "shop", none))
		pass(5 * time.Second)
		if got := m.ends(t); len(got) > 0 {
			t.Errorf("after operations there are %q", got)
		}

		l, err := m.server.Env.Store.LockApp(t.Context(), "shop", "a long build", none)
		check(t, err)
		began := time.Now()
		m.engine.Exit("shop.web.1", 3)
		pass(watch.Tick)
		m.engine.RunOut("shop.worker.1", false)
		pass(5 * time.Second)
		m.engine.RunOut("shop.web.1", true)
		pass(watch.Tick)
		m.engine.Exit("shop.worker.1", 137)
		m.engine.RunOut("shop.worker.1", false) // an engine may tell the end first
		pass(watch.Tick)
		m.engine.Exit("shop.web.1", 139)
		pass(watch.Tick)
		check(t, m.engine.Stop(t.Context(), "shop.worker.1", 0))
		pass(watch.Tick)
		l.Release()
		want := []string{
			"web.1 exited with 3, restarted (1 of 2)",
			"worker.1 one of its processes was killed: out of memory (it has no limit: the server's memory ran out)",
			"web.1 killed: out of memory (it has no limit: the server's memory ran out), restarted (2 of 2)",
			"worker.1 killed: out of memory (it has no limit: the server's memory ran out), restarted (1 of 2)",
			"web.1 exited with 139 (SIGSEGV); restarts used up (2): dokku ps:restart shop starts it again",
			"worker.1 exited with 0; not restarted (restart policy on-failure:2): dokku ps:restart shop starts it again",
		}
		if got := m.ends(t); !slices.Equal(got, want) {
			t.Errorf("got %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if list, err := m.server.Env.Store.Ends("shop"); err != nil || !list[0].At.Equal(began) {
			t.Errorf("it ended at %s, %v", list[0].At, err)
		}
	})
}

// TestEndsAreBounded: a process that ends again and again leaves its last ends.
func TestEndsAreBounded(t *testing.T) {
	m := newMachine(t, newHistory(t))
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range 203 {
		check(t, m.server.Env.Store.NoteEnd("shop", app.End{At: at.Add(time.Duration(n) * time.Minute), Container: "c", ExitCode: n}))
	}
	// One that is told apart later: its memory ran out.
	check(t, m.server.Env.Store.NoteEnd("shop", app.End{At: at.Add(5 * time.Minute), Container: "c", ExitCode: 5, OOMKilled: true}))
	list, err := m.server.Env.Store.Ends("shop")
	check(t, err)
	if len(list) != 200 || list[0].ExitCode != 3 || list[199].ExitCode != 202 || !list[2].OOMKilled {
		t.Errorf("%d ends are left, from %+v to %+v", len(list), list[0], list[len(list)-1])
	}
}
