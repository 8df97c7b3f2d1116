package store

import (
	"context"
	"fmt"
	"os"

	"dokku/agent/disk"
)

// A Hold marks a running push to an app: a shared flock on <root>/.dokku/pushes/<app>,
// which the kernel releases however its holder ends. An app that a push created is
// removed only under the exclusive lock: a push with a hold may be the first that git
// accepts, and its git may not have started yet. The file of an app that does not exist is
// removed by its only holder (Forget); one who waited for it begins again with a new one,
// since processes that lock different files of the same name do not exclude each other.
type Hold struct{ f *os.File }

// HoldPush waits while another process removes the app.
func (s *Store) HoldPush(ctx context.Context, app string) (*Hold, error) {
	for {
		h, err := s.openHold(app)
		if err == nil {
			if err = disk.WaitLock(ctx, h.f, disk.Shared); err != nil {
				h.Release()
			}
		}
		if err != nil {
			return nil, fmt.Errorf("cannot begin a push to %s: %w", app, err)
		}
		if disk.Linked(h.f, h.f.Name()) {
			return h, nil
		}
		h.Release()
	}
}

// HoldOff keeps pushes to the app from beginning until Release. ok is false while a push
// runs.
func (s *Store) HoldOff(app string) (h *Hold, ok bool, err error) {
	if h, err = s.openHold(app); err != nil {
		return nil, false, err
	}
	if !h.Alone() || !disk.Linked(h.f, h.f.Name()) { // a push has ended just now
		h.Release()
		return nil, false, nil
	}
	return h, true, nil
}

// Forget removes the file of the hold if this is the only hold on the app. The caller knows
// that the app does not exist, and releases the hold next.
func (h *Hold) Forget() {
	if h.Alone() {
		os.Remove(h.f.Name())
	}
}

func (s *Store) openHold(app string) (*Hold, error) {
	if err := os.MkdirAll(s.Own("pushes"), 0o700); err != nil {
		return nil, err
	}
	f, err := disk.OpenLock(s.Own("pushes", app), 0o600)
	return &Hold{f}, err
}

// Alone reports whether this is the only hold on the app. If so, no push begins until
// Release; if not, this hold may be lost. Call it last.
func (h *Hold) Alone() bool {
	free, _ := disk.TryLock(h.f, disk.Exclusive)
	return free
}

// Release gives the hold up.
func (h *Hold) Release() { h.f.Close() }
