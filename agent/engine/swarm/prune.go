package swarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// PruneNodes implements engine.NodeServices. It removes old programs of the node service, too.
func (e *Engine) PruneNodes(ctx context.Context, repositories, keep []string) (done engine.Pruned, err error) {
	s, err := e.nodeService(ctx)
	if err != nil || s.ID == "" {
		return done, err
	}
	own := []string{s.Spec.TaskTemplate.ContainerSpec.Image}
	if p := s.PreviousSpec; p != nil && p.TaskTemplate.ContainerSpec != nil {
		own = append(own, p.TaskTemplate.ContainerSpec.Image) // of one that has yet to end
	}
	nodes, err := e.docker.Nodes(ctx)
	if err != nil {
		return done, err
	}
	c, err := e.docker.Cluster(ctx)
	if err != nil {
		return done, err
	}
	var all sync.WaitGroup
	each, failed := make([]engine.Pruned, len(nodes)), make([]error, len(nodes))
	for i, n := range nodes {
		old := append([]string{engine.RepositoryOf(own[0])}, repositories...)
		if n.ID == c.Self { // whoever plans for this machine removes those of releases
			old = slices.DeleteFunc(old, func(r string) bool {
				return slices.ContainsFunc(keep, func(k string) bool { return engine.RepositoryOf(k) == r })
			})
		}
		if n.State != engine.NodeReady {
			each[i].Left = 1
			continue
		}
		all.Go(func() {
			if err := e.prune(ctx, n, old, slices.Concat(own, keep), &each[i]); err != nil {
				each[i].Left++
				failed[i] = fmt.Errorf("cannot remove old images from %s: %w", n.Name, err)
			}
		})
	}
	all.Wait()
	for _, p := range each {
		done.Removed += p.Removed
		done.Left += p.Left
	}
	return done, errors.Join(failed...)
}

// prune removes the images of one node.
func (e *Engine) prune(ctx context.Context, n engine.Node, repositories, keep []string, done *engine.Pruned) error {
	d, err := e.engineAt(n.Address)
	if err != nil {
		return err
	}
	c, cancel := context.WithTimeout(ctx, 3*answerLimit)
	cli, err := d.Manager(c)
	cancel()
	if err != nil {
		return fmt.Errorf("%w%s", err, e.trouble(ctx, n.ID))
	}
	ctx, cancel = engine.Within(ctx, engine.SlowCall)
	defer cancel()
	images, err := cli.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return err
	}
	// One that is not pulled yet has no container either: it is a name of keep.
	for _, i := range images {
		for _, name := range i.RepoDigests {
			if slices.Contains(keep, name) || !slices.Contains(repositories, engine.RepositoryOf(name)) {
				continue
			}
			if err := removeUnused(ctx, cli, name, done); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeUnused takes a name away from an image, and with its last one removes it. It leaves
// alone what a container has, also one that has ended.
func removeUnused(ctx context.Context, cli *client.Client, name string, done *engine.Pruned) error {
	_, err := cli.ImageRemove(ctx, name, image.RemoveOptions{})
	switch {
	case errdefs.IsConflict(err):
		done.Left++
	case errdefs.IsNotFound(err):
	case err != nil:
		return err
	default:
		done.Removed++
	}
	return nil
}
