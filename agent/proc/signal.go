package proc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Cancelled returns a context that is done after the first signal, or when the reader of
// the output goes away, so that the caller can clean up. A second signal ends the
// program at once. The caller must call the returned function.
func Cancelled(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	// Keep catching SIGPIPE, because the clean-up may print too.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, unix.SIGPIPE)
	gone := readerGone(os.Stdout)
	go func() {
		select {
		case <-ctx.Done():
		case <-pipe:
		case <-gone:
		}
		stop()
		cancel()
	}()
	return ctx, func() { stop(); cancel() }
}

// readerGone returns a channel that is closed when the other end of a pipe or socket is
// closed.
func readerGone(f *os.File) <-chan struct{} {
	gone := make(chan struct{})
	info, err := f.Stat()
	if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) == 0 {
		return gone
	}
	go func() {
		for {
			fds := []unix.PollFd{{Fd: int32(f.Fd())}}
			n, err := unix.Poll(fds, -1)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err == nil && n > 0 {
				close(gone)
			}
			return
		}
	}()
	return gone
}
