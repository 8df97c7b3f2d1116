package deploy

import (
	"context"
	"fmt"

	"dokku/agent/app"
)

// runFirst runs app.json's scripts.postdeploy once in the life of an app. Dokku 0.38 runs
// it at the first deploy, after the release command and before the processes start, so
// that web finds the data that it makes. An app that has a release counts as done.
func (o *rollout) runFirst(ctx context.Context) error {
	x, command := o.session, o.release.Control.AppJSON.FirstDeploy
	if command == "" || x.Current != nil || x.State.FirstScriptRan {
		return nil
	}
	// After a crash the script must not run again, because it may reset a database. The
	// record stays when the deploy fails, and the app with it, since the data stays too.
	if err := o.storeAhead(func(st *app.State) { st.FirstScriptRan = true }); err != nil {
		return err
	}
	if err := o.runOnce(ctx, "postdeploy", command); err != nil {
		return fmt.Errorf("%w\nscripts.postdeploy runs once, so the next push does not run it again; "+
			"after that push: dokku run %s %s", o.taskFailed(ctx, "heroku.postdeploy", command, err), x.Name, command)
	}
	return nil
}
