package machine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

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
			pass(time.Hour + 2*watch.Tick) // no more than the agent needs to look
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
