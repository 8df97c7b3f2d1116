package deploy

import (
	"context"
	"time"

	"dokku/agent/app"
	"dokku/build/source"
	"dokku/scale"
)

// Restart replaces the processes by those of a new release: the current image with the
// present settings. The processes of the kept types are not restarted. change is
// committed together with the release.
func (x *Session) Restart(ctx context.Context, cause string, kept map[string]app.Identity, change func(*app.State)) error {
	if x.Current == nil {
		return &app.NotDeployedError{App: x.Name}
	}
	if err := x.tidy(ctx); err != nil {
		x.Log.Warn("%s", err)
	}
	n, err := x.Env.Store.NextRelease(x.App)
	if err != nil {
		return err
	}
	x.logRelease(n)
	r := x.Current.Derive(n, cause, x.Env.By)
	x.Log.Step("Releasing %s v%d", x.Name, r.Number)
	r.Kept = kept
	next := x.State.Clone()
	change(&next)
	x.View().With(next).Provide(r)
	r.Detected, r.Exposes = x.Current.DetectedPort(), x.Current.Exposes
	if _, on := kept[scale.Web]; !on { // a kept web still listens on its port
		r.Port = next.WebPort(r.Detected)
	}
	return x.promote(ctx, r, change, func(o *rollout) error { return o.run(ctx, o.all()) })
}

// AllRun reports whether every process of the formation runs.
func (x *Session) AllRun(ctx context.Context) (bool, error) {
	have, err := x.Env.InstancesOf(ctx, x.View())
	if err != nil {
		return false, err
	}
	f, err := x.View().FormationWith(x.State.Scale)
	if err != nil {
		return false, err
	}
	running := 0
	for _, i := range have {
		if i.Running() {
			running++
		}
	}
	return running == len(processes(x.View(), nil, f, false)), nil
}

// Rebuild builds a revision and deploys it. change is committed together with the
// release.
func (x *Session) Rebuild(ctx context.Context, revision, cause string, change func(*app.State)) (err error) {
	start := time.Now()
	work, end := x.logDeploy(ctx, app.Deploy{Cause: cause, Revision: revision})
	defer func() { end(err) }()
	r, err := x.build(work, source.Options{GitDir: x.Dir}, revision, cause, x.sourceOf(revision))
	if err != nil {
		x.discard(work)
		return unchanged(x, x.cancelled(work, err))
	}
	x.Log.Step("Releasing %s v%d", x.Name, r.Number)
	if err := x.promote(work, r, change, func(o *rollout) error { return o.deploy(work) }); err != nil {
		return x.cancelled(work, err)
	}
	x.postdeploy(ctx)
	x.deployed(start)
	return x.retagged(x.tagRemote(ctx))
}
