package swarm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"golang.org/x/sync/errgroup"

	"dokku/agent/engine"
	"dokku/agent/engine/node"
)

// NodeServices implements engine.NodeServices.
func (e *Engine) NodeServices(ctx context.Context) ([]engine.NodeService, error) {
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	s, err := e.nodeService(ctx)
	if err != nil || s.ID == "" {
		return nil, err
	}
	nodes, err := e.docker.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	tasks, err := e.tasks(ctx, []string{s.ID})
	if err != nil {
		return nil, e.docker.ExplainSwarm(ctx, err)
	}
	keys, err := e.guard.config.Keys.Load()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // without them no node answers
		return nil, err
	}
	nodes = slices.DeleteFunc(nodes, func(n engine.Node) bool { return n.State != engine.NodeReady || n.Availability == engine.NodeDrained })
	list := make([]engine.NodeService, len(nodes))
	var all errgroup.Group
	for i, n := range nodes {
		all.Go(func() error {
			list[i] = engine.NodeService{Node: n, Until: node.Expires(keys.Bundle())}
			if err := e.asks(ctx, n); err != nil {
				list[i].Trouble = err.Error()
				return nil
			}
			list[i].Open, list[i].Off = e.open(ctx, n), e.off(ctx, n)
			list[i].Outdated = !slices.ContainsFunc(tasks, func(t swarm.Task) bool {
				return t.NodeID == n.ID && t.Status.State == swarm.TaskStateRunning && sameService(t.Spec.ContainerSpec, s.Spec.TaskTemplate.ContainerSpec)
			})
			return nil
		})
	}
	return list, all.Wait()
}

// NodeServiceKeys implements engine.NodeServices.
func (e *Engine) NodeServiceKeys(ctx context.Context) (string, error) {
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	s, err := e.nodeService(ctx)
	if err != nil || s.ID == "" {
		return "", err
	}
	return s.Spec.Labels[labelKeys], nil
}

// sameService reports whether two node services have one program and the same keys.
func sameService(a, b *swarm.ContainerSpec) bool {
	return a != nil && a.Image == b.Image && slices.EqualFunc(a.Secrets, b.Secrets, func(a, b *swarm.SecretReference) bool { return a.SecretID == b.SecretID })
}

// AwaitNodeService implements engine.NodeServices.
func (e *Engine) AwaitNodeService(ctx context.Context) error {
	ctx, cancel := engine.Within(ctx, guardLimit)
	defer cancel()
	for {
		list, err := patient(ctx, func() ([]engine.NodeService, error) { return e.NodeServices(ctx) })
		if err != nil || len(list) == 0 {
			return err
		}
		var failed []error
		for _, s := range list {
			switch {
			case s.Trouble != "":
				failed = append(failed, errors.New(s.Trouble))
			case s.Outdated:
				failed = append(failed, fmt.Errorf("%s: the node service has yet to be replaced; docker service ps --no-trunc %s says more", s.Node.Name, ServiceName))
			}
		}
		if failed == nil {
			break
		}
		if engine.Pause(ctx, waitPause); ctx.Err() != nil {
			return errors.Join(failed...)
		}
	}
	engine.Pause(ctx, node.Succeeds)
	return context.Cause(ctx)
}

// nodeService returns the node service of this server; without an id if there is none.
func (e *Engine) nodeService(ctx context.Context) (swarm.Service, error) {
	if e.guard.config.Keys.Dir == "" {
		return swarm.Service{}, nil
	}
	s, err := e.named(ctx, ServiceName)
	if errors.Is(err, engine.ErrNoCluster) || errors.Is(err, engine.ErrNoManager) || err == nil && s.Spec.Labels[labelKeys] == "" {
		return swarm.Service{}, nil
	}
	return s, err
}

// open returns the address at which a node publishes ports, if others may reach it.
func (e *Engine) open(ctx context.Context, n engine.Node) string {
	d, err := e.engineAt(n.Address)
	if err != nil {
		return ""
	}
	cli, err := d.Manager(ctx)
	if err != nil {
		return ""
	}
	gateway, err := cli.NetworkInspect(ctx, engine.GatewayNetwork, network.InspectOptions{})
	bound := gateway.Options[engine.GatewayBinding]
	switch {
	case err != nil || bound == engine.GatewayOptions()[engine.GatewayBinding]:
		return ""
	case bound == "":
		return "0.0.0.0"
	}
	return bound
}

// off is how far the clock of a node is before this server's; 0: nobody can tell.
func (e *Engine) off(ctx context.Context, n engine.Node) time.Duration {
	d, err := e.engineAt(n.Address)
	if err != nil {
		return 0
	}
	cli, err := d.Manager(ctx)
	if err != nil {
		return 0
	}
	began := time.Now()
	about, err := cli.Info(ctx)
	if err != nil {
		return 0
	}
	now, err := time.Parse(time.RFC3339Nano, about.SystemTime)
	if err != nil {
		return 0
	}
	return now.Sub(began.Add(time.Since(began) / 2))
}

// RenewNodeService implements engine.NodeServices.
func (e *Engine) RenewNodeService(ctx context.Context, login func(server string) (engine.RegistryAuth, error)) error {
	s, err := e.nodeService(ctx)
	if err != nil || s.ID == "" {
		return err
	}
	if _, err := e.guard.config.Keys.Load(); errors.Is(err, fs.ErrNotExist) {
		return nil // another server gave it, whose place this one may take
	}
	repository, _, _ := strings.Cut(s.Spec.TaskTemplate.ContainerSpec.Image, "@")
	server, _, _ := strings.Cut(repository, "/")
	auth, err := login(server)
	if err == nil {
		err = e.serve(ctx, repository, auth, true)
	}
	if err != nil {
		return fmt.Errorf("cannot renew the node service: %w", err)
	}
	return nil
}

// LeaveCluster implements Clusters. The node service goes with the swarm, and its image too.
func (e *Engine) LeaveCluster(ctx context.Context, force bool) error {
	s, err := e.nodeService(ctx)
	if err := e.Host.LeaveCluster(ctx, force); err != nil {
		return err
	}
	e.guard.serves.Store(false)
	if err != nil || s.ID == "" {
		return nil
	}
	c, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	cli, err := e.docker.Manager(c)
	if err != nil {
		return nil
	}
	images, _ := cli.ImageList(c, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", s.Spec.TaskTemplate.ContainerSpec.Image))})
	for _, i := range images {
		_, _ = cli.ImageRemove(c, i.ID, image.RemoveOptions{}) // it is one unused image
	}
	return nil
}
