package doorstest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"
)

// pipe returns both ends of a connection with buffers: in ssh, both sides write first, for
// which net.Pipe has no room.
func pipe(here, there net.Addr) (a, b net.Conn) {
	x, y := newStream(), newStream()
	return &end{in: x, out: y, own: here, peer: there}, &end{in: y, out: x, own: there, peer: here}
}

// A stream is one direction of a pipe.
type stream struct {
	mu     sync.Mutex
	more   *sync.Cond
	data   bytes.Buffer
	closed bool
}

func newStream() *stream {
	s := &stream{}
	s.more = sync.NewCond(&s.mu)
	return s
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.more.Broadcast()
}

// An end is one end of a pipe. It has no deadlines.
type end struct {
	in, out   *stream
	own, peer net.Addr
}

func (e *end) Read(p []byte) (int, error) {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	for e.in.data.Len() == 0 {
		if e.in.closed {
			return 0, io.EOF
		}
		e.in.more.Wait()
	}
	return e.in.data.Read(p)
}

func (e *end) Write(p []byte) (int, error) {
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	if e.out.closed {
		return 0, net.ErrClosed
	}
	e.out.more.Broadcast()
	return e.out.data.Write(p)
}

func (e *end) Close() error {
	e.in.close()
	e.out.close()
	return nil
}

func (e *end) LocalAddr() net.Addr              { return e.own }
func (e *end) RemoteAddr() net.Addr             { return e.peer }
func (e *end) SetDeadline(time.Time) error      { return nil }
func (e *end) SetReadDeadline(time.Time) error  { return nil }
func (e *end) SetWriteDeadline(time.Time) error { return nil }
