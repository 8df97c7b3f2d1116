package docker

import (
	"context"

	"dokku/agent/engine"
)

// NodeServices implements engine.NodeServices: nothing is placed without package swarm.
func (d *Engine) NodeServices(context.Context) ([]engine.NodeService, error) { return nil, nil }

// RenewNodeService implements engine.NodeServices.
func (d *Engine) RenewNodeService(context.Context, func(string) (engine.RegistryAuth, error)) error {
	return nil
}

// AwaitNodeService implements engine.NodeServices.
func (d *Engine) AwaitNodeService(context.Context) error { return nil }

// NodeServiceKeys implements engine.NodeServices.
func (d *Engine) NodeServiceKeys(context.Context) (string, error) { return "", nil }

// PruneNodes implements engine.NodeServices.
func (d *Engine) PruneNodes(context.Context, []string, []string) (engine.Pruned, error) {
	return engine.Pruned{}, nil
}
