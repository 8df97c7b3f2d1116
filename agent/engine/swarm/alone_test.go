package swarm

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/engine/node"
)

// TestAlone: an engine that is in no swarm is asked for processes there once a minute, and at once
// when something is placed.
func TestAlone(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("API-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/services"):
			asked.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write([]byte(`{"message":"This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again."}`))
		case strings.HasSuffix(r.URL.Path, "/info"):
			w.Write([]byte(`{"Swarm":{"LocalNodeState":"inactive"}}`))
		default:
			w.Write([]byte("[]"))
		}
	}))
	t.Cleanup(s.Close)
	d, err := docker.New(docker.Config{Host: "tcp://" + s.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "keys")
	e := Beside(d, Config{Keys: node.Keys{Dir: keys}})
	looks := func(want int32) {
		t.Helper()
		for range 3 {
			if _, err := e.observe(t.Context(), ""); !errors.Is(err, engine.ErrNoCluster) {
				t.Fatal(err)
			}
		}
		if got := asked.Load(); got != want {
			t.Errorf("the engine was asked %d times, want %d", got, want)
		}
	}
	looks(1)
	e.aloneAt = time.Now().Add(-2 * aloneFor)
	looks(2)
	if err := os.Mkdir(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	looks(5)
}
