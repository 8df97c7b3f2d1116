package agent

import (
	"context"
	"errors"
	"fmt"

	"dokku/agent/engine"
)

// Restored says that an app came from a backup. It appears stopped, in one rename
// with all it has, and is started then: whoever is killed in between leaves a whole
// app, which the agent starts.
type Restored struct {
	Backup string `json:"backup"` // which one
	// Pending: nothing was released since, so that the image of the current release
	// may not exist here.
	Pending bool `json:"pending,omitempty"`
	// Start: it ran when it was backed up, and is to run again.
	Start bool `json:"start,omitempty"`
}

// starts reports whether the app is to be started.
func (r *Restored) starts() bool { return r != nil && r.Start }

// left is r of an app that is not to be started by itself any longer.
func (r *Restored) left() *Restored {
	if !r.starts() {
		return r
	}
	return &Restored{Backup: r.Backup, Pending: r.Pending}
}

// restoring is the cause of the releases that revive makes.
const restoring = "restore"

// revive starts a restored app as a deploy would. It is tried once: an app that does
// not come up stays stopped, so that nobody builds it again and again. While the
// engine is out of reach nothing was tried yet.
func (x *session) revive(ctx context.Context) error {
	if !x.State.Restored.starts() {
		return x.converge(ctx, false)
	}
	err := x.wake(ctx, restoring)
	switch {
	case err == nil || !x.State.Restored.starts():
		return err
	case ctx.Err() != nil || errors.Is(err, engine.ErrUnreachable):
		return fmt.Errorf("%s is restored and not started yet; the agent goes on trying: %w", x.Name, err)
	}
	x.State.Restored, x.dirty = x.State.Restored.left(), true
	return x.saveAnd(fmt.Errorf("%s is restored, with all it has, and stopped: it could not be started: %w\n"+
		"Once that is mended: ps:rebuild %[1]s", x.Name, err))
}

// wake starts a stopped app from its current release, and builds that again if its
// image was not restored with it.
func (x *session) wake(ctx context.Context, cause string) error {
	missing, err := x.imageMissing(ctx)
	switch {
	case err != nil:
		return err
	case missing:
		return x.rebuild(ctx, x.Current.Revision, cause, func(*State) {})
	}
	return x.restart(ctx, cause, func(*State) {})
}

// imageMissing reports whether the current release of a restored app has no image
// here.
func (x *session) imageMissing(ctx context.Context) (bool, error) {
	if x.State.Restored == nil || !x.State.Restored.Pending || x.Current == nil {
		return false, nil
	}
	host, err := x.Host()
	if err != nil {
		return false, err
	}
	_, err = host.Image(ctx, x.Current.Image)
	if errors.Is(err, engine.ErrNoImage) {
		return true, nil
	}
	return false, err
}
