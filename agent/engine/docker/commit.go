package docker

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/strslice"
	"github.com/docker/go-connections/nat"

	"dokku/agent/engine"
)

// Commit implements Images.
func (d *Engine) Commit(ctx context.Context, id, image string) (string, error) {
	made, err := d.commit(ctx, id, image)
	if err != nil {
		return "", fmt.Errorf("cannot make an image of container %s: %w", engine.Short(id), err)
	}
	return made, nil
}

func (d *Engine) commit(ctx context.Context, id, image string) (string, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := engine.Within(ctx, engine.SlowCall)
	defer cancel()
	r, err := cli.ImageInspect(ctx, image)
	switch {
	case errdefs.IsNotFound(err):
		return "", fmt.Errorf("%w (%s)", engine.ErrNoImage, engine.Short(image))
	case err != nil:
		return "", d.explain(ctx, err)
	}
	config := &container.Config{}
	if c := r.Config; c != nil {
		config = &container.Config{User: c.User, ExposedPorts: nat.PortSet{}, Env: c.Env, Cmd: c.Cmd, Healthcheck: c.Healthcheck, Volumes: c.Volumes,
			WorkingDir: c.WorkingDir, Entrypoint: c.Entrypoint, OnBuild: c.OnBuild, Labels: c.Labels, StopSignal: c.StopSignal, Shell: c.Shell}
		for port := range c.ExposedPorts {
			config.ExposedPorts[nat.Port(port)] = struct{}{}
		}
	}
	if config.Entrypoint == nil {
		config.Entrypoint = strslice.StrSlice{} // nil would be the container's
	}
	made, err := cli.ContainerCommit(ctx, id, container.CommitOptions{Config: config})
	if err != nil {
		return "", d.explainContainer(ctx, id, err)
	}
	return made.ID, nil
}
