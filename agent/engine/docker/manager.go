package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// Manager returns the client for calls about the swarm that the engine manages: package
// swarm makes those that are no part of engine.Clusters. It has agreed with the engine on a
// version of the API.
func (d *Engine) Manager(ctx context.Context) (*client.Client, error) { return d.connect(ctx) }

// Nodes lists the nodes of the swarm that the engine manages, sorted by their names. It costs
// less than Cluster, which also asks the engine about itself.
func (d *Engine) Nodes(ctx context.Context) ([]engine.Node, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	all, err := nodes(ctx, cli)
	return all, d.ExplainSwarm(ctx, err)
}

// Overlay returns the name of the app's overlay network, and makes the network if it is
// missing. Names of a swarm's networks are unique, so it needs no lock.
func (d *Engine) Overlay(ctx context.Context, app string) (string, error) {
	name := engine.OverlayName(app)
	if err := d.overlay(ctx, app, name); err != nil {
		return "", fmt.Errorf("cannot make network %s: %w", name, err)
	}
	return name, nil
}

func (d *Engine) overlay(ctx context.Context, app, name string) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	list, err := cli.NetworkList(ctx, network.ListOptions{Filters: labelled(app)})
	if err != nil {
		return d.ExplainSwarm(ctx, err)
	}
	if slices.ContainsFunc(list, func(n network.Summary) bool { return n.Name == name }) {
		return nil
	}
	labels := map[string]string{engine.LabelApp: app}
	if root := d.root(); root != "" {
		labels[engine.LabelRoot] = root
	}
	_, err = cli.NetworkCreate(ctx, name, network.CreateOptions{Driver: "overlay", Attachable: true, Labels: labels})
	if err == nil || !strings.Contains(err.Error(), "already exists") && !strings.Contains(err.Error(), "name conflicts") {
		return d.ExplainSwarm(ctx, err)
	}
	n, err := cli.NetworkInspect(ctx, name, network.InspectOptions{})
	if err == nil && n.Labels[engine.LabelApp] != app {
		return fmt.Errorf("it exists and is not this app's: remove or rename it")
	}
	return d.ExplainSwarm(ctx, err)
}
