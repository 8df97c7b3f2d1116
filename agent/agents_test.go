package agent

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"dokku/agent/event"
)

// TestOneAgent: a second agent on a root ends at once, and the first goes on.
func TestOneAgent(t *testing.T) {
	m := newMachine(t, newHistory(t))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { first <- Run(ctx, m.server, event.Log{}) }()
		synctest.Wait()
		second := &Server{Env: &Env{Store: &Store{Root: m.root}, host: m.engine, proxy: m.proxy}}
		if err := Run(ctx, second, event.Log{}); err == nil || !strings.Contains(err.Error(), "another agent runs on "+m.root) {
			t.Errorf("a second agent: %v", err)
		}
		select {
		case err := <-first:
			t.Errorf("the first agent ends: %v", err)
		default:
		}
		cancel()
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}

// TestAppsAtTheSameTime: the agent works on several apps at the same time, and on no
// more than parallelApps: after a reboot all of them are due at once.
func TestAppsAtTheSameTime(t *testing.T) {
	m := newMachine(t, newHistory(t))
	for n := range 2 * parallelApps {
		check(t, m.server.Create(t.Context(), fmt.Sprintf("app%d", n), false))
	}
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		busy, most := 0, 0
		seen, release := map[any]bool{}, make(chan struct{})
		m.engine.Fail(func(call string, args ...any) error {
			mu.Lock()
			if call != "Observe" || seen[args[0]] {
				mu.Unlock()
				return nil
			}
			seen[args[0]] = true
			busy++
			most = max(most, busy)
			mu.Unlock()
			<-release
			mu.Lock()
			busy--
			mu.Unlock()
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- Run(ctx, m.server, event.Log{}) }()
		synctest.Wait()
		if busy != parallelApps {
			t.Errorf("it works on %d apps at the same time, want %d", busy, parallelApps)
		}
		close(release)
		// The bubble's clock goes on while everybody waits.
		late, stop := context.WithTimeout(ctx, 10*tick)
		defer stop()
		<-late.Done()
		mu.Lock()
		if len(seen) != 2*parallelApps+1 {
			t.Errorf("it has looked at %d apps", len(seen))
		}
		mu.Unlock()
		if most > parallelApps {
			t.Errorf("it has worked on %d apps at the same time", most)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
