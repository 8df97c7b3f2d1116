package machine

import (
	"strings"
	"sync"
	"testing"

	"dokku/agent/agenttest"
	"dokku/agent/disk"
	"dokku/agent/event"
)

// TestReconcileSecures: a ref that does not deploy becomes durable as well.
func TestReconcileSecures(t *testing.T) {
	m := newMachine(t, newHistory(t))
	agenttest.Leave(t, m.server.Env.Store.Dir("shop"), "refs/heads/feature/x")
	synced := map[string]bool{}
	var mu sync.Mutex
	m.server.Env.Store.Disk.Watch = func(op disk.Op) {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind == disk.Sync {
			synced[strings.TrimPrefix(op.Path, m.server.Env.Store.Dir("shop"))] = true
		}
	}
	check(t, m.server.Reconcile(t.Context(), "shop", event.Log{}))
	for _, folder := range []string{"", "/objects/pack", "/refs", "/refs/heads", "/refs/heads/feature"} {
		if !synced[folder] {
			t.Errorf("%q is not synced, only %v", folder, synced)
		}
	}
}
