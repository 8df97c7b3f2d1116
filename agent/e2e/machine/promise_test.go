package machine

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/plan"
	"dokku/agent/watch"
)

// TestNewerState: a state of a newer version is refused and not overwritten.
func TestNewerState(t *testing.T) {
	m := newMachine(t, newHistory(t))
	path := m.server.Env.Store.File("shop", "state.json")
	newer := []byte(`{"version": 2, "config": {"A": "b"}, "later": true}`)
	if err := os.WriteFile(path, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	err := m.server.SetConfig(t.Context(), "shop", map[string]string{"A": "c"}, nil, false, event.Log{})
	if err == nil || !strings.Contains(err.Error(), "has version 2, this dokku knows up to 1") {
		t.Errorf("error %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != string(newer) {
		t.Errorf("the state was overwritten:\n%s", got)
	}
}

// TestValidName: names become paths, so none may lead out of the root.
func TestValidName(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a..b", "a/b", "../a", "/a", ".dokku", "_server", "A", "a b", "a\n", "a.git", strings.Repeat("a", 64)} {
		if app.ValidName(name) == nil {
			t.Errorf("%q is taken for a name", name)
		}
	}
	for _, name := range []string{"a", "0", "a.b-c", strings.Repeat("a", 63)} {
		if err := app.ValidName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestBackoff: the agent waits longer after each failure, and resets the wait after a
// success.
func TestBackoff(t *testing.T) {
	m := newMachine(t, newHistory(t))
	w := &watch.Controller{Server: m.server, Apps: map[string]*watch.Watched{}, Slots: make(chan struct{}, 1)}
	look := func() time.Duration {
		w.Slots <- struct{}{}
		w.Wg.Add(1)
		w.ReconcileApp(t.Context(), "shop", false)
		w.Wg.Wait()
		return time.Until(w.Apps["shop"].Due).Round(time.Second)
	}
	m.engine.Fail(func(string, ...any) error { return errors.New("it fails") })
	var waits []time.Duration
	for range 10 {
		waits = append(waits, look())
	}
	want := []time.Duration{2, 4, 8, 16, 32, 64, 128, 256, 300, 300}
	for n := range want {
		want[n] *= time.Second
	}
	if !slices.Equal(waits, want) {
		t.Errorf("it waits %v, want %v", waits, want)
	}
	m.engine.Fail(nil)
	look()
	if b := w.Apps["shop"].Backoff; b != 0 {
		t.Errorf("after a success it still waits %s after a failure", b)
	}
}

// TestScaleTrustsNothingLeft: a failed ps:scale may leave a process that never passed
// the gate. The next ps:scale replaces it.
func TestScaleTrustsNothingLeft(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ctx := context.Background()
	a, err := m.server.Env.Store.Load("shop")
	if err != nil {
		t.Fatal(err)
	}
	w := plan.Observation{}
	if w.Observed, err = m.engine.Observe(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	w.Network = w.Networks[0]
	left, err := m.engine.Start(ctx, engine.Spec{App: "shop", Kind: engine.KindDeploy, Type: "web", Index: 3,
		Release: a.Current.Number, Attempt: a.Current.Attempt, Name: "shop.web.3." + a.Current.Attempt,
		Image: a.Current.Image, Port: a.Current.Port, Address: plan.NextAddress(w.Network, plan.Taken(w))})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.server.Scale(ctx, "shop", map[string]int{"web": 3}, false, event.Log{}); err != nil {
		t.Fatal(err)
	}
	m.settle()
	all, _ := m.engine.Observe(ctx, "shop")
	if slices.ContainsFunc(all.Instances, func(i engine.Instance) bool { return i.ID == left.ID }) {
		t.Error("what was left serves")
	}
	if err := m.atRest(); err != nil {
		t.Error(err)
	}
}

// TestRejectedConfig: the config of a rejected config:set is not stored by a later
// write, here the cleanup after a container that has ended in the meantime.
func TestRejectedConfig(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ctx := context.Background()
	err := m.server.Env.Store.UpdateSettings(ctx, func(s *app.Settings) error { s.Checks["wait-to-retire"] = "60"; return nil })
	if err = errors.Join(err, m.server.Restart(ctx, "shop", event.Log{})); err != nil {
		t.Fatal(err)
	}
	a, err := m.server.Env.Store.Load("shop")
	if err != nil || len(a.State.Retiring) == 0 {
		t.Fatalf("nothing retires: %+v, %v", a, err)
	}
	m.engine.Behave(func(s engine.Spec) memory.Behaviour { return memory.Behaviour{Exits: true, Code: 1} })
	var once sync.Once
	m.visit = func(name string) error {
		if name == "Start" {
			once.Do(func() {
				for id := range a.State.Retiring {
					m.engine.Exit(id, 0)
				}
			})
		}
		return nil
	}
	if err := m.server.SetConfig(ctx, "shop", map[string]string{"A": "b"}, nil, true, event.Log{}); err == nil {
		t.Error("it is done, although nothing came up")
	}
	after, err := m.server.Env.Store.Load("shop")
	if err != nil || len(after.State.Config) > 0 || len(after.State.Retiring) > 0 {
		t.Errorf("stored are the config %v and retiring %v (%v)", after.State.Config, after.State.Retiring, err)
	}
}
