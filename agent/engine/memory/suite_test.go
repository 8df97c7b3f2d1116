package memory_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/engine"
	"dokku/agent/engine/enginetest"
	"dokku/agent/engine/memory"
)

// TestMemoryPlaced runs the suite for processes that a swarm places, on one of three managers.
func TestMemoryPlaced(t *testing.T) {
	enginetest.RunPlaced(t, placedFixture(t))
}

func placedFixture(t *testing.T) enginetest.PlacedFixture {
	t.Helper()
	m := memory.New()
	var programs programs
	m.Behave(func(s engine.Spec) memory.Behaviour {
		b := programs.behaviour(s)
		b.Exec = func([]string) (string, int) { // the suite's one command prints the process's name
			at := slices.IndexFunc(s.Env, func(pair string) bool { return strings.HasPrefix(pair, "DYNO=") })
			return strings.TrimPrefix(s.Env[at], "DYNO=") + "\n", 3
		}
		return b
	})
	m.Patience(2 * time.Second)
	if err := m.InitCluster(t.Context(), "10.0.0.1"); err != nil {
		t.Fatal(err)
	}
	token, err := m.JoinToken(t.Context(), engine.RoleManager, false)
	if err != nil {
		t.Fatal(err)
	}
	swarm := m.Swarm()
	for _, address := range []string{"10.0.0.2", "10.0.0.3"} {
		if err := memory.New().Join(swarm, address, token); err != nil {
			t.Fatal(err)
		}
	}
	id := m.SetImage("", engine.ImageInfo{Ports: []int{8080}}, "suite:1").ID
	remote, err := m.Push(t.Context(), id, "registry.test/suite:1", engine.RegistryAuth{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := enginetest.PlacedFixture{Host: m, Image: id, Remote: remote, Missing: "registry.test/suite@sha256:none", Command: programs.command,
		Elapse: func(*testing.T) { swarm.Reschedule() }}
	for n, address := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		dies := func(_ *testing.T, yes bool) { swarm.Die(address, yes) }
		f.Nodes[n] = enginetest.PlacedNode{Name: address, Address: address, Cut: dies, Die: dies}
	}
	return f
}
