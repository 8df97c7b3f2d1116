package docker

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// ForgetRestarts implements Restarts. The engine's own count goes back to zero only when a
// stopped container is started by hand. But its limit can be raised while the process
// runs, by what was used up.
func (d *Engine) ForgetRestarts(ctx context.Context, id string) error {
	if err := d.forgetRestarts(ctx, id); err != nil {
		return fmt.Errorf("cannot forget the restarts of container %s: %w", engine.Short(id), err)
	}
	return nil
}

func (d *Engine) forgetRestarts(ctx context.Context, id string) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	r, err := cli.ContainerInspect(ctx, id)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return d.explain(ctx, err)
	}
	i := d.instance(r)
	limit := r.RestartCount + i.Policy.Max
	if i.StaleLimit {
		limit = i.Policy.Max
	}
	if i.Policy.Max == 0 || r.HostConfig.RestartPolicy.MaximumRetryCount == limit {
		return nil
	}
	_, err = cli.ContainerUpdate(ctx, id, limited(i.Policy, limit))
	if errdefs.IsNotFound(err) {
		return nil
	}
	return d.explain(ctx, err)
}

// renewed gives a container that starts again its own limit of restarts: the start makes
// the engine's count zero.
func (d *Engine) renewed(ctx context.Context, cli *client.Client, id string) error {
	r, err := cli.ContainerInspect(ctx, id)
	if err != nil {
		return err
	}
	i := d.instance(r)
	if i.Running() || i.Policy.Max == 0 || r.HostConfig.RestartPolicy.MaximumRetryCount == i.Policy.Max {
		return nil
	}
	_, err = cli.ContainerUpdate(ctx, id, limited(i.Policy, i.Policy.Max))
	return err
}

// limited returns an update that leaves everything but the number of restarts.
func limited(p engine.RestartPolicy, restarts int) container.UpdateConfig {
	return container.UpdateConfig{RestartPolicy: container.RestartPolicy{
		Name: container.RestartPolicyMode(p.Name), MaximumRetryCount: restarts,
	}}
}

// restarts returns a container's policy, and the restarts that count. made is the policy
// that it was made with; the engine's limit is higher by the restarts that were forgotten.
// A lower one, or another policy, was set by hand (docker update) and counts as it is.
//
// The engine's count is zero again once the engine itself starts a container, as after a
// reboot. The limit stays, and is stale: it is higher by restarts that the count lacks.
func restarts(made engine.RestartPolicy, r container.InspectResponse) (p engine.RestartPolicy, count int, stale bool) {
	if made.Name == "" || r.HostConfig == nil {
		return engine.RestartPolicy{}, r.RestartCount, false
	}
	now := r.HostConfig.RestartPolicy
	if string(now.Name) != made.Name || made.Max == 0 || now.MaximumRetryCount < made.Max {
		return engine.RestartPolicy{Name: string(now.Name), Max: now.MaximumRetryCount}, r.RestartCount, false
	}
	forgotten := now.MaximumRetryCount - made.Max
	if r.RestartCount < forgotten {
		return made, r.RestartCount, true
	}
	return made, r.RestartCount - forgotten, false
}
