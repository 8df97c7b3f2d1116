package fault

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/docker/docker/client"

	"dokku/agent/e2e/lab"
)

// An engineRelay stands between a lab and the machine's engine, which other tests
// use too, and makes it fail for the lab alone.
type relay struct {
	path   string
	docker *client.Client

	mu      sync.Mutex
	mode    relayMode
	changed chan struct{} // closed when mode changes
	conns   map[*relayed]bool
	met     int // how many calls have met the mode
}

type relayMode string

const (
	relayPass   relayMode = ""
	relayRefuse relayMode = "refuse" // connections end at once, also those that exist
	relayStall  relayMode = "stall"  // nothing gets through
	relayDrop   relayMode = "drop"   // the next call takes effect, and its answer is lost
)

// relayed is one connection through the relay.
type relayed struct {
	down, up net.Conn
	called   bool // something was sent to the engine since the mode changed
}

func (c *relayed) close() { c.down.Close(); c.up.Close() }

// newRelay listens in dir until the test ends.
func newRelay(t *testing.T, docker *client.Client, dir string) *relay {
	t.Helper()
	r := &relay{path: filepath.Join(dir, "engine.sock"), docker: docker, changed: make(chan struct{}), conns: map[*relayed]bool{}}
	l, err := net.Listen("unix", r.path)
	lab.Must(t, err)
	var wait sync.WaitGroup
	t.Cleanup(func() { l.Close(); r.set(relayRefuse); wait.Wait() })
	wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { r.serve(conn) })
		}
	})
	return r
}

// set changes how the relay behaves from now on.
func (r *relay) set(m relayMode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.mode, r.changed, r.met = m, make(chan struct{}), 0
	for c := range r.conns {
		c.called = false
		if m == relayRefuse {
			c.close()
		}
	}
}

// struck reports whether a call has met what set asked for.
func (r *relay) struck() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.met > 0
}

func (r *relay) serve(down net.Conn) {
	defer down.Close()
	if !r.admits() {
		return
	}
	up, err := r.docker.Dialer()(context.Background())
	if err != nil {
		return
	}
	c := &relayed{down: down, up: up}
	r.mu.Lock()
	r.conns[c] = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.conns, c)
		c.close()
	}()
	var wait sync.WaitGroup
	wait.Go(func() { r.copy(c, up, down, false) })
	r.copy(c, down, up, true)
	wait.Wait()
}

// admits reports whether a new connection is let in; while the engine stalls it
// waits.
func (r *relay) admits() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mode == relayRefuse {
		r.met++
	}
	return r.mode != relayRefuse
}

func (r *relay) copy(c *relayed, to, from net.Conn, answer bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && (!r.lets(c, answer) || write(to, buf[:n]) != nil) {
			c.close()
			return
		}
		if err == io.EOF {
			to.(interface{ CloseWrite() error }).CloseWrite()
			return
		}
		if err != nil {
			c.close()
			return
		}
	}
}

func write(to net.Conn, data []byte) error {
	_, err := to.Write(data)
	return err
}

// lets waits while the engine stalls, and is false when bytes are to be dropped,
// with their connection.
func (r *relay) lets(c *relayed, answer bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.mode == relayStall {
		r.met++
		changed := r.changed
		r.mu.Unlock()
		<-changed
		r.mu.Lock()
	}
	if !answer {
		c.called = true
	}
	if answer && r.mode == relayDrop && c.called && r.met == 0 {
		r.met++
		return false
	}
	return r.mode != relayRefuse
}
