package memory_test

import (
	"strconv"
	"testing"

	"dokku/agent/engine/enginetest"
	"dokku/agent/engine/memory"
)

func TestMemoryClusters(t *testing.T) {
	t.Parallel()
	var f enginetest.ClusterFixture
	var first *memory.Engine
	for n := range f.Nodes {
		m, address := memory.New(), "10.0.0."+strconv.Itoa(n+1)
		if n == 0 {
			first = m
		}
		f.Nodes[n] = enginetest.ClusterNode{
			Clusters: m, Address: address,
			Join: func(t *testing.T, token string) {
				if err := m.Join(first.Swarm(), address, token); err != nil {
					t.Fatal(err)
				}
			},
			Die: func(_ *testing.T, dead bool) { m.Die(dead) },
		}
	}
	enginetest.RunClusters(t, f)
}
