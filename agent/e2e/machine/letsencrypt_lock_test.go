package machine

import (
	"context"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/store"
)

// TestCertificateWaits: a certificate that is issued while a build has the app's lock is
// not lost, and keeps no other app waiting. It comes into force after the build.
func TestCertificateWaits(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com")
	m.underAgent(t, "on-failure:2", func(t *testing.T) {
		var building *store.Lock
		ca.mu.Lock()
		ca.during = func() {
			var err error
			building, err = m.server.Env.Store.LockApp(t.Context(), "shop", "a long build", event.Log{})
			check(t, err)
		}
		ca.mu.Unlock()
		check(t, m.server.Update(t.Context(), "shop", setOp, event.Log{}, func(st *app.State) error { st.EnableACME(true); return nil }))
		pass(20 * time.Second)
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		free, err := m.server.Env.Store.LockOrders(soon, "other", event.Log{})
		check(t, err)
		free.Release()
		pass(10 * time.Minute)
		if got := m.covered(t); got != "" || building == nil {
			t.Errorf("during the build, served: %s", got)
		}
		building.Release()
		pass(10 * time.Second)
		if got := m.covered(t); got != "a.com" {
			t.Errorf("after the build, served: %s", got)
		}
		if got := ca.made(); got != "a.com" {
			t.Errorf("ordered: %s", got)
		}
	})
}
