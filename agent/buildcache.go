package agent

import (
	"context"

	"golang.org/x/sys/unix"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/build/source"
)

// BuildCacheBound returns how many bytes the engine's build cache may have by the setting
// cache-size; 0: any number.
func (s *Server) BuildCacheBound(ctx context.Context, host engine.Inspector) (int64, error) {
	set, err := s.Env.Store.Settings()
	if err != nil {
		return 0, err
	}
	if bound, err := set.CacheSize(0); bound == 0 || err != nil {
		return 0, err // the engine need not be asked
	}
	info, err := host.Info(ctx)
	if err != nil {
		return 0, err
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(info.DataRoot, &disk); err != nil {
		return set.CacheSize(0) // the engine may be on another host
	}
	return set.CacheSize(int64(disk.Blocks) * disk.Bsize)
}

// PruneBuildCache keeps the engine's build cache within the setting cache-size, and logs
// what it freed.
func (s *Server) PruneBuildCache(ctx context.Context, log event.Log) error {
	host, err := s.Host()
	if err != nil {
		return err
	}
	bound, err := s.BuildCacheBound(ctx, host)
	if bound == 0 || err != nil {
		return err
	}
	freed, err := host.PruneBuildCache(ctx, bound)
	if freed > 0 {
		log.Step("Removed %s of the engine's build cache, which may have %s (builder:set --global %s)",
			source.Bytes(freed), source.Bytes(bound), app.PropCacheSize)
		s.Env.Tell(journal.Event{Event: journal.Prune, Text: "removed " + source.Bytes(freed) + " of the build cache"}, log)
	}
	return err
}
