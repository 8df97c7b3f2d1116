package swarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"

	"dokku/agent/engine"
)

// Stop implements Engine. It stops the whole group. The swarm kills what has not ended after
// the StopTimeout of the group's Spec, whatever grace is.
func (e *Engine) Stop(ctx context.Context, id string, grace time.Duration) error {
	service, _, ok := placed(id)
	if !ok {
		return e.Host.Stop(ctx, id, grace)
	}
	err := e.stop(ctx, service, grace)
	if err != nil && !errors.Is(err, engine.ErrNoContainer) {
		return fmt.Errorf("cannot stop process %s: %w", id, err)
	}
	return nil
}

// stop returns once no process of the group runs, except where nobody can tell.
func (e *Engine) stop(ctx context.Context, id string, grace time.Duration) error {
	first, err := patient(ctx, func() (group, error) { return e.sharedLook(ctx, id) })
	if err != nil {
		return err
	}
	if c := first.Spec.TaskTemplate.ContainerSpec; c != nil && c.StopGracePeriod != nil {
		grace = max(grace, *c.StopGracePeriod)
	}
	ctx, cancel := engine.Within(ctx, grace+engine.SlowCall)
	defer cancel()
	for {
		g, err := patient(ctx, func() (group, error) { return e.sharedLook(ctx, id) })
		if err != nil {
			return err
		}
		switch {
		case replicas(g.Service) > 0:
			if done, err := e.resize(ctx, g.Service, 0); err != nil {
				return err
			} else if !done { // others stop it, too
				engine.Pause(ctx, firstPause)
			}
			continue
		case !g.lives:
			return nil
		}
		if e.awaitChange(ctx, g); ctx.Err() != nil {
			return e.docker.ExplainSwarm(ctx, ctx.Err())
		}
	}
}

// Remove implements Engine. Of a placed process it removes the whole group.
func (e *Engine) Remove(ctx context.Context, r engine.Resource) error {
	service, _, ok := placed(r.ID)
	if r.Kind != engine.Container || !ok {
		return e.Host.Remove(ctx, r)
	}
	// A group without its service could not be observed while its processes end.
	err := e.stop(ctx, service, 0)
	if err == nil {
		c, cancel := engine.Within(ctx, engine.SlowCall)
		defer cancel()
		e.awaitForgotten(c, service)
		err = e.remove(c, service)
	}
	if err != nil && !errors.Is(err, engine.ErrNoContainer) {
		return fmt.Errorf("cannot remove process %s: %w", r.ID, err)
	}
	return nil
}

const (
	// forgetLimit is how long the swarm may take to forget tasks that have ended. It does so
	// every 250 ms.
	forgetLimit = 2 * time.Second
	forgetPause = 100 * time.Millisecond
)

// awaitForgotten waits until the swarm has forgotten the ended tasks of a service that has been
// stopped. A manager (Docker 20.10) that forgets one while it removes the service crashes, as a
// whole engine.
func (e *Engine) awaitForgotten(ctx context.Context, service string) {
	for late := time.Now().Add(forgetLimit); time.Now().Before(late); engine.Pause(ctx, forgetPause) {
		tasks, err := e.tasks(ctx, []string{service})
		if err != nil || ctx.Err() != nil || !forgetting(tasks, service) {
			return
		}
	}
}

// forgetting reports whether the swarm is about to forget a task of the service.
func forgetting(tasks []swarm.Task, service string) bool {
	return slices.ContainsFunc(tasks, func(t swarm.Task) bool {
		return t.ServiceID == service && t.DesiredState == swarm.TaskStateRemove && ended(t)
	})
}

// remove removes a service.
func (e *Engine) remove(ctx context.Context, id string) error {
	cli, err := e.docker.Manager(ctx)
	if err != nil {
		return err
	}
	_, err = patient(ctx, func() (none struct{}, err error) {
		if err = cli.ServiceRemove(ctx, id); errdefs.IsNotFound(err) {
			return none, nil
		}
		return none, e.docker.ExplainSwarm(ctx, err)
	})
	return err
}
