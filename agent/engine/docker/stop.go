package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// Rename implements Engine.
func (d *Engine) Rename(ctx context.Context, id, name string) error {
	if err := d.rename(ctx, id, name); err != nil {
		return fmt.Errorf("cannot rename container %s to %s: %w", engine.Short(id), name, err)
	}
	return nil
}

func (d *Engine) rename(ctx context.Context, id, name string) error {
	name = d.config.NamePrefix + name
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	// The engine calls renaming to the same name an error, with the status of a
	// bad request that is not told apart from others.
	r, err := cli.ContainerInspect(ctx, id)
	if err != nil {
		return d.explainContainer(ctx, id, err)
	}
	if trimSlash(r.Name) == name {
		return nil
	}
	err = cli.ContainerRename(ctx, id, name)
	// Engine 20.10 reports the conflict without its kind.
	if err != nil && (errdefs.IsConflict(err) || strings.Contains(err.Error(), "already in use")) {
		return fmt.Errorf("%w (%s): remove or rename that container", engine.ErrNameInUse, name)
	}
	return d.explainContainer(ctx, id, err)
}

// Stop implements Engine.
func (d *Engine) Stop(ctx context.Context, id string, grace time.Duration) error {
	if err := d.stop(ctx, id, grace); err != nil {
		return fmt.Errorf("cannot stop container %s: %w", engine.Short(id), err)
	}
	return nil
}

func (d *Engine) stop(ctx context.Context, id string, grace time.Duration) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := engine.Within(ctx, grace+engine.SlowCall)
	defer cancel()
	err = cli.ContainerStop(ctx, id, container.StopOptions{Timeout: new(max(0, seconds(grace)))})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return d.explain(ctx, err)
}

// Remove implements Engine.
func (d *Engine) Remove(ctx context.Context, r engine.Resource) error {
	if err := d.remove(ctx, r); err != nil {
		return fmt.Errorf("cannot remove %s %s: %w", r.Kind, engine.Short(r.ID), err)
	}
	return nil
}

func (d *Engine) remove(ctx context.Context, r engine.Resource) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := engine.Within(ctx, engine.SlowCall)
	defer cancel()
	switch r.Kind {
	case engine.Container:
		err = removeContainer(ctx, cli, r.ID)
	case engine.NetworkKind:
		err = removeNetwork(ctx, cli, r.ID)
	case engine.ImageKind:
		err = removeImage(ctx, cli, r.ID, r.App)
	case engine.VolumeKind:
		err = removeVolume(ctx, cli, r.ID)
	default:
		return fmt.Errorf("there is no kind of resource %q", r.Kind)
	}
	return d.explain(ctx, err)
}

// removeVolume removes a named volume. The engine refuses one that a container has.
func removeVolume(ctx context.Context, cli *client.Client, name string) error {
	err := cli.VolumeRemove(ctx, name, false)
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case errdefs.IsConflict(err):
		return fmt.Errorf("%w (%w)", engine.ErrInUse, err)
	}
	return err
}

// removeContainer returns once the container has gone, even if another call removes it.
func removeContainer(ctx context.Context, cli *client.Client, id string) error {
	err := cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if errdefs.IsConflict(err) { // its removal is already under way
		_, err = ended(ctx, cli, id, container.WaitConditionRemoved)
	}
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// removeNetwork refuses a network that any container would miss. The engine
// refuses only for running ones; a stopped one could never be started again.
func removeNetwork(ctx context.Context, cli *client.Client, id string) error {
	n, err := cli.NetworkInspect(ctx, id, network.InspectOptions{})
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	// A container that never ran knows its network only by the name.
	users, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("network", n.ID), filters.Arg("network", n.Name))})
	if err != nil {
		return err
	}
	// The swarm tells whether its own tasks need a network.
	users = slices.DeleteFunc(users, func(c container.Summary) bool { return ofSwarm(c.Labels) })
	if len(users) > 0 {
		return fmt.Errorf("%w (%s)", engine.ErrInUse, containerNames(users))
	}
	err = cli.NetworkRemove(ctx, n.ID)
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case err != nil && (strings.Contains(err.Error(), "has active endpoints") || strings.Contains(err.Error(), "is in use by")): // of an overlay
		return fmt.Errorf("%w: %w", engine.ErrInUse, err)
	}
	return err
}

func containerNames(list []container.Summary) string {
	names := make([]string, 0, len(list))
	for _, c := range list {
		if len(c.Names) > 0 {
			names = append(names, trimSlash(c.Names[0]))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// removeImage removes our names from an image and with the last name the
// image. By id, the engine refuses an image with several names. It would take
// all names but one away from an image in use, so that is looked up first. An
// image with a name outside TagPrefix stays, without ours: another program may need it.
func removeImage(ctx context.Context, cli *client.Client, id, app string) error {
	i, err := cli.ImageInspect(ctx, id)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	names := tags(i.RepoTags)
	if own, rest := engine.NamesOf(app, names); len(rest) > 0 {
		return removeNames(ctx, cli, own)
	}
	users, err := cli.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(users, func(c container.Summary) bool { return c.ImageID == i.ID }) {
		return nil
	}
	if len(names) == 0 {
		names = []string{i.ID}
	}
	// A task of a swarm that ran here has pulled it by its digest.
	return removeNames(ctx, cli, append(names, i.RepoDigests...))
}

func removeNames(ctx context.Context, cli *client.Client, names []string) error {
	for _, name := range names {
		_, err := cli.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true})
		// A conflict: a new container uses it, or it has child images.
		if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) && !removedMeanwhile(err) {
			return err
		}
	}
	return nil
}

// removedMeanwhile reports whether the image had gone when its turn came. A removal
// continues in the engine after its caller has stopped waiting, and the next removal
// notices only halfway.
func removedMeanwhile(err error) bool { return strings.Contains(err.Error(), "unrecognized image ID") }
