package machine

import (
	"maps"
	"strings"
	"testing"

	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/build/source"
)

// foresee pushes with the option plan, and returns what that prints.
func (m *machine) foresee(old, new string) string {
	m.t.Helper()
	var printed strings.Builder
	term := event.NewTerminal(&printed, &printed, false)
	err := m.server.Prepare(m.t.Context(), deploy.Push{App: "shop", Refs: []deploy.Ref{{Old: old, New: new, Name: "refs/heads/main"}},
		Objects: source.Options{GitDir: m.server.Env.Store.Dir("shop")}, Options: deploy.PushOptions{Plan: true}}, event.New(term))
	term.Close()
	if err == nil || !strings.HasSuffix(err.Error(), "plan only: nothing was built, and nothing has changed") {
		m.t.Errorf("the plan ends with %v", err)
	}
	return printed.String()
}

// TestPlanChangesNothing: a plan neither builds nor starts, stops, stores or routes
// anything, and leaves the lock free, whatever state the app is in.
func TestPlanChangesNothing(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	tip := h.one
	for _, state := range []struct {
		name string
		make func()
		want []string
	}{
		{"serving", func() {}, []string{"=====> Plan of shop v2: ", "v1 (" + h.one[:7] + ") serves", "web: 2 -> 2 (ps:scale)", "worker: 1 -> 1 (ps:scale)",
			"Starts web.1 web.2 worker.1", "Stops web.1 web.2 worker.1 of v1", "http:80:8080 (as now, unless the image exposes another one)"}},
		{"rolled back", func() {
			m.must(m.push(h.one, h.two))
			m.must(m.server.Rollback(ctx, "shop", 0, false, event.Log{}))
			tip = h.two
		}, []string{"serves since a rollback from " + h.two[:7] + ": this push ends that"}},
		{"stopped", func() { m.must(m.server.Stop(ctx, "shop", event.Log{})) }, []string{"shop is stopped", "This push starts shop", "web: 0 -> 2 (ps:scale)"}},
		{"locked", func() { m.must(m.server.SetLocked(ctx, "shop", true, event.Log{})) },
			[]string{" !     shop is locked, so a push is rejected: dokku apps:unlock shop"}},
	} {
		t.Run(state.name, func(t *testing.T) {
			state.make()
			m.settle()
			files, logs := m.files(), m.server.Env.Store.DeployLogs("shop")
			m.count, m.names = 0, nil
			out := m.foresee(tip, h.one)
			for _, want := range state.want {
				if !strings.Contains(out, want) {
					t.Errorf("it prints\n%s\nwant %q", out, want)
				}
			}
			if m.count != 0 || !maps.Equal(files, m.files()) || len(m.server.Env.Store.DeployLogs("shop")) != len(logs) {
				t.Errorf("it makes the changes %q", m.names)
			}
			if m.server.Env.Store.LockInUse("shop") {
				t.Error("the lock is held")
			}
		})
	}
}
