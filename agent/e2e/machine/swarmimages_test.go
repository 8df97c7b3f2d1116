package machine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
)

// TestSwarmImages: nodes keep the images of all kept releases, and nobody asks them about an app
// that is busy: they may have pulled an image whose release is not written yet.
func TestSwarmImages(t *testing.T) {
	m, h := newSwarm(t)
	before := m.current().Remote
	check(t, m.push(h.one, h.two))
	m.settle()
	var asked [][]string
	m.engine.Fail(func(call string, args ...any) error {
		if call == "PruneNodes" {
			asked = append(asked, args[1].([]string))
		}
		return nil
	})
	check(t, m.server.PruneNodes(t.Context(), event.Log{}))
	if len(asked) != 1 || !slices.Contains(asked[0], before) || !slices.Contains(asked[0], m.current().Remote) {
		t.Errorf("the nodes keep %q, and not %q and %q", asked, before, m.current().Remote)
	}
	l, free, err := m.server.Env.Store.TryLock("shop", "a push")
	if err != nil || !free {
		t.Fatal(free, err)
	}
	defer l.Release()
	check(t, m.server.PruneNodes(t.Context(), event.Log{}))
	if len(asked) != 1 {
		t.Errorf("a busy app is not left alone: %q", asked[1:])
	}
}

// pruned returns what nodes are told to remove from now on: repositories, and what stays.
func (m *machine) pruned() func() string {
	var asked []string
	m.engine.Fail(func(call string, args ...any) error {
		if call == "PruneNodes" {
			asked = append(asked, fmt.Sprintf("%q but %d", args[0], len(args[1].([]string))))
		}
		return nil
	})
	return func() string {
		text := strings.Join(asked, "; ")
		asked = nil
		return text
	}
}

// TestImagesOfGoneApps: the nodes lose the images of an app that was destroyed, those that do
// not answer later, and those of a new app of that name never.
func TestImagesOfGoneApps(t *testing.T) {
	m, _ := newSwarm(t)
	asked := m.pruned()
	check(t, m.server.PruneGone(t.Context(), event.Log{}))
	if got := asked(); got != "" {
		t.Errorf("images of an app are removed: %s", got)
	}
	const gone = `["registry.test/dokku/shop"] but 0`
	m.engine.SetPruned(engine.Pruned{Left: 1}) // a node is down
	check(t, m.server.Destroy(t.Context(), "shop", event.Log{}))
	if got := asked(); got != gone {
		t.Errorf("apps:destroy asks for %s", got)
	}
	m.engine.SetPruned(engine.Pruned{})
	for _, want := range []string{gone, ""} {
		check(t, m.server.PruneGone(t.Context(), event.Log{}))
		if got := asked(); got != want {
			t.Errorf("the agent asks for %q, want %q", got, want)
		}
	}

	check(t, m.server.Env.Store.NoteNodeImages(t.Context(), "registry.test/dokku/shop"))
	check(t, m.server.Create(t.Context(), "shop", false))
	check(t, m.server.PruneGone(t.Context(), event.Log{}))
	if got := asked(); got != "" {
		t.Errorf("images of a new app are removed: %s", got)
	}
}

// pushTwice pushes two versions, twice.
func (m *machine) pushTwice(h history) {
	m.t.Helper()
	for range 2 {
		check(m.t, m.push(h.one, h.two))
		m.settle()
		check(m.t, m.push(h.two, h.one))
		m.settle()
	}
}

// TestImagesOfFormerPlaces: nodes also lose the images of an app that has left the swarm, has got
// another registry, or was never accepted.
func TestImagesOfFormerPlaces(t *testing.T) {
	m, h := newSwarm(t)
	asked := m.pruned()
	check(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerLocal, true, event.Log{}))
	m.settle()
	m.pushTwice(h) // so that no kept release is one of the swarm
	asked()
	for _, want := range []string{`["registry.test/dokku/shop"] but 0`, ""} {
		check(t, m.server.PruneNodes(t.Context(), event.Log{}))
		if got := asked(); got != want {
			t.Errorf("after its move: %q, want %q", got, want)
		}
	}

	m, h = newSwarm(t)
	check(t, m.server.Update(t.Context(), "shop", deploy.Op{Name: "registry:set"}, event.Log{}, func(st *app.State) error {
		st.Registry = map[string]string{app.PropImageRepo: "other"}
		return nil
	}))
	asked = m.pruned()
	check(t, m.server.PruneGone(t.Context(), event.Log{}))
	if got := asked(); got != "" {
		t.Errorf("a kept release loses its image: %s", got)
	}
	m.pushTwice(h)
	asked()
	check(t, m.server.PruneGone(t.Context(), event.Log{}))
	if got := asked(); got != `["registry.test/dokku/shop"] but 0` {
		t.Errorf("after a change of its registry: %q", got)
	}

	m.engine.Fail(func(call string, args ...any) error {
		if call == "Start" {
			return errors.New("no")
		}
		return nil
	})
	if m.push(h.one, h.two) == nil {
		t.Error("the push is accepted")
	}
	noted, err := m.server.Env.Store.NodeImages()
	if err != nil || !slices.Contains(noted, "registry.test/other") {
		t.Errorf("noted are %q, %v", noted, err)
	}
}
