package swarm

import (
	"encoding/json"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"dokku/agent/engine"
)

// FuzzGroups: whatever a swarm says of its services, tasks and nodes, each service is a bounded
// number of processes with a name, an index and a state of their own.
func FuzzGroups(f *testing.F) {
	for _, page := range []map[string]any{large()} {
		for _, n := range []int{1} {
			services, tasks := page["services"].([]swarm.Service)[:n], page["tasks"].([]swarm.Task)[:n]
			s, err := json.Marshal(services)
			if err != nil {
				f.Fatal(err)
			}
			t, err := json.Marshal(tasks)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(s, t, []byte(`[{"ID":"n","Name":"a","State":"down"}]`))
		}
	}
	for _, members := range []string{"-1", "1000000000", "x", "3"} {
		f.Add([]byte(`[{"ID":"s","Spec":{"Labels":{"com.dokku.members":"`+members+`","com.dokku.first":"-5"}}}]`),
			[]byte(`[{"ID":"t","ServiceID":"s","Slot":1,"Status":{"State":"running"}},{"ID":"","ServiceID":"s","Slot":-1},{"ServiceID":"s","Slot":2},{"ServiceID":"s","Slot":2}]`), []byte(`[]`))
	}
	f.Add([]byte(`[{"ID":"s","Spec":{"Mode":{"Replicated":{"Replicas":18446744073709551615}}}}]`), []byte(`[]`), []byte(`[]`))
	e := &Engine{silent: map[string]bool{}}
	f.Fuzz(func(t *testing.T, services, tasks, nodes []byte) {
		var s state
		if json.Unmarshal(services, &s.services) != nil || json.Unmarshal(tasks, &s.tasks) != nil || json.Unmarshal(nodes, &s.nodes) != nil {
			return
		}
		if len(s.services) > 3 || len(s.tasks) > 50 { // each service may be 10,000 processes
			return
		}
		total := 0
		for _, g := range e.groups(s) {
			total += len(g.members)
			for n, m := range g.members {
				if m.Index < 1 || m.Restarts < 0 || m.Status == "" || m.Group != g.ID || n > 0 && m.Index != g.members[n-1].Index+1 {
					t.Errorf("%+v", m.Instance)
				}
				if m.Status == engine.StatusRunning && m.task.ID == "" {
					t.Errorf("%+v runs without a task", m.Instance)
				}
			}
		}
		if most := maxMembers * len(s.services); total > most {
			t.Errorf("%d processes of %d services", total, len(s.services))
		}
	})
}
