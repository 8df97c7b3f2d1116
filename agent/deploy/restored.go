package deploy

import (
	"context"
	"errors"
	"fmt"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// Restoring is the cause of the releases that Revive makes.
const Restoring = "restore"

// Revive starts a restored app as a deploy would. It tries once: an app that does not
// come up stays stopped, and is not built again and again. An attempt while the engine
// is unreachable does not count.
func (x *Session) Revive(ctx context.Context) error {
	if !x.State.Restored.Starts() {
		return x.Converge(ctx, false)
	}
	if x.State.Restored.Attempts >= app.MaxRestoreAttempts {
		x.Change(func(st *app.State) { st.Restored = st.Restored.Left() })
		return x.saveAnd(fmt.Errorf("%s is restored but stopped: %d attempts to start it were killed or crashed\n"+
			"To try again: dokku ps:rebuild %[1]s", x.Name, app.MaxRestoreAttempts))
	}
	if err := x.attempt(1); err != nil {
		return err
	}
	err := x.BringUp(ctx, Restoring)
	switch {
	case err == nil || !x.State.Restored.Starts():
		return err
	case ctx.Err() != nil || errors.Is(err, engine.ErrUnreachable):
		return errors.Join(fmt.Errorf("%s is restored but not started yet; the agent will retry: %w", x.Name, err), x.attempt(-1))
	}
	x.Change(func(st *app.State) { st.Restored = st.Restored.Left() })
	return x.saveAnd(fmt.Errorf("%s is restored but stopped: it could not be started: %w\n"+
		"To try again once that is fixed: dokku ps:rebuild %[1]s", x.Name, err))
}

// attempt counts an attempt to start a restored app before it is made.
func (x *Session) attempt(n int) error {
	r := *x.State.Restored
	r.Attempts += n
	x.Change(func(st *app.State) { st.Restored = &r })
	return x.saveAnd(nil)
}

// BringUp starts an app from its current release. It builds the image again if the
// backup did not contain it.
func (x *Session) BringUp(ctx context.Context, cause string) error {
	missing, err := imageMissing(ctx, x)
	switch {
	case err != nil:
		return err
	case missing:
		return x.Rebuild(ctx, x.Current.Revision, cause, func(*app.State) {})
	}
	return x.Restart(ctx, cause, nil, func(*app.State) {})
}

// imageMissing reports whether a restored app's current image is missing from the
// engine.
func imageMissing(ctx context.Context, x *Session) (bool, error) {
	if x.State.Restored == nil || !x.State.Restored.Pending || x.Current == nil {
		return false, nil
	}
	host, err := x.machine()
	if err != nil {
		return false, err
	}
	_, err = host.Image(ctx, x.Current.Image)
	if errors.Is(err, engine.ErrNoImage) {
		return true, nil
	}
	return false, err
}
