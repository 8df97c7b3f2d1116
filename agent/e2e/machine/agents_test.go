package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/store"
	"dokku/agent/watch"
)

// TestOneAgent: a second agent on a root exits at once, and the first continues.
func TestOneAgent(t *testing.T) {
	m := newMachine(t, newHistory(t))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { first <- watch.Run(ctx, m.server, event.Log{}) }()
		synctest.Wait()
		second := &agent.Server{Env: &deploy.Env{Store: &store.Store{Root: m.root}, Machine: m.engine, Router: m.proxy}}
		if err := watch.Run(ctx, second, event.Log{}); err == nil || !strings.Contains(err.Error(), "another agent runs on "+m.root) {
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

// TestAppsAtTheSameTime: the agent works on several apps in parallel, but on at most
// parallelApps. After a reboot, all apps are due at once.
func TestAppsAtTheSameTime(t *testing.T) {
	m := newMachine(t, newHistory(t))
	for n := range 2 * watch.ParallelApps {
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
		go func() { ended <- watch.Run(ctx, m.server, event.Log{}) }()
		synctest.Wait()
		if busy != watch.ParallelApps {
			t.Errorf("it works on %d apps at the same time, want %d", busy, watch.ParallelApps)
		}
		close(release)
		// The bubble's clock advances while all goroutines wait.
		late, stop := context.WithTimeout(ctx, 10*watch.Tick)
		defer stop()
		<-late.Done()
		mu.Lock()
		if len(seen) != 2*watch.ParallelApps+1 {
			t.Errorf("it has looked at %d apps", len(seen))
		}
		mu.Unlock()
		if most > watch.ParallelApps {
			t.Errorf("it has worked on %d apps at the same time", most)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestAgentRemovesStaging: the running agent removes the folder of a killed command, and
// leaves that of one that runs.
func TestAgentRemovesStaging(t *testing.T) {
	m := newMachine(t, newHistory(t))
	runs, done, err := m.server.Env.Store.Staging("source-")
	check(t, err)
	defer done()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- watch.Run(ctx, m.server, event.Log{}) }()
		synctest.Wait()
		killed := m.server.Env.Store.Own("source-killed")
		check(t, os.MkdirAll(filepath.Join(killed, "objects"), 0o700))
		time.Sleep(30 * time.Second) // the bubble's
		synctest.Wait()
		if _, err := os.Stat(killed); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the folder of a killed command is there: %v", err)
		}
		_, err := os.Stat(runs)
		check(t, err)
		cancel()
		check(t, <-ended)
	})
}
