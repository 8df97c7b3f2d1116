package engine

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"

	"dokku/agent/failpoint"
)

// Start implements Engine.
func (d *Docker) Start(ctx context.Context, spec Spec) (Instance, error) {
	i, err := d.start(ctx, spec, nil)
	if err != nil {
		return Instance{}, fmt.Errorf("cannot start %s: %w", spec.title(), err)
	}
	return i, nil
}

// start calls before, if there is one, when the container is made and not yet
// started; a container that exists already is then an error.
func (d *Docker) start(ctx context.Context, spec Spec, before func(ctx context.Context, cli *client.Client, id string) error) (Instance, error) {
	if err := spec.check(); err != nil {
		return Instance{}, err
	}
	cli, err := d.connect(ctx)
	if err != nil {
		return Instance{}, err
	}
	if err := ctx.Err(); err != nil {
		return Instance{}, err
	}
	// A create whose answer nobody waits for would leave a container behind.
	c, cancel := settled(ctx, slowCall)
	defer cancel()
	id, made, err := d.create(c, cli, spec)
	if err == nil {
		err = failpoint.Reach(failpoint.ContainerCreated)
	}
	if err == nil && before != nil {
		if err = fmt.Errorf("%w (%s): remove or rename that container", ErrNameInUse, spec.Name); made {
			err = before(c, cli, id)
		}
	}
	if err == nil {
		err = join(c, cli, spec, id)
	}
	if err == nil {
		err = cli.ContainerStart(c, id, container.StartOptions{})
	}
	if err == nil {
		err = failpoint.Reach(failpoint.ContainerStarted)
	}
	if err == nil && made {
		err = ctx.Err()
	}
	if err != nil {
		if made {
			err = fmt.Errorf("%w%s", d.explainStart(c, spec, err), d.discard(ctx, cli, spec, id))
			return Instance{}, err
		}
		return Instance{}, d.explainStart(c, spec, err)
	}
	r, err := cli.ContainerInspect(c, id)
	if err != nil {
		return Instance{}, d.explainContainer(c, id, err)
	}
	return instance(r), nil
}

// create returns the container that spec asks for, and whether it made it. One
// that was made but whose creation has no known outcome has spec's name as id.
func (d *Docker) create(ctx context.Context, cli *client.Client, spec Spec) (id string, made bool, err error) {
	config, host, ends := d.container(spec)
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for {
		created, err := cli.ContainerCreate(ctx, config, host, ends, nil, spec.Name)
		if err == nil {
			return created.ID, true, nil
		}
		if !errdefs.IsConflict(err) {
			return spec.Name, ctx.Err() != nil || client.IsErrConnectionFailed(err), err
		}
		held, err := cli.ContainerInspect(ctx, spec.Name)
		if err != nil && !errdefs.IsNotFound(err) {
			return "", false, err
		}
		if err == nil && held.State.Status != container.StateRemoving {
			id, err := reuse(spec, held)
			return id, false, err
		}
		// The name's holder is being made, or is going away.
		select {
		case <-retry.C:
		case <-ctx.Done():
			return "", false, ctx.Err()
		}
	}
}

// reuse accepts the container that has spec's name if it is spec's own.
func reuse(spec Spec, held container.InspectResponse) (id string, err error) {
	if !spec.made(held.Config.Labels) {
		return "", fmt.Errorf("%w (%s by %s): remove or rename that container",
			ErrNameInUse, spec.Name, short(held.ID))
	}
	if held.State.Status == container.StateDead || held.State.Status == container.StatePaused {
		return "", fmt.Errorf("%w (%s by %s, which is %s): remove that container",
			ErrNameInUse, spec.Name, short(held.ID), held.State.Status)
	}
	return held.ID, nil
}

// discard removes a container that this call made. It returns what to add to
// the error that led here.
func (d *Docker) discard(ctx context.Context, cli *client.Client, spec Spec, id string) string {
	ctx, cancel := within(context.WithoutCancel(ctx), slowCall)
	defer cancel()
	if id == spec.Name {
		r, err := cli.ContainerInspect(ctx, id)
		if err != nil || !spec.made(r.Config.Labels) {
			return "" // the engine never got to making it
		}
		id = r.ID
	}
	if err := removeContainer(ctx, cli, id); err != nil {
		return fmt.Sprintf(" (and container %s is left behind: %s)", short(id), d.explain(ctx, err))
	}
	return ""
}

// container turns spec into the engine's three configurations.
func (d *Docker) container(spec Spec) (*container.Config, *container.HostConfig, *network.NetworkingConfig) {
	policy, _ := parseRestartPolicy(spec.RestartPolicy) // checked by Start
	name := NetworkName(spec.App)
	end := &network.EndpointSettings{}
	if spec.Address.IsValid() {
		end.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: spec.Address.String()}
	}
	config := &container.Config{
		Image:      spec.Image,
		Entrypoint: spec.Entrypoint,
		Cmd:        spec.Command,
		Env:        spec.Env,
		Labels:     spec.labels(),
		Tty:        spec.TTY,

		AttachStdin: spec.stdin, OpenStdin: spec.stdin, StdinOnce: spec.stdin,
		AttachStdout: spec.attached, AttachStderr: spec.attached,
	}
	if spec.TTY {
		config.StopSignal = "SIGHUP"
	}
	if spec.StopTimeout > 0 {
		config.StopTimeout = new(seconds(spec.StopTimeout))
	}
	// The kernel ignores a TERM that the first process of a container has no
	// handler for, and most programs have none: each stop would take its whole
	// timeout. Dokku runs an init too.
	init := true
	host := &container.HostConfig{
		Init:        &init,
		Mounts:      mounts(spec),
		Resources:   resources(spec.Limits),
		NetworkMode: container.NetworkMode(name),
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{
			"max-size": d.config.LogMaxSize,
			"max-file": strconv.Itoa(d.config.LogMaxFile),
		}},
		RestartPolicy: container.RestartPolicy{
			Name:              container.RestartPolicyMode(policy.name),
			MaximumRetryCount: policy.max,
		},
	}
	if spec.HostPort != 0 {
		port := nat.Port(strconv.Itoa(spec.Port) + "/tcp")
		config.ExposedPorts = nat.PortSet{port: {}}
		host.PortBindings = nat.PortMap{port: {{HostPort: strconv.Itoa(spec.HostPort)}}}
	}
	return config, host, &network.NetworkingConfig{
		EndpointsConfig: map[string]*network.EndpointSettings{name: end},
	}
}

// seconds rounds up: a grace of half a second must not become none.
func seconds(d time.Duration) int {
	return int((d + time.Second - 1) / time.Second)
}
