package watch

import (
	"context"
	"os"
	"time"

	"dokku/agent/engine"
	"dokku/agent/registry"
)

const (
	// cacheLook is the interval at which the agent looks for builds that have ended.
	cacheLook = time.Minute
	// pruneEvery is the interval at which the build cache is pruned without any build of
	// this server: other programs build too.
	pruneEvery = time.Hour
)

// A pruner keeps the engine's build cache within its bound. Its loss costs one more look.
type pruner struct {
	*Controller
	built  time.Time // the newest start of a build, when the cache was pruned last
	pruned time.Time
	due    time.Time // since when a prune waits for the end of builds; zero: none does
}

func (p *pruner) run(ctx context.Context) {
	for ctx.Err() == nil {
		engine.Pause(ctx, cacheLook)
		p.look(ctx)
	}
}

// look prunes the cache soon after builds, and every pruneEvery. While an app is locked, and
// so may be built, it waits: BuildKit keeps what a build uses, but not what its next step
// would use. On a server that always builds it waits for no more than pruneEvery.
func (p *pruner) look(ctx context.Context) {
	built, busy := p.builds()
	now := time.Now()
	if ctx.Err() != nil || built.Equal(p.built) && now.Sub(p.pruned) < pruneEvery {
		return
	}
	if p.due.IsZero() {
		p.due = now
	}
	if busy && now.Sub(p.due) < pruneEvery {
		return
	}
	p.built, p.pruned, p.due = built, now, time.Time{}
	if err := p.Server.PruneBuildCache(ctx, p.log); err != nil && ctx.Err() == nil {
		p.log.Warn("%s", err)
	}
	if err := p.Server.PruneNodes(ctx, p.log); err != nil && ctx.Err() == nil {
		p.log.Warn("%s", err)
	}
	if _, err := registry.Sweep(ctx, p.Server.Env.Store, p.log); err != nil && ctx.Err() == nil {
		p.log.Warn("%s", err)
	}
}

// builds returns when the newest build by BuildKit began, and whether an app is locked.
func (p *pruner) builds() (newest time.Time, busy bool) {
	names, err := p.Server.Env.Store.Apps()
	if err != nil {
		return newest, false // the loop says so
	}
	for _, name := range names {
		if fi, err := os.Stat(p.Server.Env.Store.Manifest(name)); err == nil && fi.ModTime().After(newest) {
			newest = fi.ModTime()
		}
		_, locked, _ := p.Server.Env.Store.Peek(name)
		busy = busy || locked
	}
	return newest, busy
}
