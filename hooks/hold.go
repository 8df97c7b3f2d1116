package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A hold marks a running push to an app: a shared flock on <root>/.dokku/pushes/<app>,
// which the kernel releases however the wrapper ends. A wrapper removes the app that
// its push created only while no other push has a hold: that push may be the first
// that git accepts, and its git may not have started yet. The file is never removed:
// processes that lock different files of the same name do not exclude each other.
type hold struct{ f *os.File }

// takeHold waits while another wrapper removes the app.
func takeHold(ctx context.Context, root, app string) (*hold, error) {
	dir := filepath.Join(root, ".dokku", "pushes")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot begin a push to %s: %w", app, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, app), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot begin a push to %s: %w", app, err)
	}
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		if err == nil {
			return &hold{f}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("cannot begin a push to %s: %w", app, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("cannot begin a push to %s: %w", app, context.Cause(ctx))
		case <-t.C:
		}
	}
}

// alone reports whether this is the only push to the app. If so, no other push begins
// until release; if not, the hold may be lost. Call it last.
func (h *hold) alone() bool {
	return unix.Flock(int(h.f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

func (h *hold) release() { h.f.Close() }
