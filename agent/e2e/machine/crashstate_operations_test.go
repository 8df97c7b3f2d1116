package machine

import (
	"testing"

	"dokku/agent/agenttest"
	"dokku/agent/event"
)

// crashBases are the machines to start from. They do not have the objects of later
// pushes yet.
func crashBases(t *testing.T) (map[string]*machine, history) {
	all := newHistory(t)
	h := history{dir: t.TempDir(), one: all.one, two: all.two, tar: all.tar}
	git(t, h.dir, "clone", "-q", all.dir, ".")
	git(t, h.dir, "reset", "-q", "--hard", h.one)
	h.pack = newPack(t, h, h.one)
	bases := map[string]*machine{"deployed": newMachine(t, h), "old git": newMachine(t, h), "fresh": newMachine(t, h), "none": newMachine(t, h), "served": newBase(t, h, agenttest.Served)}
	packs := map[string]pack{h.two: newPack(t, h, h.two, h.one)}
	for name, m := range bases {
		m.packs, m.oldGit = packs, name == "old git"
	}
	for _, name := range []string{"fresh", "none"} {
		bases[name].packs = map[string]pack{h.one: h.pack}
		check(t, bases[name].server.Destroy(t.Context(), "shop", event.Log{}))
	}
	check(t, bases["fresh"].server.Create(t.Context(), "shop", false))
	return bases, h
}
