package deploy

import (
	"net/netip"
	"testing"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// TestAilmentOnSwarm: a process that the swarm moves has not crashed, and one that it cannot
// start says why.
func TestAilmentOnSwarm(t *testing.T) {
	placed := engine.Instance{Type: "worker", Index: 1, Group: "g", Node: "node2", Address: netip.MustParseAddr("10.0.0.2")}
	for want, change := range map[string]func(*engine.Instance){
		"waits for a node of the swarm": func(i *engine.Instance) { i.Status = engine.StatusRestarting },
		"waits for a node of the swarm: the node cannot pull the image (node2)": func(i *engine.Instance) {
			i.Status, i.Restarts, i.Trouble = engine.StatusRestarting, 2, "the node cannot pull the image (node2)"
		},
		"waits for a node of the swarm: insufficient resources":     func(i *engine.Instance) { i.Status, i.Trouble = engine.StatusCreated, "insufficient resources" },
		"keeps ending with exit code 1, at least 4 restarts so far": func(i *engine.Instance) { i.Status, i.Restarts, i.ExitCode = engine.StatusRestarting, 4, 1 },
		"keeps ending with exit code 1, 4 restarts so far": func(i *engine.Instance) {
			i.Status, i.Restarts, i.ExitCode, i.Group = engine.StatusRestarting, 4, 1, ""
		},
	} {
		i := placed
		change(&i)
		if got := new(Env).Ailment(t.Context(), &app.Release{}, i); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
