package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"dokku/agent/app"
	"dokku/agent/journal"
	"dokku/agent/repo"
)

// keep stores, before the build, that an app which a push created stays even if the push
// fails or is killed. Its revision has passed the validation, so the app now has a log to
// read and perhaps a setting to make. invalid is the result of the validation, and valid
// reports whether the files themselves are: a setting may correct the rest. It returns the
// error of the push.
func (x *Session) keep(invalid error, valid bool) error {
	if !valid || !x.State.Provisional && x.State.Kept.IsZero() {
		return invalid
	}
	x.Change(func(st *app.State) { st.Provisional, st.Kept = false, time.Now().UTC().Truncate(time.Second) })
	return errors.Join(invalid, x.Save())
}

// tellKept adds to the error of a failed push that the app which it created is kept, and
// how to go on. For a cancelled push, whose error is not printed, it prints that.
func (x *Session) tellKept(err error) error {
	note := KeptNote(x.App)
	switch {
	case err == nil || note == "" || x.dirty:
		return err
	case errors.Is(err, context.Canceled):
		x.Log.Warn("%s", note)
		return err
	}
	return fmt.Errorf("%w\n%s", err, note)
}

// KeptNote says that an app is kept whose pushes all failed, and how to go on. It is ""
// for any other app.
func KeptNote(a *app.App) string {
	if a.State.Kept.IsZero() || !a.State.Untouched() { // the latter stays for good
		return ""
	}
	return fmt.Sprintf("%s is kept: fix the cause and push again, or first set what it lacks, for example: dokku config:set %[1]s NAME=VALUE\n"+
		"To remove it: dokku apps:destroy %[1]s. It goes after %d days if nothing is set or deployed", a.Name, int(app.KeptAge.Hours()/24))
}

// tidyProvisional removes an app of which git has accepted nothing, once its push has
// ended, and an app that was kept for its time. While a push runs it removes nothing: that
// push may be the first that git accepts.
func (x *Session) tidyProvisional(ctx context.Context, startEnded bool) error {
	if x.Env.Store.Young(x.Name) {
		return nil
	}
	h, free, err := x.Env.Store.HoldOff(x.Name)
	if err != nil || !free {
		return err
	}
	defer h.Release()
	if x.State.Expired() { // after a kill it goes like any other provisional app
		x.Change(func(st *app.State) { st.Provisional, st.Kept = true, time.Time{} })
	}
	// The push may have died before it could remove the containers that it started.
	if err := x.Converge(ctx, startEnded); err != nil {
		return err
	}
	err = x.DropProvisional()
	if x.Lock.Gone {
		h.Forget()
	}
	return err
}

// DropProvisional removes the app unless its repository has refs, it has settings, or a
// push is under way.
func (x *Session) DropProvisional() error {
	refs, err := repo.HasRefs(x.Dir)
	if err != nil {
		return err
	}
	// Nothing but the folder tells of nginx directives that somebody wrote.
	own, err := os.ReadDir(filepath.Join(x.Dir, "nginx.conf.d"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if refs || len(own) > 0 || !x.State.Untouched() {
		x.Change(func(st *app.State) { st.Provisional = false })
		return x.Save()
	}
	if repo.Pushing(x.Dir) {
		return nil
	}
	x.Env.Tell(journal.Event{Event: journal.Prune, App: x.Name, Text: "removed the app, of which no push was accepted"}, x.Log)
	err = x.removeFolder()
	if _, gone := os.Stat(x.Dir); errors.Is(gone, os.ErrNotExist) {
		x.Lock.Gone = true // names are any number, and each lock is a file
	}
	return err
}
