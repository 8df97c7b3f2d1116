package buildkit

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/buildkit/session/filesync"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"dokku/build"
)

// The names under which the engine asks for the app's files and for its Dockerfile.
const (
	dirContext    = "context"
	dirDockerfile = "dockerfile"
)

// transfer is how far the app's files have been sent. The engine's steps do not tell:
// newer engines end the step of the transfer before it has begun.
type transfer struct {
	bytes atomic.Int64 // of files that the engine has asked for

	mu    sync.Mutex
	start time.Time
	open  int           // streams
	done  bool          // ended is closed
	ended chan struct{} // closed when the first stream has ended
}

func newTransfer() *transfer { return &transfer{ended: make(chan struct{})} }

func (t *transfer) sent() int64 { return t.bytes.Load() }

// sending reports whether files are being sent.
func (t *transfer) sending() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open > 0
}

// report notes in h what is known of the transfer.
func (t *transfer) report(h *build.Header) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h.BytesSent, h.Sending, h.Sent = t.sent(), t.open > 0, t.done && t.open == 0
}

// begun is when the first stream began.
func (t *transfer) begun() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.start
}

func (t *transfer) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open++; t.start.IsZero() {
		t.start = now
	}
}

func (t *transfer) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open--; t.open == 0 && !t.done {
		t.done = true
		close(t.ended)
	}
}

// fileServer is BuildKit's own, which tells a transfer of its streams.
type fileServer struct {
	filesync.FileSyncServer
	transfer *transfer
}

// Register implements session.Attachable.
func (s *fileServer) Register(server *grpc.Server) { filesync.RegisterFileSyncServer(server, s) }

// DiffCopy implements filesync.FileSyncServer.
func (s *fileServer) DiffCopy(stream filesync.FileSync_DiffCopyServer) error {
	if opts, _ := metadata.FromIncomingContext(stream.Context()); sendsContext(opts) {
		s.transfer.begin(time.Now())
		defer s.transfer.end()
	}
	return s.FileSyncServer.DiffCopy(stream)
}

// sendsContext reports whether a stream is for the app's files. Engines read
// .dockerignore alone under the same name.
func sendsContext(opts metadata.MD) bool {
	return slices.Equal(opts.Get("dir-name"), []string{dirContext}) &&
		!slices.Equal(opts.Get("followpaths"), []string{".dockerignore"})
}
