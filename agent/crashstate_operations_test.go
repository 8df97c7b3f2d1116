package agent

import (
	"context"
	"errors"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/event"
)

// crashOperations are those of the matrix, and some more.
func crashOperations(h history) []crashOperation {
	ctx, none := context.Background(), event.Log{}
	var list []crashOperation
	for _, op := range matrixOperations(ctx, h) {
		base := "deployed"
		if op.name == firstPush {
			base = "fresh"
		}
		list = append(list, crashOperation{op, base})
	}
	add := func(base, name string, do func(*machine) error) {
		list = append(list, crashOperation{operation{name: name, do: do}, base})
	}
	add("none", "apps:create", func(m *machine) error { return m.server.Create(ctx, "shop", false) })
	add("none", "a push that makes the app", func(m *machine) error {
		return errors.Join(m.server.Create(ctx, "shop", true), m.pushTo(ctx, "shop", zeroID, h.one, none))
	})
	add("old git", "a push with git before 2.36", func(m *machine) error { return m.pushTo(ctx, "shop", h.one, h.two, none) })
	add("deployed", "a rejected push", func(m *machine) error {
		m.engine.Behave(func(s engine.Spec) engine.Behaviour {
			return engine.Behaviour{Exits: s.Release > 1, Code: 1}
		})
		err := m.pushTo(ctx, "shop", h.one, h.two, none)
		m.engine.Behave(behaviour)
		if err == nil {
			return errors.New("it was not rejected")
		}
		return nil
	})
	add("deployed", "nginx:set", func(m *machine) error {
		return m.server.Update(ctx, "shop", "nginx:set", none, func(st *State) error {
			st.Nginx = map[string]string{"client-max-body-size": "5m"}
			return nil
		})
	})
	add("deployed", "git:set", func(m *machine) error {
		return m.server.Update(ctx, "shop", "git:set", none, func(st *State) error { st.DeployBranch = "live"; return nil })
	})
	add("deployed", "apps:lock", func(m *machine) error { return m.server.SetLocked(ctx, "shop", true, none) })
	return list
}

// A crashOperation is an operation, and the machine that it begins on.
type crashOperation struct {
	operation
	base string
}

// crashBases are machines to begin on. What a push brings is not there before.
func crashBases(t *testing.T) (map[string]*machine, history) {
	all := newHistory(t)
	h := history{dir: t.TempDir(), one: all.one, two: all.two}
	git(t, h.dir, "clone", "-q", all.dir, ".")
	git(t, h.dir, "reset", "-q", "--hard", h.one)
	bases := map[string]*machine{"deployed": newMachine(t, h), "old git": newMachine(t, h), "fresh": newMachine(t, h), "none": newMachine(t, h)}
	packs := map[string]pack{h.two: newPack(t, h, h.two, h.one)}
	for name, m := range bases {
		m.packs, m.oldGit = packs, name == "old git"
	}
	for _, name := range []string{"fresh", "none"} {
		bases[name].packs = map[string]pack{h.one: newPack(t, h, h.one)}
		check(t, bases[name].server.Destroy(t.Context(), "shop", event.Log{}))
	}
	check(t, bases["fresh"].server.Create(t.Context(), "shop", false))
	return bases, h
}
