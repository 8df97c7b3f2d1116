package swarm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"

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
	first, err := patient(ctx, func() (group, error) { return e.group(ctx, id) })
	if err != nil {
		return err
	}
	if c := first.Spec.TaskTemplate.ContainerSpec; c != nil && c.StopGracePeriod != nil {
		grace = max(grace, *c.StopGracePeriod)
	}
	ctx, cancel := engine.Within(ctx, grace+engine.SlowCall)
	defer cancel()
	for pause := firstPause; ; pause = min(pause*5/4, lastPause) {
		g, err := patient(ctx, func() (group, error) { return e.group(ctx, id) })
		if err != nil {
			return err
		}
		switch {
		case replicas(g.Service) > 0:
			if _, err := e.resize(ctx, g.Service, 0); err != nil {
				return err
			}
		case !g.lives:
			return nil
		}
		if engine.Pause(ctx, pause); ctx.Err() != nil {
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
		err = e.remove(c, service)
	}
	if err != nil && !errors.Is(err, engine.ErrNoContainer) {
		return fmt.Errorf("cannot remove process %s: %w", r.ID, err)
	}
	return nil
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
