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

// The wrapper around git receive-pack and the hooks share a pipe, which git passes on
// as an open descriptor. Hooks write their progress to it. When it has no writer left,
// the wrapper knows that every process of the push has ended; when it has no reader
// left, a hook knows that the wrapper was killed.
const (
	pushFD    = 3
	pushFDEnv = "DOKKU_PUSH_FD"
)

// A mark is how far a push got.
type mark byte

const (
	markNone     mark = 0   // git ran no hook
	markBegun    mark = 'b' // pre-receive has begun
	markRejected mark = 'r' // pre-receive has cleaned up, the ref will not move
	markAccepted mark = 'a' // pre-receive exits with 0, and git moves the ref
	markSettled  mark = 's' // post-receive has finished the deploy
	markFailed   mark = 'f' // post-receive has failed and printed why
)

// marks is the wrapper's end of the pipe.
type marks struct {
	mu    sync.Mutex
	last  mark
	ended chan struct{} // closed when all processes of the push have ended
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

// A marker is a hook's end of the pipe; nil without a wrapper, as in a push to a path.
type marker struct{ f *os.File }

// openMarker takes over the pipe, so that child processes of the hook do not get it.
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

// wrapperGone returns a channel that is closed when the wrapper has ended or ctx is
// done; nil without a wrapper.
func (m *marker) wrapperGone(ctx context.Context) <-chan struct{} {
	if m == nil {
		return nil
	}
	return hangup(ctx, m.f)
}

// hangup returns a channel that is closed when f has no reader left or ctx is done. It
// reads and writes nothing. A file that cannot hang up only follows ctx.
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
