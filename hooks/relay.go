package hooks

import (
	"io"
	"sync"
)

// backlog is how many bytes of git's output are kept for a client that does not read.
// A hook sends at most event.Limit; the rest is git's list of refs and its report.
const backlog = 32 << 20

// A relay passes bytes on through a buffer. Writing to it never blocks: a stalled client
// (Ctrl-Z) must not stop git or a hook that holds the app's lock. Bytes of git's
// protocol cannot be dropped, so a client that falls behind by more than the backlog
// counts as gone.
type relay struct {
	to   io.Writer
	lost func() // called once, when the client can no longer be reached

	mu      sync.Mutex
	changed *sync.Cond
	buf     []byte
	passing int // bytes being written
	failed  bool
	closed  bool
	done    chan struct{}
}

func newRelay(to io.Writer, lost func()) *relay {
	r := &relay{to: to, lost: lost, done: make(chan struct{})}
	r.changed = sync.NewCond(&r.mu)
	go r.run()
	return r
}

// Write queues p, or drops it once the client is lost. It never fails: the push ends
// the same with or without a client, so git need not know.
func (r *relay) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed && r.passing+len(r.buf)+len(p) > backlog {
		r.fail()
	}
	if !r.failed {
		r.buf = append(r.buf, p...)
		r.changed.Signal()
	}
	return len(p), nil
}

// fail gives the client up. The caller holds mu.
func (r *relay) fail() {
	if r.failed {
		return
	}
	r.failed, r.buf = true, nil
	r.changed.Signal()
	r.lost()
}

func (r *relay) run() {
	defer close(r.done)
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for len(r.buf) == 0 && !r.closed && !r.failed {
			r.changed.Wait()
		}
		if r.failed || len(r.buf) == 0 {
			return
		}
		chunk := r.buf
		r.buf, r.passing = nil, len(chunk)
		r.mu.Unlock()
		_, err := r.to.Write(chunk)
		r.mu.Lock()
		r.passing = 0
		if err != nil {
			r.fail()
		}
	}
}

// flush ends the relay and waits until the client has read everything, or
// until gone is closed.
func (r *relay) flush(gone <-chan struct{}) {
	r.mu.Lock()
	r.closed = true
	r.changed.Signal()
	r.mu.Unlock()
	select {
	case <-r.done:
	case <-gone:
	}
}
