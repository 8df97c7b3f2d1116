package hooks

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"dokku/agent/disk"
)

// A hold marks a running push to an app: a shared flock on <root>/.dokku/pushes/<app>,
// which the kernel releases however the wrapper ends. A wrapper removes the app that
// its push created only while no other push has a hold: that push may be the first
// that git accepts, and its git may not have started yet. The file is never removed:
// processes that lock different files of the same name do not exclude each other.
type hold struct{ f *os.File }

// takeHold waits while another wrapper removes the app.
func takeHold(ctx context.Context, root, app string) (h *hold, err error) {
	dir := filepath.Join(root, ".dokku", "pushes")
	if err = os.MkdirAll(dir, 0o700); err == nil {
		h = &hold{}
		h.f, err = disk.OpenLock(filepath.Join(dir, app), 0o600)
	}
	if err == nil {
		if err = disk.WaitLock(ctx, h.f, disk.Shared); err != nil {
			h.release()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot begin a push to %s: %w", app, err)
	}
	return h, nil
}

// alone reports whether this is the only push to the app. If so, no other push begins
// until release; if not, the hold may be lost. Call it last.
func (h *hold) alone() bool {
	free, _ := disk.TryLock(h.f, disk.Exclusive)
	return free
}

func (h *hold) release() { h.f.Close() }
