package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/store"
)

// Rename gives an app another name and keeps its repository, releases, settings and
// images. The running processes answer to the new name at once. Unless skipDeploy is
// set, Rename then replaces them as ps:restart does, with processes that carry the new
// name. The app's own domains never stop answering; its name below a global domain
// changes.
//
// The rename of the folder commits. A crash before it leaves the old app as it was.
// After it, the app serves with the containers of the old name until the agent or the
// next command replaces them.
func (s *Server) Rename(ctx context.Context, old, name string, skipDeploy bool, log event.Log) error {
	if err := app.ValidName(name); err != nil {
		return err
	}
	x, release, err := s.lockBoth(ctx, old, name, "apps:rename", log)
	if err != nil {
		return err
	}
	defer release()
	return x.Rename(ctx, name, skipDeploy, log)
}

// lockBoth takes the locks of both names, always in the same order, and opens the app.
func (s *Server) lockBoth(ctx context.Context, old, name, op string, log event.Log) (*deploy.Session, func(), error) {
	for {
		if _, err := s.Env.Store.Load(old); err != nil {
			return nil, nil, err
		}
		var locks []*store.Lock
		release := func() {
			for _, l := range locks {
				l.Release()
			}
		}
		names := []string{old, name}
		slices.Sort(names)
		for _, n := range slices.Compact(names) {
			l, err := s.Env.Store.LockApp(ctx, n, op, log)
			if err != nil {
				release()
				return nil, nil, err
			}
			locks = append(locks, l)
		}
		x, err := s.Env.Open(old, locks[slices.Index(names, old)], log)
		if err == nil {
			return x, release, nil
		}
		release()
		if !errors.Is(err, deploy.ErrUndecided) {
			return nil, nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
