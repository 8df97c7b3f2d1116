package hooks

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proc"
	"dokku/agent/sources"
	"dokku/agent/store"
)

// A detachedError ends the client's part of a push that goes on: git has to decline it,
// because the branch moves only when the deploy has passed its checks.
type detachedError struct {
	app string
	*app.Deploy
}

func (e *detachedError) Error() string {
	return fmt.Sprintf("deploy %d goes on: dokku deploys:log %s %[1]d -t\n"+
		"git declines the push for now; the branch moves when the deploy has passed its checks", e.Number, e.app)
}

// detach hands a push over to a process that outlives its client. It always returns an
// error.
func (h *hook) detach(ctx context.Context, p deploy.Push, env Env) error {
	d, err := h.srv.Detach(ctx, p, h.log)
	if err != nil {
		return err
	}
	st := &store.Store{Root: filepath.Dir(h.dir)}
	kept := sources.Detached{App: h.app, Deploy: d.Number, Refs: p.Refs, Options: p.Options.Later(), Remote: env.Getenv(event.RemoteVar)}
	if kept.Remote != "" {
		kept.User = d.By
	}
	dir, lock, err := kept.Keep(st, p.Objects)
	if err == nil {
		var binary string
		if binary, err = os.Executable(); err == nil {
			err = sources.Start(ctx, st, binary, d.By, dir, lock)
		}
	}
	if err != nil {
		st.RemoveDeploy(h.app, d.Number)
		return err
	}
	return &detachedError{h.app, d}
}

// DetachedPush is the process that a detached push goes on in; dir has the push. It returns
// the exit code, which nobody waits for.
func DetachedPush(ctx context.Context, env Env, dir string) int {
	tell := sources.Begun()
	ctx, stop := proc.Cancelled(ctx)
	defer stop()
	srv, err := agent.Open(env.Root)
	if err != nil {
		tell(err)
		return 1
	}
	err = (&sources.Importer{Server: srv}).PushDetached(ctx, dir, srv.Log(nil), tell)
	return cli.ExitCode(err)
}
