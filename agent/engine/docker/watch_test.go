package docker_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/engine/enginetest"
)

// relay stands between a client and the engine and can be taken away.
type relay struct {
	path, engine string // sockets

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

func (r *relay) up(t *testing.T) {
	t.Helper()
	l, err := net.Listen("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.listener = l
	r.mu.Unlock()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", r.engine)
			if err != nil {
				client.Close()
				return
			}
			r.mu.Lock()
			r.conns = append(r.conns, client, server)
			r.mu.Unlock()
			go io.Copy(server, client)
			go io.Copy(client, server)
		}
	}()
}

func (r *relay) down() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listener.Close()
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}

// TestDockerWatchReconnects: after an outage of the engine, watchers are told to look at
// everything, and get later events.
func TestDockerWatchReconnects(t *testing.T) {
	t.Parallel()
	direct := newDocker(t)
	r := &relay{
		path:   filepath.Join(t.TempDir(), "docker.sock"),
		engine: strings.TrimPrefix(direct.Client().DaemonHost(), "unix://"),
	}
	r.up(t)
	d, err := docker.New(docker.Config{Host: "unix://" + r.path})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	events, ended := make(chan engine.Event), make(chan error, 1)
	go func() { ended <- d.Watch(ctx, events) }()
	next := func(want func(engine.Event) bool) {
		t.Helper()
		late := time.After(time.Minute)
		for {
			select {
			case e := <-events:
				if want(e) {
					return
				}
			case <-late:
				t.Fatal("the event does not arrive")
			}
		}
	}
	connected := func(e engine.Event) bool { return e == engine.Event{Action: engine.ActionConnected} }
	for range 2 {
		next(connected)
		r.down()
		if _, err := os.Stat(r.path); err == nil {
			t.Error("the relay is still there")
		}
		if _, err := d.Observe(t.Context(), "hello"); err == nil {
			t.Error("the engine answers while it is away")
		}
		r.up(t)
	}
	next(connected)
	app := appName(t)
	i := deploy(t, direct, app, enginetest.Program{}, nil)
	next(func(e engine.Event) bool {
		return e.App == app && e.ID == i.ID && e.Action == engine.ActionStart && time.Since(e.At).Abs() < time.Minute
	})
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Errorf("Watch returns %v", err)
	}
	r.down()
}
