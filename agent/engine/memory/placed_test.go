package memory_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
)

// onSwarm returns an engine that manages a swarm of three nodes.
func onSwarm(t *testing.T) *memory.Engine {
	t.Helper()
	m := memory.New()
	if err := m.InitCluster(t.Context(), "10.0.0.1"); err != nil {
		t.Fatal(err)
	}
	m.Swarm().Add("node2", "10.0.0.2", map[string]string{"zone": "b"})
	m.Swarm().Add("node3", "10.0.0.3", map[string]string{"zone": "b"})
	return m
}

// placed is the Spec of a process of shop for a swarm.
func placed(t *testing.T, m *memory.Engine, typ string, index, count int) engine.Spec {
	t.Helper()
	id := m.SetImage("shop", engine.ImageInfo{ID: "sha256:one"}).ID
	remote, err := m.Push(t.Context(), id, "registry.test/shop:1", engine.RegistryAuth{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Spec{App: "shop", Kind: engine.KindDeploy, Type: typ, Index: index, Release: 1, Attempt: "a", Name: "shop." + typ, Image: id, Port: 5000,
		Placement: &engine.Placement{Count: count, Image: remote}}
}

func where(t *testing.T, m *memory.Engine, typ, want string) {
	t.Helper()
	if got := strings.Join(m.Placed("shop", typ), " "); got != want {
		t.Errorf("placed %s, want %s", got, want)
	}
}

// TestPlaced: a group is spread over the nodes, moves away from those that are lost or
// drained, grows, and ends as a whole.
func TestPlaced(t *testing.T) {
	m := onSwarm(t)
	i, err := m.Start(t.Context(), placed(t, m, "web", 2, 3))
	if err != nil {
		t.Fatal(err)
	}
	if i.Node != "node2" || i.Reach(5000).String() != "10.0.0.2:30001" || !i.Placed() || !i.Running() {
		t.Errorf("web.2 is %+v", i)
	}
	where(t, m, "web", "web.1@10.0.0.1 web.2@node2 web.3@node3")
	if _, _, err := m.Exec(t.Context(), i.ID, []string{"true"}); err != nil {
		t.Errorf("exec on another node: %v", err)
	}
	copied := m.Clone()

	m.Swarm().Die("node2", true)
	if _, _, err := m.Exec(t.Context(), i.ID, []string{"true"}); !errors.Is(err, engine.ErrElsewhere) {
		t.Errorf("exec on a lost node: %v", err)
	}
	if i, _ = m.Instance(t.Context(), i.ID); i.Status != engine.StatusLost {
		t.Errorf("on a dead node it is %s", i.Status)
	}
	m.Swarm().Die("node2", false)
	if i, _ = m.Instance(t.Context(), i.ID); !i.Running() {
		t.Errorf("back, it is %s", i.Status)
	}
	m.Swarm().Die("node2", true)
	m.Swarm().Reschedule()
	where(t, m, "web", "web.1@10.0.0.1 web.2@10.0.0.1 web.3@node3")
	m.Swarm().Die("node2", false)
	if err := m.SetAvailability(t.Context(), "node3", engine.NodeDrained); err != nil {
		t.Fatal(err)
	}
	where(t, m, "web", "web.1@10.0.0.1 web.2@10.0.0.1 web.3@node2")

	if _, err := m.Start(t.Context(), placed(t, m, "web", 4, 4)); err != nil {
		t.Fatal(err)
	}
	if got := len(m.Placed("shop", "web")); got != 4 {
		t.Errorf("it grows to %d", got)
	}
	if err := m.Stop(t.Context(), i.ID, 0); err != nil {
		t.Fatal(err)
	}
	o, err := m.Observe(t.Context(), "shop")
	if err != nil || slices.ContainsFunc(o.Instances, engine.Instance.Running) || len(o.Instances) != 4 {
		t.Errorf("stopped, they are %+v, %v", o.Instances, err)
	}
	if err := m.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: i.ID}); err != nil {
		t.Fatal(err)
	}
	if o, _ = m.Observe(t.Context(), "shop"); len(o.Instances) != 0 {
		t.Errorf("removed, they are %+v", o.Instances)
	}
	where(t, copied, "web", "web.1@10.0.0.1 web.2@node2 web.3@node3") // a copy goes its own way
	copied.Swarm().Die("node3", true)
	if o, _ = copied.Observe(t.Context(), "shop"); o.Instances[2].Status != engine.StatusLost {
		t.Errorf("the copy has %+v", o.Instances[2])
	}
}

// TestPlacedNowhere: without a node, and with one that cannot pull, nothing is left.
func TestPlacedNowhere(t *testing.T) {
	m := onSwarm(t)
	start := func(change func(*engine.Placement)) error {
		s := placed(t, m, "web", 1, 3)
		change(s.Placement)
		for index := 1; index <= 3; index++ {
			s.Index = index
			if _, err := m.Start(t.Context(), s); err != nil {
				return err
			}
		}
		return nil
	}
	for want, change := range map[error]func(*engine.Placement){
		engine.ErrNoPlace:    func(p *engine.Placement) { p.Constraints, p.MaxPerNode = []string{"node.labels.zone == b"}, 1 },
		engine.ErrCannotPull: func(p *engine.Placement) { p.Image = "registry.test/shop@sha256:other" },
	} {
		if err := start(change); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		for _, i := range observed(t, m) {
			if err := m.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: i.ID}); err != nil {
				t.Fatal(err)
			}
		}
	}
	m.Swarm().FailPulls("node3", errors.New("connection refused"))
	if err := start(func(*engine.Placement) {}); !errors.Is(err, engine.ErrCannotPull) || !strings.Contains(err.Error(), "web.3 on node3: ") {
		t.Error(err)
	}
}

func observed(t *testing.T, m *memory.Engine) []engine.Instance {
	t.Helper()
	o, err := m.Observe(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	return o.Instances
}

// TestPlacedUnseen: a manager without a quorum says that it does not see them.
func TestPlacedUnseen(t *testing.T) {
	m := onSwarm(t)
	if _, err := m.Start(t.Context(), placed(t, m, "web", 1, 1)); err != nil {
		t.Fatal(err)
	}
	token, err := m.JoinToken(t.Context(), engine.RoleManager, false)
	if err != nil {
		t.Fatal(err)
	}
	other := memory.New()
	if err := other.Join(m.Swarm(), "10.0.0.4", token); err != nil {
		t.Fatal(err)
	}
	other.Die(true)
	o, err := m.Observe(t.Context(), "shop")
	if err != nil || !errors.Is(o.Unseen, engine.ErrNoQuorum) || len(o.Instances) != 0 {
		t.Errorf("without a quorum: %+v, %v", o, err)
	}
	if _, err := m.Start(t.Context(), placed(t, m, "web", 1, 1)); !errors.Is(err, engine.ErrNoQuorum) {
		t.Errorf("a start: %v", err)
	}
	other.Die(false)
	if o, err = m.Observe(t.Context(), "shop"); err != nil || o.Unseen != nil || len(o.Instances) != 1 {
		t.Errorf("with a quorum again: %+v, %v", o, err)
	}
}
