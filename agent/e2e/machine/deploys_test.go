package machine

import (
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// TestDeployRecords: every deploy leaves a record of what became of it, and the last 20
// stay.
func TestDeployRecords(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h) // deploy 1, v1
	ctx := t.Context()
	last := func() *app.Deploy {
		t.Helper()
		numbers := m.server.Env.Store.DeployLogs("shop")
		d, err := m.server.Env.Store.Deploy("shop", numbers[len(numbers)-1])
		m.must(err)
		return d
	}
	first := last()
	var names []string
	for _, p := range first.Phases {
		names = append(names, p.Name)
	}
	if first.Number != 1 || first.State != app.DeployDone || first.Release != 1 || first.Cause != "push" || first.Revision != h.one || first.Ended.Before(first.Began) {
		t.Errorf("the first deploy: %+v", first)
	}
	for _, want := range []string{"validate", "build", "predeploy", "release", "start", "gate", "publish"} {
		if !strings.Contains(strings.Join(names, " "), want) {
			t.Errorf("the phase %s is missing in %q", want, names)
		}
	}

	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		return memory.Behaviour{Exits: s.Kind == engine.KindRelease || s.Release > 1, Code: map[bool]int{true: 3}[s.Type == "worker"]}
	})
	if m.push(h.one, h.two) == nil {
		t.Fatal("the push is accepted")
	}
	m.engine.Behave(behaviour)
	if d := last(); d.State != app.DeployRejected || d.Release != 0 || d.Number != 2 || !strings.Contains(d.Error, "exited with code") {
		t.Errorf("a rejected deploy: %+v", d)
	}

	m.must(m.push(h.one, h.two))
	m.must(m.server.Rebuild(ctx, "shop", event.Log{}))
	if d := last(); d.State != app.DeployDone || d.Cause != "ps:rebuild" || d.Release != 3 || d.Number != 4 {
		t.Errorf("a rebuild: %+v", d)
	}
	for range 20 {
		m.must(m.server.Rebuild(ctx, "shop", event.Log{}))
	}
	if numbers := m.server.Env.Store.DeployLogs("shop"); len(numbers) != 20 || numbers[0] != 5 {
		t.Errorf("the logs of %v are kept", numbers)
	}
	if _, err := m.server.Env.Store.Deploy("shop", 4); err == nil {
		t.Error("the record of deploy 4 is kept without its log")
	}
}
