package machine

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/store"
)

// TestLockKeepsItsHolder: a refused command leaves the lock and its text alone, and
// the lock's holder continues.
func TestLockKeepsItsHolder(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	var printed strings.Builder
	term := event.NewTerminal(&printed, &printed, false)
	synctest.Test(t, func(t *testing.T) {
		l, ok, err := m.server.Env.Store.TryLock("shop", "ps:restart")
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		defer l.Release()
		before, err := os.ReadFile(m.server.Env.Store.Own("locks", "shop"))
		if err != nil || !strings.Contains(string(before), "ps:restart") {
			t.Fatalf("the lock says %q (%v)", before, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*store.ShortWait)
		defer cancel()
		if err := m.pushTo(ctx, "shop", h.one, h.two, event.New(term)); err == nil {
			t.Error("a push goes through beside a restart")
		}
		after, err := os.ReadFile(m.server.Env.Store.Own("locks", "shop"))
		if err != nil || string(after) != string(before) {
			t.Errorf("the lock says %q, and said %q (%v)", after, before, err)
		}
	})
	term.Close()
	if want := "Waiting for shop: it is busy with ps:restart, process "; !strings.Contains(printed.String(), want) {
		t.Errorf("it prints\n%s\nwant %q", &printed, want)
	}
}

// TestShortWaitIsSilent: a wait for the agent's short looks prints nothing.
func TestShortWaitIsSilent(t *testing.T) {
	m := newMachine(t, newHistory(t))
	var printed strings.Builder
	term := event.NewTerminal(&printed, &printed, false)
	synctest.Test(t, func(t *testing.T) {
		l, ok, err := m.server.Env.Store.TryLock("shop", "the agent")
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		got := make(chan error)
		go func() {
			other, err := m.server.Env.Store.LockApp(t.Context(), "shop", "ps:scale", event.New(term))
			if err == nil {
				other.Release()
			}
			got <- err
		}()
		synctest.Wait()
		l.Release()
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
	term.Close()
	if printed.Len() > 0 {
		t.Errorf("it prints %q", &printed)
	}
}

// TestAbortedScaling: ps:scale does not report processes that failed to start.
func TestAbortedScaling(t *testing.T) {
	m := newMachine(t, newHistory(t))
	before, err := m.server.Env.Store.Load("shop")
	if err != nil {
		t.Fatal(err)
	}
	m.engine.Behave(func(s engine.Spec) memory.Behaviour { return memory.Behaviour{Exits: s.Index > 2, Code: 1} })
	if err := m.server.Scale(t.Context(), "shop", map[string]int{"web": 4}, false, event.Log{}); err == nil {
		t.Fatal("processes that end at once are accepted")
	}
	after, err := m.server.View("shop")
	if err != nil {
		t.Fatal(err)
	}
	was, err := after.With(before.State).Formation()
	if err != nil {
		t.Fatal(err)
	}
	f, err := after.Formation()
	if err != nil || !slices.Equal(f, was) {
		t.Errorf("the formation is %v, and was %v (%v)", f, was, err)
	}
	if err := m.atRest(); err != nil {
		t.Error(err)
	}
}
