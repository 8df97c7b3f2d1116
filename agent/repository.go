package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proc"
	"dokku/agent/repo"
)

// InitRepository restores what an app's repository needs to deploy pushes: its hooks and
// settings.
func (s *Server) InitRepository(ctx context.Context, name string, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "git:initialize"}, log, func(x *deploy.Session) error {
		return errors.Join(repo.LinkHooks(s.Env.Store.Disk, x.Dir, s.Binary), repo.Harden(s.Env.Store.Disk, x.Dir, true))
	})
}

// UnlockRepository removes what killed gits left in an app's repository, and returns
// their paths in it. It fails while another git writes to the repository.
func (s *Server) UnlockRepository(ctx context.Context, name string, log event.Log) (removed []string, err error) {
	dir := s.Env.Store.Dir(name)
	removed, err = repo.Leftovers(dir)
	if err != nil {
		return nil, err
	}
	err = s.Env.With(ctx, name, deploy.Op{Name: "git:unlock"}, log, func(x *deploy.Session) error {
		if err := repo.Sweep(x.Dir, proc.Owner{}); err != nil {
			return err
		}
		left, err := repo.Leftovers(x.Dir)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("cannot unlock the repository of %s: a git writes to it at the moment; try again when it has ended", name)
		}
		return err
	})
	for n, path := range removed {
		removed[n] = strings.TrimPrefix(path, dir+"/")
	}
	return removed, err
}

// PackRepository has git pack an app's repository as small as it can. Pushes wait.
func (s *Server) PackRepository(ctx context.Context, name string, log event.Log) error {
	return s.Env.With(ctx, name, deploy.Op{Name: "repo:gc"}, log, func(x *deploy.Session) error {
		defer x.Log.Busy("packing the repository")()
		return repo.PackAll(ctx, x.Dir)
	})
}
