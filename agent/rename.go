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

// Rename gives an app another name, with all that it has: repository, releases,
// settings, images. The new name and the domains are answered at once, by the
// processes that run; then those are replaced, as ps:restart does, unless
// skipDeploy, by ones that carry the new name. Its own domains are answered at
// every moment; the one below a global domain changes with the name.
//
// The rename of the folder commits. A crash before leaves the old app as it was.
// After it, the new app serves with the containers of the old name, which the
// agent, or whoever works on the app next, replaces and removes.
func (s *Server) Rename(ctx context.Context, old, name string, skipDeploy bool, log event.Log) error {
	if err := app.ValidName(name); err != nil {
		return err
	}
	x, release, err := s.bothNames(ctx, old, name, log)
	if err != nil {
		return err
	}
	defer release()
	return x.Rename(ctx, name, skipDeploy, log)
}

// bothNames takes the locks of both names, in the same order for everybody, and
// opens the app.
func (s *Server) bothNames(ctx context.Context, old, name string, log event.Log) (*deploy.Session, func(), error) {
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
			l, err := s.Env.Store.LockApp(ctx, n, "apps:rename", log)
			if err != nil {
				release()
				return nil, nil, err
			}
			locks = append(locks, l)
		}
		x, err := s.Env.Open(old, locks[0], log)
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
