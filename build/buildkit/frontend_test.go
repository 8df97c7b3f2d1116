package buildkit

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/docker/docker/client"

	"dokku/build"
)

// TestFrontendWritesNothing: a frontend's file is never on the disk, where a killed build
// would leave it.
func TestFrontendWritesNothing(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var mu sync.Mutex
	var asked int
	var seen []string
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		entries, _ := os.ReadDir(temp)
		for _, e := range entries {
			seen = append(seen, e.Name())
		}
		http.Error(w, `{"message":"refused"}`, http.StatusInternalServerError)
	}))
	defer engine.Close()
	cli, err := client.NewClientWithOpts(client.WithHost("tcp://"+engine.Listener.Addr().String()), client.WithVersion("1.41"))
	if err != nil {
		t.Fatal(err)
	}
	r := newRepo(t)
	s := r.open()
	c, err := s.Commit(r.Commit("", files{"main": "x"}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(Config{Client: func() *client.Client { return cli }}).SolveFrontend(t.Context(),
		build.Request{App: "hello", Source: s, Commit: c, Manifest: filepath.Join(t.TempDir(), "manifest")},
		Frontend{Image: "frontend:1", Name: "plan.json", Content: []byte("{}")})
	if mu.Lock(); err == nil || asked == 0 || len(seen) > 0 {
		t.Errorf("%v after %d requests; on the disk are %q", err, asked, seen)
	}
	mu.Unlock()
}
