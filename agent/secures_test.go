package agent

import (
	"dokku/agent/agenttest"
	"dokku/agent/disk"
	"dokku/agent/event"
	"strings"
	"sync"
	"testing"
)

// TestReconcileSecures: a ref that does not deploy is made durable as well.
func TestReconcileSecures(t *testing.T) {
	m := newMachine(t, newHistory(t))
	agenttest.Leave(t, m.server.Store.dir("shop"), "refs/heads/feature/x")
	synced := map[string]bool{}
	var mu sync.Mutex
	m.server.Store.disk.Watch = func(op disk.Op) {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind == disk.Sync {
			synced[strings.TrimPrefix(op.Path, m.server.Store.dir("shop"))] = true
		}
	}
	check(t, m.server.Reconcile(t.Context(), "shop", event.Log{}))
	for _, folder := range []string{"", "/objects/pack", "/refs", "/refs/heads", "/refs/heads/feature"} {
		if !synced[folder] {
			t.Errorf("%q is not synced, only %v", folder, synced)
		}
	}
}
