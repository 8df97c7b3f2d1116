package deploy

import (
	"cmp"
	"context"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/build/source"
	"dokku/scale"
)

// Restart replaces the processes by those of a new release: the current image with the
// present settings. The processes of the kept types are not restarted. change is
// committed together with the release.
func (x *Session) Restart(ctx context.Context, cause string, kept map[string]app.Identity, change func(*app.State)) error {
	return x.restart(ctx, cause, kept, change, (*rollout).all)
}

// restart is Restart, which starts the processes that starts names.
func (x *Session) restart(ctx context.Context, cause string, kept map[string]app.Identity, change func(*app.State), starts func(*rollout) []app.Process) error {
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
	if x.State.Restored != nil && x.State.Restored.Pending {
		r.Remote = "" // the registry may have gone with the former server
	}
	if len(kept) > 0 { // the kept ones stay where they are
		r.Swarm = x.Current.Swarm
	}
	r.Detected, r.Exposes = x.Current.DetectedPort(), x.Current.Exposes
	if _, on := kept[scale.Web]; !on { // a kept web still listens on its port
		r.Port = next.WebPort(r.Detected)
	}
	return x.promote(ctx, r, change, func(o *rollout) error { return o.run(ctx, starts(o)) })
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
	r, err := x.build(work, source.Options{GitDir: x.Dir}, Ref{New: revision, Name: Heads + cmp.Or(x.View().DeployBranch(), DefaultBranch)}, cause, x.sourceOf(revision))
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

// StartEnded converges, and starts processes that have ended.
func (x *Session) StartEnded(ctx context.Context, cause string) error {
	if err := x.Converge(ctx, true); err != nil {
		return err
	}
	return x.renewEnded(ctx, cause)
}

// renewEnded starts the processes of a swarm that have ended for good. They cannot start again
// in their groups, so those of their types start anew, gated.
func (x *Session) renewEnded(ctx context.Context, cause string) error {
	if !x.Current.OnSwarm() || x.State.Stopped {
		return nil
	}
	have, err := x.Env.InstancesOf(ctx, x.View())
	if err != nil {
		return err
	}
	ended := map[string]bool{}
	for _, i := range have {
		ended[i.Type] = ended[i.Type] || i.Status == engine.StatusExited && WantsProcess(x.View(), app.Process{Type: i.Type, Index: i.Index}.String())
	}
	f, err := x.View().FormationWith(x.State.Scale)
	if err != nil {
		return err
	}
	kept, some := map[string]app.Identity{}, false
	for _, e := range f {
		if some = some || ended[e.Type]; !ended[e.Type] {
			kept[e.Type] = x.Current.Identity(e.Type)
		}
	}
	if !some {
		return nil
	}
	return x.Restart(ctx, cause, kept, func(*app.State) {})
}
