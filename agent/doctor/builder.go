package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"dokku/agent/app"
	"dokku/build/buildkit"
	"dokku/build/daemon"
)

// checkBuilder looks at the server's own builder, if the server has one or an app wants it.
func (d *examination) checkBuilder(ctx context.Context) []Finding {
	const check = "builder"
	socket := d.set.BuilderSocket()
	if _, err := os.Stat(socket); errors.Is(err, fs.ErrNotExist) && !d.wantsBuilder() {
		return nil
	}
	version, err := buildkit.DaemonVersion(ctx, socket)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "set it up, or start it again: sudo ./install.sh builder",
			"the builder of this server does not answer, so apps with %s %s cannot be built: %s", app.PropIsolation, app.IsolationOwn, err)}
	}
	status, err := daemon.ReadStatus(socket)
	if err == nil && status.Failed != "" {
		err = errors.New(status.Failed)
	}
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "start its service again, and see its log", "the rules that keep builds from this server may be missing: %s", err)}
	}
	return fine(check, "BuildKit %s answers, and is kept from this server and private networks", version)
}

// wantsBuilder reports whether a setting asks for the builder.
func (d *examination) wantsBuilder() bool {
	if d.set.Build[app.PropIsolation] == app.IsolationOwn {
		return true
	}
	for _, name := range d.folders() {
		if a, err := d.Server.Env.Store.Load(name); err == nil {
			if own, _ := (app.View{App: a, Settings: d.set}).OwnBuilder(); own {
				return true
			}
		}
	}
	return false
}
