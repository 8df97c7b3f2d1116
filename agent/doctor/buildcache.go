package doctor

import (
	"context"

	"dokku/agent/app"
	"dokku/build/source"
)

// checkBuildCache says how much of the engine's disk its build cache has.
func (d *examination) checkBuildCache(ctx context.Context) []Finding {
	const check = "build cache"
	if _, err := d.engine(); err != nil {
		return nil // checkEngine says so
	}
	host, err := d.Server.Host()
	if err != nil {
		return nil
	}
	bound, err := d.Server.BuildCacheBound(ctx, host)
	if err != nil {
		return []Finding{wrong(check, HealthWarning, "correct it: dokku builder:set --global "+app.PropCacheSize+" VALUE", "%s", err)}
	}
	size, err := host.BuildCache(ctx)
	switch {
	case err != nil:
		return []Finding{wrong(check, HealthWarning, "", "%s", err)}
	case bound == 0:
		return fine(check, "it has %s, without a limit (builder:set --global %s)", source.Bytes(size), app.PropCacheSize)
	}
	return fine(check, "it has %s of at most %s, to which the agent prunes it (builder:set --global %s)", source.Bytes(size), source.Bytes(bound), app.PropCacheSize)
}
