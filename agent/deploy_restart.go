package agent

import (
	"context"
	"dokku/build/source"
	"dokku/scale"
	"time"
)

// restart replaces the processes by those of a new release, which runs what the
// current one runs with the present settings. The processes of the kept types go on.
// change is part of what commits.
func (x *session) restart(ctx context.Context, cause string, kept map[string]Identity, change func(*State)) error {
	if x.Current == nil {
		return &NotDeployedError{x.Name}
	}
	if err := x.tidy(ctx); err != nil {
		x.log.Warn("%s", err)
	}
	n, err := x.Env.Store.nextRelease(x.App)
	if err != nil {
		return err
	}
	x.about(n)
	r := x.Current.derive(n, cause)
	r.Kept = kept
	next := x.State.clone()
	change(&next)
	x.view().With(next).Provide(r)
	r.Detected = x.Current.DetectedPort()
	if _, on := kept[scale.Web]; !on { // what goes on listens where it did
		r.Port = next.webPort(r.Detected)
	}
	return x.promote(ctx, r, change, func(o *rollout) error { return o.run(ctx, o.all()) })
}

// allRun reports whether every process of the formation runs.
func (x *session) allRun(ctx context.Context) (bool, error) {
	have, err := x.Env.InstancesOf(ctx, x.view())
	if err != nil {
		return false, err
	}
	f, err := x.view().FormationWith(x.State.Scale)
	if err != nil {
		return false, err
	}
	running := 0
	for _, i := range have {
		if i.Running() {
			running++
		}
	}
	return running == len(processes(x.view(), f, false)), nil
}

// rebuild builds a revision and deploys it; change is part of what it commits.
func (x *session) rebuild(ctx context.Context, revision, cause string, change func(*State)) (err error) {
	start := time.Now()
	end := x.logDeploy()
	defer func() { end(err) }()
	r, err := x.build(ctx, source.Options{GitDir: x.Dir}, revision, cause)
	if err != nil {
		x.discard(ctx)
		return x.unchanged(err)
	}
	x.log.Step("Releasing %s v%d", x.Name, r.Number)
	if err := x.promote(ctx, r, change, func(o *rollout) error { return o.deploy(ctx) }); err != nil {
		return err
	}
	x.postdeploy(ctx)
	x.deployed(start)
	return nil
}
