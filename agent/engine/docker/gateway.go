package docker

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// bindPorts makes the network by which processes of a swarm leave their node and are reached at
// its ports, so that these ports are open on the node alone. The engine would make it by
// itself, for all addresses. One that an earlier swarm has left for other addresses is replaced.
// It reports whether it made the network.
func bindPorts(ctx context.Context, cli *client.Client) (made bool, err error) {
	options := engine.GatewayOptions()
	left, err := cli.NetworkInspect(ctx, engine.GatewayNetwork, network.InspectOptions{})
	switch {
	case err == nil && left.Options[engine.GatewayBinding] == options[engine.GatewayBinding]:
		return false, nil
	case err == nil:
		if err = cli.NetworkRemove(ctx, engine.GatewayNetwork); err != nil {
			return false, fmt.Errorf("network %s is left from an earlier swarm, and publishes ports at other addresses than %s: %w; remove it: docker network rm %[1]s",
				engine.GatewayNetwork, options[engine.GatewayBinding], err)
		}
	case !errdefs.IsNotFound(err):
		return false, err
	}
	_, err = cli.NetworkCreate(ctx, engine.GatewayNetwork, network.CreateOptions{Driver: "bridge", Options: options})
	return err == nil, err
}
