package deploy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/failpoint"
)

// Destroy removes the app's route, resources and folder. It can be interrupted anywhere
// and repeated. The folder goes last, in one rename: until then every command sees an
// app that is being destroyed.
func (x *Session) Destroy(ctx context.Context) error {
	host, err := x.machine()
	if err != nil {
		return err
	}
	px := x.Env.Proxy(x.Settings)
	if err := px.Withdraw(ctx, x.Name); err != nil {
		return err
	}
	if former := x.App.Former(); former != "" {
		if err := px.Withdraw(ctx, former); err != nil {
			return err
		}
	}
	if err := failpoint.Reach(failpoint.RouteWithdrawn); err != nil {
		return err
	}
	o, err := observePlaced(ctx, host, x.View())
	if err != nil {
		return err
	}
	if err := RemoveAll(ctx, host, o, x.View().Grace()); err != nil {
		return err
	}
	if err := x.removeHeld(ctx, host, o); err != nil {
		return err
	}
	if _, err := host.RemoveCaches(ctx, x.Name); err != nil {
		return err
	}
	if err := x.noteImages(ctx); err != nil {
		return err
	}
	x.forgetBuilder(ctx)
	if err := failpoint.Reach(failpoint.ResourcesRemoved); err != nil {
		return err
	}
	return x.removeFolder()
}

// heldImages is how long a swarm may take to remove the containers of its tasks.
const heldImages = 20 * time.Second

// removeHeld removes the images that containers had when RemoveAll came to them: a swarm
// removes those of a service's tasks after the service.
func (x *Session) removeHeld(ctx context.Context, host engine.Processes, o engine.Observed) error {
	if !slices.ContainsFunc(o.Instances, engine.Instance.Placed) {
		return nil
	}
	for late := time.Now().Add(heldImages); ; {
		left, err := Observe(ctx, host, x.App)
		if err != nil || len(left.Images) == 0 || time.Now().After(late) {
			return err
		}
		if err := RemoveAll(ctx, host, engine.Observed{Images: left.Images}, 0); err != nil {
			return err
		}
		if engine.Pause(ctx, time.Second/2); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// noteImages notes the images that nodes of the swarm have of the app: once its releases are
// gone, nothing else would tell.
func (x *Session) noteImages(ctx context.Context) error {
	releases, err := x.Env.Store.Releases(x.Name)
	if err != nil {
		return err
	}
	var repositories []string
	for _, r := range releases {
		if r.OnSwarm() && r.Remote != "" {
			repositories = append(repositories, engine.RepositoryOf(r.Remote))
		}
	}
	return x.Env.Store.NoteNodeImages(ctx, repositories...)
}

// RemoveAll removes all observed resources, containers first because they use the
// others. The containers stop side by side. grace is the time between TERM and KILL.
func RemoveAll(ctx context.Context, host engine.Processes, o engine.Observed, grace time.Duration) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelSteps)
	for _, i := range o.Instances {
		g.Go(func() error {
			if err := host.Stop(gctx, i.ID, grace); err != nil {
				return err
			}
			return host.Remove(gctx, engine.Resource{Kind: engine.Container, ID: i.ID})
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, i := range o.Images {
		if err := host.Remove(ctx, engine.Resource{Kind: engine.ImageKind, ID: i.ID, App: i.App}); err != nil {
			return err
		}
	}
	for _, n := range o.Networks {
		if err := host.Remove(ctx, engine.Resource{Kind: engine.NetworkKind, ID: n.ID}); err != nil {
			return err
		}
	}
	return nil
}

// removeFolder renames the app's folder into the trash and deletes it there.
func (x *Session) removeFolder() error {
	if err := x.Env.Store.Disk.MkdirAll(x.Env.Store.Own("trash"), 0o700); err != nil {
		return err
	}
	to := x.Env.Store.Own("trash", x.Name+"."+app.NewAttempt())
	if err := x.Env.Store.At("rename the app's folder"); err != nil {
		return err
	}
	if err := x.Env.Store.Disk.Rename(x.Dir, to); err != nil {
		return fmt.Errorf("cannot remove %s: %w", x.Dir, err)
	}
	if err := x.Env.Store.Disk.Sync(x.Env.Store.Root); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.FolderMoved); err != nil {
		return err
	}
	if err := x.Env.Store.At("remove the app's folder"); err != nil {
		return err
	}
	if err := x.Env.Store.Disk.RemoveAll(to); err != nil {
		return fmt.Errorf("%s is destroyed, but some of its files cannot be removed: %w; run as root: rm -rf %s", x.Name, err, to)
	}
	x.Lock.Abandoned = false // the former holder's leftovers are gone too
	return nil
}
