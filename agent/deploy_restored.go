package agent

import (
	"context"
	"errors"
	"fmt"

	"dokku/agent/engine"
)

// restoring is the cause of the releases that revive makes.
const restoring = "restore"

// revive starts a restored app as a deploy would. It is tried once: an app that does
// not come up stays stopped, so that nobody builds it again and again. While the
// engine is out of reach nothing was tried yet.
func (x *session) revive(ctx context.Context) error {
	if !x.State.Restored.starts() {
		return x.converge(ctx, false)
	}
	err := x.bringUp(ctx, restoring)
	switch {
	case err == nil || !x.State.Restored.starts():
		return err
	case ctx.Err() != nil || errors.Is(err, engine.ErrUnreachable):
		return fmt.Errorf("%s is restored and not started yet; the agent goes on trying: %w", x.Name, err)
	}
	x.change(func(st *State) { st.Restored = st.Restored.left() })
	return x.saveAnd(fmt.Errorf("%s is restored, with all it has, and stopped: it could not be started: %w\n"+
		"Once that is mended: ps:rebuild %[1]s", x.Name, err))
}

// bringUp starts an app from its current release. It builds the image again if a
// backup did not have it.
func (x *session) bringUp(ctx context.Context, cause string) error {
	missing, err := x.imageMissing(ctx)
	switch {
	case err != nil:
		return err
	case missing:
		return x.rebuild(ctx, x.Current.Revision, cause, func(*State) {})
	}
	return x.restart(ctx, cause, nil, func(*State) {})
}

// imageMissing reports whether the current release of a restored app has no image
// here.
func (x *session) imageMissing(ctx context.Context) (bool, error) {
	if x.State.Restored == nil || !x.State.Restored.Pending || x.Current == nil {
		return false, nil
	}
	host, err := x.Env.Engine(x.settings)
	if err != nil {
		return false, err
	}
	_, err = host.Image(ctx, x.Current.Image)
	if errors.Is(err, engine.ErrNoImage) {
		return true, nil
	}
	return false, err
}
