package machine

import (
	"context"
	"os"
	"testing"
	"time"

	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/store"
	"dokku/agent/watch"
)

// TestAgentFixesAbandonedCommand: a command is killed while it holds the app's lock.
// No file and no event tells of it. The agent cleans up at its next look, before the
// next sweep of all apps. It fails if the agent forgets that a lock was held.
func TestAgentFixesAbandonedCommand(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the agent ends with: %v", err)
		}
	}()
	images := func() (n int) {
		o, err := m.engine.Observe(ctx, "shop")
		if err != nil {
			t.Fatal(err)
		}
		return len(o.Images)
	}
	kept := images()
	m.engine.SetImage("shop", engine.ImageInfo{ID: "sha256:first"})
	go func() { ended <- watch.Run(ctx, m.server, event.Log{}) }()
	eventually(t, "the agent has looked at all apps", func() bool { return images() == kept })

	var l *store.Lock
	eventually(t, "the command has the lock", func() (ok bool) {
		l, ok, _ = m.server.Env.Store.TryLock("shop", "ps:rebuild")
		return ok
	})
	m.engine.SetImage("shop", engine.ImageInfo{ID: "sha256:second"})
	l.F.Close() // as the kernel does for a killed process
	eventually(t, "the image of the killed command is gone", func() bool { return images() == kept })
	eventually(t, "the agent has given back the lock", func() bool { return !m.server.Env.Store.LockInUse("shop") })
}

// TestAbandonedLock: the next holder of a lock that was never released cleans up first.
func TestAbandonedLock(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.engine.SetImage("shop", engine.ImageInfo{ID: "sha256:left"})
	nothing := func(*deploy.Session) error { return nil }
	for _, test := range []struct {
		Lock string
		want int
	}{{"", 2}, {`{"pid":1}`, 1}, {"", 1}} {
		if test.Lock != "" {
			if err := os.WriteFile(m.server.Env.Store.Own("locks", "shop"), []byte(test.Lock), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.server.Env.With(t.Context(), "shop", deploy.Op{Name: "a test"}, event.Log{}, nothing); err != nil {
			t.Fatal(err)
		}
		if o, _ := m.engine.Observe(t.Context(), "shop"); len(o.Images) != test.want {
			t.Errorf("lock %q: images %v, want %d", test.Lock, o.Images, test.want)
		}
	}
}

// TestAbandonedLockIsPassedOn: a command that takes an abandoned lock without touching
// the app's processes does not hide it from the agent.
func TestAbandonedLockIsPassedOn(t *testing.T) {
	m := newMachine(t, newHistory(t))
	l, ok, err := m.server.Env.Store.TryLock("shop", "ps:rebuild")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	l.F.Close()
	for range 2 {
		if l, ok, err = m.server.Env.Store.TryLock("shop", "packing the repository"); err != nil || !ok {
			t.Fatal(ok, err)
		}
		l.Release()
		if !m.server.Env.Store.LockInUse("shop") {
			t.Fatal("the agent has no cause to look")
		}
	}
	m.settle()
	if m.server.Env.Store.LockInUse("shop") {
		t.Error("the agent looks again and again")
	}
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}
