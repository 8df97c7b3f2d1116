package machine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/proc"
	"dokku/agent/store"
)

// TestHooksTurn: what waits for the lock of a push leaves an accepted deploy to the push's
// own hooks, which tell the pusher. If they are gone, the next operation does all of the
// rest: the route, postdeploy, the log, the record and the event. Its own end is its own.
func TestHooksTurn(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h) // deploy 1, v1
	ctx := t.Context()
	dead := m.server.Env.Owner // of the git of the pushes
	accepted := func(old, new string) {
		t.Helper()
		objects, err := m.receive("shop", m.packs[new])
		m.must(err)
		m.must(m.server.Prepare(ctx, deploy.Push{App: "shop", Refs: []deploy.Ref{{Old: old, New: new, Name: "refs/heads/main"}}, Objects: objects}, event.Log{}))
		m.must(m.accept("shop", new, m.packs[new], objects))
	}
	ended := func(n int) {
		t.Helper()
		d, err := m.server.Env.Store.Deploy("shop", n)
		m.must(err)
		if d.State != app.DeployDone || d.Release != n || d.Ended.IsZero() ||
			!slices.ContainsFunc(d.Phases, func(p app.Phase) bool { return p.Name == "postdeploy" }) {
			t.Errorf("the record of deploy %d is %+v", n, d)
		}
		if log := m.deployLog(n); strings.Count(log, "Application deployed in") != 1 {
			t.Errorf("the log of deploy %d is\n%s", n, log)
		}
		if list := m.events(t, journal.Deploy); len(list) != n || list[n-1].Deploy != n || list[n-1].Release != n {
			t.Errorf("the events after deploy %d are %+v", n, list)
		}
	}

	m.server.Env.Owner = proc.This
	accepted(h.one, h.two)
	var busy *store.BusyError
	err := m.server.Env.With(ctx, "shop", deploy.Op{Name: "ps:scale", NoWait: true}, event.Log{}, func(*deploy.Session) error { return nil })
	if !errors.As(err, &busy) {
		t.Errorf("an operation in the hooks' turn: %v", err)
	}
	m.must(m.server.Reconcile(ctx, "shop", event.Log{}))
	ended(2)

	m.server.Env.Owner = dead
	accepted(h.two, h.one)
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		if s.Release > 3 {
			return memory.Behaviour{Exits: true, Code: 1}
		}
		return behaviour(s)
	})
	if m.server.Rebuild(ctx, "shop", event.Log{}) == nil {
		t.Error("a rebuild whose processes end is accepted")
	}
	ended(3)
	if d := m.lastDeploy(); d.Number != 4 || d.State != app.DeployRejected {
		t.Errorf("the record of the rebuild is %+v", d)
	}
}
