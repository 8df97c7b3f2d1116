package swarm

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"dokku/agent/engine"
	"dokku/agent/engine/docker"
)

// manager is an engine that says it manages a swarm with what pages has, by the last part of
// their paths.
func manager(t testing.TB, pages map[string]any) *Engine {
	t.Helper()
	texts := map[string][]byte{}
	for name, page := range pages {
		text, raw := page.([]byte)
		var err error
		if !raw {
			text, err = json.Marshal(page)
		}
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = text
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("API-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		text, ok := texts[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
		if !ok {
			text = []byte("[]")
		}
		w.Write(text)
	}))
	t.Cleanup(s.Close)
	d, err := docker.New(docker.Config{Host: "tcp://" + s.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	return Beside(d, Config{})
}

// large is a swarm of 50 nodes with 1,000 processes in groups of ten.
func large() map[string]any {
	var services []swarm.Service
	var tasks []swarm.Task
	var nodes []swarm.Node
	for n := range 50 {
		node := swarm.Node{ID: fmt.Sprintf("node%021d", n), Status: swarm.NodeStatus{State: swarm.NodeStateReady, Addr: fmt.Sprintf("10.1.0.%d", n)}}
		node.Description.Hostname = fmt.Sprintf("node%d", n)
		nodes = append(nodes, node)
	}
	for n := range 100 {
		s := spec(func(s *engine.Spec) { s.App = fmt.Sprintf("app%d", n); s.Placement.Count = 10 })
		for k := range 40 {
			s.Env = append(s.Env, fmt.Sprintf("VARIABLE_%d=a value of some length for it", k))
		}
		made, err := service(s, "dokku_app", false)
		if err != nil {
			panic(err)
		}
		id := fmt.Sprintf("%025d", n)
		services = append(services, swarm.Service{ID: id, Spec: made})
		for slot := range 10 {
			tasks = append(tasks, swarm.Task{ID: fmt.Sprintf("task%021d", n*10+slot), ServiceID: id, Slot: slot + 1, NodeID: nodes[(n*10+slot)%50].ID, Spec: made.TaskTemplate,
				Meta:   swarm.Meta{CreatedAt: time.Now(), UpdatedAt: time.Now()},
				Status: swarm.TaskStatus{State: swarm.TaskStateRunning, PortStatus: swarm.PortStatus{Ports: []swarm.PortConfig{{PublishedPort: 32768, PublishMode: swarm.PortConfigPublishModeHost}}}}})
		}
	}
	return map[string]any{"services": services, "tasks": tasks, "nodes": nodes}
}

// TestLargeSwarm: all processes of a large swarm are found.
func TestLargeSwarm(t *testing.T) {
	t.Parallel()
	found, err := manager(t, large()).observe(t.Context(), "")
	if err != nil || len(found) != 1000 {
		t.Fatalf("%d processes, %v", len(found), err)
	}
	for _, i := range found {
		if !i.Running() || i.NodePort != 32768 || !i.Address.IsValid() {
			t.Fatalf("one is %+v", i)
		}
	}
}

// TestNoSwarm: an engine in no swarm has no placed processes, and that is no error.
func TestNoSwarm(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("API-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/services") {
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write([]byte(`{"message":"This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again."}`))
			return
		}
		w.Write([]byte("[]"))
	}))
	defer s.Close()
	d, err := docker.New(docker.Config{Host: "tcp://" + s.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	e, id := Beside(d, Config{}), strings.Repeat("a", idLength)+".1"
	if o, err := e.Observe(t.Context(), "shop"); err != nil || o.Unseen != nil {
		t.Errorf("it may have missed something: %v, %v", o.Unseen, err)
	}
	if _, err := e.Instance(t.Context(), id); !errors.Is(err, engine.ErrNoContainer) {
		t.Errorf("got %v", err)
	}
	if err := e.Stop(t.Context(), id, 0); err != nil {
		t.Error(err)
	}
	if err := e.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: id}); err != nil {
		t.Error(err)
	}
}

// BenchmarkLook measures a look at a large swarm, with the part of the manager that writes
// the answer.
func BenchmarkLook(b *testing.B) {
	e := manager(b, large())
	for b.Loop() {
		if _, err := e.observe(b.Context(), ""); err != nil {
			b.Fatal(err)
		}
	}
}
