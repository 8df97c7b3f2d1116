package container

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/client"
)

// Spec describes a container. Name and Image are required.
type Spec struct {
	// Name is the container's name, the same at each build: "hello.build.detect".
	Name  string
	Image string // id or name; Engine.Image pulls one
	// Entrypoint nil is the image's. Then Command nil is the image's, too.
	Entrypoint []string
	Command    []string
	User       string // "": the image's
	Dir        string // working folder; "": the image's
	// Env are "KEY=value". Everybody who may inspect containers reads them, and Commit
	// keeps them.
	Env []string
	// Network is the name of a network, or "none"; "": the engine's default one.
	Network string
	// Labels identify the app. They are set on the container and on its cache volumes.
	Labels map[string]string
	// Capabilities are those that the container's processes keep: "CHOWN".
	Capabilities []string
	// Caches are named volumes, by path in the container. The engine makes a missing one.
	Caches []Cache
	// Scratch are folders that last as long as the container. Commit leaves their content
	// out of the image.
	Scratch []string
	// From shares the caches and scratch folders of other containers, at the same paths.
	// Those containers are removed after this one.
	From   []*Container
	Limits Limits
}

// Cache is a volume that outlives the build.
type Cache struct {
	Name   string
	Target string            // absolute path in the container
	Labels map[string]string // beside those of the Spec
}

// Limits bound a container. 0: no limit.
type Limits struct {
	Memory int64 // bytes, swap included
	Pids   int64 // processes and threads
}

// Container is a container of a build.
type Container struct {
	engine *Engine
	spec   Spec
	id     string
}

// ID is the engine's id of the container.
func (c *Container) ID() string { return c.id }

// Create makes a container, which does not run yet. The caller removes it.
func (e *Engine) Create(ctx context.Context, s Spec) (*Container, error) {
	failed := "cannot make the container " + s.Name
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", failed, context.Cause(ctx))
	}
	// A create without an answer would leave a container behind.
	settled, cancel := context.WithTimeout(context.WithoutCancel(ctx), slowCall)
	defer cancel()
	cli := e.config.Client()
	if err := e.claimCaches(settled, cli, s); err != nil {
		return nil, explain(settled, failed, err)
	}
	config, host := e.config.container(s)
	made, err := cli.ContainerCreate(settled, config, host, nil, nil, s.Name)
	if errdefs.IsConflict(err) {
		if err = e.removeLeft(settled, cli, s); err == nil {
			made, err = cli.ContainerCreate(settled, config, host, nil, nil, s.Name)
		}
	}
	if err != nil {
		return nil, explain(settled, failed, err)
	}
	c := &Container{engine: e, spec: s, id: made.ID}
	if ctx.Err() != nil {
		c.Remove()
		return nil, fmt.Errorf("%s: %w", failed, context.Cause(ctx))
	}
	return c, nil
}

// removeLeft removes the container of a killed build of the same app.
func (e *Engine) removeLeft(ctx context.Context, cli *client.Client, s Spec) error {
	r, err := cli.ContainerInspect(ctx, s.Name)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for k, v := range e.config.labels(s) {
		if r.Config.Labels[k] != v {
			return fmt.Errorf("another container has this name; rename or remove it: docker rm -f %s", s.Name)
		}
	}
	return remove(ctx, cli, r.ID)
}

// claimCaches removes the volumes that have the name of a cache but other values of its
// labels, such as that of an app that had this name before. A volume without any of the
// labels is no cache: it may have somebody's data.
func (e *Engine) claimCaches(ctx context.Context, cli *client.Client, s Spec) error {
	for _, v := range s.Caches {
		found, err := cli.VolumeInspect(ctx, v.Name)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		labels := v.labels(s)
		if !slices.ContainsFunc(slices.Collect(maps.Keys(labels)), func(key string) bool { _, ok := found.Labels[key]; return ok }) {
			return fmt.Errorf("the volume %s, which the build would use as its cache, is none: copy what it has to a volume of another name, and remove it: docker volume rm %[1]s", v.Name)
		}
		for key, value := range labels {
			if found.Labels[key] == value {
				continue
			}
			if err := cli.VolumeRemove(ctx, v.Name, false); err != nil {
				return fmt.Errorf("the volume %s is not a cache of this app and cannot be removed: %w", v.Name, err)
			}
			break
		}
	}
	return nil
}

// labels are all labels of a cache.
func (v Cache) labels(s Spec) map[string]string {
	all := map[string]string{}
	maps.Copy(all, s.Labels)
	maps.Copy(all, v.Labels)
	return all
}

// labels are all labels of a container.
func (c Config) labels(s Spec) map[string]string {
	all := map[string]string{}
	maps.Copy(all, c.Labels)
	maps.Copy(all, s.Labels)
	return all
}

// container turns a Spec into the engine's two configurations.
func (c Config) container(s Spec) (*container.Config, *container.HostConfig) {
	host := &container.HostConfig{
		Init:        new(true), // orphans of a build have to be reaped
		LogConfig:   container.LogConfig{Type: "none"},
		NetworkMode: container.NetworkMode(s.Network),
		CapDrop:     []string{"ALL"},
		CapAdd:      s.Capabilities,
		SecurityOpt: []string{"no-new-privileges"},
		Resources:   container.Resources{Memory: s.Limits.Memory, MemorySwap: s.Limits.Memory},
	}
	if s.Limits.Pids > 0 {
		host.PidsLimit = new(s.Limits.Pids)
	}
	for _, v := range s.Caches {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: v.Name, Target: v.Target,
			VolumeOptions: &mount.VolumeOptions{Labels: v.labels(s)}})
	}
	for _, dir := range s.Scratch {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Target: dir, VolumeOptions: &mount.VolumeOptions{Labels: c.labels(s)}})
	}
	for _, other := range s.From {
		host.VolumesFrom = append(host.VolumesFrom, other.id)
	}
	return &container.Config{Image: s.Image, Entrypoint: s.Entrypoint, Cmd: s.Command, User: s.User, WorkingDir: s.Dir,
		Env: slices.Clone(s.Env), Labels: c.labels(s), AttachStdout: true, AttachStderr: true}, host
}

// Remove removes the container, killing it if it runs, with its scratch folders. It works also when the build's context is done. A container
// that is gone is no error.
func (c *Container) Remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), slowCall)
	defer cancel()
	if err := remove(ctx, c.engine.config.Client(), c.id); err != nil {
		return explain(ctx, "cannot remove the container "+c.spec.Name, err)
	}
	return nil
}

// remove removes a container with its anonymous volumes.
func remove(ctx context.Context, cli *client.Client, id string) error {
	for {
		err := cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		if !errdefs.IsConflict(err) {
			return err
		}
		select { // its removal is already under way
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}
