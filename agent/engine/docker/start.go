package docker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"

	"dokku/agent/engine"
	"dokku/agent/failpoint"
)

// Start implements Engine.
func (d *Engine) Start(ctx context.Context, spec engine.Spec) (engine.Instance, error) {
	i, err := d.start(ctx, spec, nil)
	if err != nil {
		return engine.Instance{}, fmt.Errorf("cannot start %s: %w", spec.Title(), err)
	}
	return i, nil
}

// start calls before, if it is not nil, between the container's creation and its start. An
// existing container is then an error.
func (d *Engine) start(ctx context.Context, spec engine.Spec, before func(ctx context.Context, cli *client.Client, id string) error) (engine.Instance, error) {
	if err := spec.Check(); err != nil {
		return engine.Instance{}, err
	}
	spec.Name = d.config.NamePrefix + spec.Name
	cli, err := d.connect(ctx)
	if err != nil {
		return engine.Instance{}, err
	}
	if err := ctx.Err(); err != nil {
		return engine.Instance{}, err
	}
	// An unanswered create would leave a container behind.
	c, cancel := engine.Settled(ctx, engine.SlowCall)
	defer cancel()
	id, made, err := d.create(c, cli, spec)
	if err == nil {
		err = failpoint.Reach(failpoint.ContainerCreated)
	}
	if err == nil && before != nil {
		if err = fmt.Errorf("%w (%s): remove or rename that container", engine.ErrNameInUse, spec.Name); made {
			err = before(c, cli, id)
		}
	}
	if err == nil {
		err = join(c, cli, spec, id)
	}
	if err == nil && !made {
		err = d.renewed(c, cli, id)
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
			return engine.Instance{}, err
		}
		return engine.Instance{}, d.explainStart(c, spec, err)
	}
	r, err := cli.ContainerInspect(c, id)
	if err != nil {
		return engine.Instance{}, d.explainContainer(c, id, err)
	}
	return d.instance(r), nil
}

// create returns the id of spec's container, and whether it made it. If the outcome of
// the creation is unknown, the id is spec's name.
func (d *Engine) create(ctx context.Context, cli *client.Client, spec engine.Spec) (id string, made bool, err error) {
	config, host, ends := d.container(spec)
	if config.Healthcheck, err = seldom(ctx, cli, spec.Image); err != nil {
		return "", false, err
	}
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
		// The holder of the name is being created or removed.
		select {
		case <-retry.C:
		case <-ctx.Done():
			return "", false, ctx.Err()
		}
	}
}

// reuse accepts the container that has spec's name if it is spec's own.
func reuse(spec engine.Spec, held container.InspectResponse) (id string, err error) {
	if !spec.Made(held.Config.Labels) {
		return "", fmt.Errorf("%w (%s by %s): remove or rename that container",
			engine.ErrNameInUse, spec.Name, engine.Short(held.ID))
	}
	if held.State.Status == container.StateDead || held.State.Status == container.StatePaused {
		return "", fmt.Errorf("%w (%s by %s, which is %s): remove that container",
			engine.ErrNameInUse, spec.Name, engine.Short(held.ID), held.State.Status)
	}
	return held.ID, nil
}

// discard removes a container that this call made. It returns a text to add to the
// error that led here.
func (d *Engine) discard(ctx context.Context, cli *client.Client, spec engine.Spec, id string) string {
	ctx, cancel := engine.Within(context.WithoutCancel(ctx), engine.SlowCall)
	defer cancel()
	if id == spec.Name {
		r, err := cli.ContainerInspect(ctx, id)
		if err != nil || !spec.Made(r.Config.Labels) {
			return "" // the engine never got to making it
		}
		id = r.ID
	}
	if err := removeContainer(ctx, cli, id); err != nil {
		return fmt.Sprintf(" (and container %s is left behind: %s)", engine.Short(id), d.explain(ctx, err))
	}
	return ""
}

// container turns spec into the engine's three configurations.
func (d *Engine) container(spec engine.Spec) (*container.Config, *container.HostConfig, *network.NetworkingConfig) {
	policy, _ := engine.ParseRestartPolicy(spec.RestartPolicy) // checked by Start
	name := engine.NetworkName(spec.App)
	end := &network.EndpointSettings{Aliases: slices.Clone(spec.Names)}
	if spec.Address.IsValid() {
		end.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: spec.Address.String()}
	}
	config := &container.Config{
		Image:      spec.Image,
		Entrypoint: spec.Entrypoint,
		Cmd:        spec.Command,
		Env:        spec.Env,
		Labels:     spec.Labels(),
		Tty:        spec.TTY,
		Hostname:   spec.Hostname,

		AttachStdin: spec.Stdin, OpenStdin: spec.Stdin, StdinOnce: spec.Stdin,
		AttachStdout: spec.Attached, AttachStderr: spec.Attached,
	}
	config.Labels[labelTask] = notTask
	if spec.StopTimeout > 0 {
		config.StopTimeout = new(seconds(spec.StopTimeout))
	}
	host := &container.HostConfig{
		// The kernel ignores a TERM that the first process of a container has no
		// handler for, and most programs have none: each stop would take its whole
		// timeout. Dokku runs an init too. The engine's own default may be either.
		Init:        new(!spec.NoInit),
		Mounts:      mounts(spec),
		Resources:   resources(spec.Limits),
		NetworkMode: container.NetworkMode(name),
		LogConfig:   LogConfig(spec),
		RestartPolicy: container.RestartPolicy{
			Name:              container.RestartPolicyMode(policy.Name),
			MaximumRetryCount: policy.Max,
		},
	}
	addOptions(spec.Options, config, host)
	host.CapAdd, host.CapDrop = spec.Rights()
	if spec.Restricted || spec.Options.NoNewPrivileges {
		host.SecurityOpt = []string{"no-new-privileges"}
	}
	if spec.TTY {
		config.StopSignal = "SIGHUP"
	}
	if spec.HostPort != 0 {
		port := nat.Port(strconv.Itoa(spec.Port) + "/tcp")
		config.ExposedPorts = nat.PortSet{port: {}}
		host.PortBindings = nat.PortMap{port: {{HostPort: strconv.Itoa(spec.HostPort)}}}
	}
	publish(spec, config, host)
	return config, host, &network.NetworkingConfig{
		EndpointsConfig: map[string]*network.EndpointSettings{name: end},
	}
}

// publish binds the ports of spec.Publish.
func publish(spec engine.Spec, config *container.Config, host *container.HostConfig) {
	for _, p := range spec.Publish {
		if host.PortBindings == nil {
			config.ExposedPorts, host.PortBindings = nat.PortSet{}, nat.PortMap{}
		}
		port, binding := nat.Port(strconv.Itoa(p.Port)+"/tcp"), nat.PortBinding{}
		if p.HostPort != 0 {
			binding.HostPort = strconv.Itoa(p.HostPort)
		}
		if p.Host.IsValid() {
			binding.HostIP = p.Host.String()
		}
		config.ExposedPorts[port] = struct{}{}
		host.PortBindings[port] = append(host.PortBindings[port], binding)
	}
}

// LogConfig keeps a container's log small, unless it may have any size.
func LogConfig(spec engine.Spec) container.LogConfig {
	log := container.LogConfig{Type: "json-file", Config: map[string]string{}}
	if spec.LogSize != "unlimited" {
		log.Config["max-size"], log.Config["max-file"] = cmp.Or(spec.LogSize, logSize), logFiles
		if n := spec.Options.LogFiles; n != 0 {
			log.Config["max-file"] = strconv.Itoa(n)
		}
	}
	return log
}

// seconds rounds up: a grace of half a second must not become none.
func seconds(d time.Duration) int {
	return int((d + time.Second - 1) / time.Second)
}
