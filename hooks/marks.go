package hooks

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// The wrapper around git receive-pack and the hooks below it share a pipe that
// git passes on unknowingly. A hook writes on it how far it got; that it has no
// writer left tells the wrapper that every process of the push has ended, and
// that it has no reader left tells a hook that the wrapper was killed.
const (
	pushFD    = 3
	pushFDEnv = "DOKKU_PUSH_FD"
)

// A mark is how far a push got.
type mark byte

const (
	markNone     mark = 0   // no hook was run
	markBegun    mark = 'b' // pre-receive has begun
	markRejected mark = 'r' // pre-receive has cleaned up, the ref will not move
	markAccepted mark = 'a' // pre-receive ends with 0: git goes on to move the ref
	markSettled  mark = 's' // post-receive has done its work
	markFailed   mark = 'f' // post-receive has not, and has said why
)

// marks is the wrapper's end of the pipe.
type marks struct {
	mu    sync.Mutex
	last  mark
	ended chan struct{} // closed when no process of the push is left
}

func readMarks(r io.Reader) *marks {
	m := &marks{ended: make(chan struct{})}
	go func() {
		defer close(m.ended)
		in := bufio.NewReader(r)
		for {
			b, err := in.ReadByte()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.last = mark(b)
			m.mu.Unlock()
		}
	}()
	return m
}

// reached returns the last mark.
func (m *marks) reached() mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// A marker is a hook's end of the pipe; nil where no wrapper stands above, as
// in a push to a path.
type marker struct{ f *os.File }

// openMarker takes over the pipe, so that nothing that the hook starts holds it.
func openMarker(env Env) *marker {
	if env.Getenv(pushFDEnv) == "" {
		return nil
	}
	os.Unsetenv(pushFDEnv)
	var st unix.Stat_t
	if unix.Fstat(pushFD, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil
	}
	unix.CloseOnExec(pushFD)
	return &marker{os.NewFile(pushFD, "push")}
}

func (m *marker) set(k mark) {
	if m != nil {
		m.f.Write([]byte{byte(k)})
	}
}

// wrapperGone returns a channel that is closed when the wrapper has ended, or
// ctx is done. Without a wrapper it is nil.
func (m *marker) wrapperGone(ctx context.Context) <-chan struct{} {
	if m == nil {
		return nil
	}
	return hangup(ctx, m.f)
}

// hangup returns a channel that is closed when nobody is left to read what is
// written to f, or when ctx is done. It reads and writes nothing. A file that
// cannot hang up never does.
func hangup(ctx context.Context, f *os.File) <-chan struct{} {
	gone := make(chan struct{})
	fd := int32(f.Fd())
	go func() {
		defer close(gone)
		for ctx.Err() == nil {
			// A hangup wakes poll at once; the timeout is for ctx.
			fds := []unix.PollFd{{Fd: fd}}
			n, err := unix.Poll(fds, 200)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
			if n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
				return
			}
		}
	}()
	return gone
}
