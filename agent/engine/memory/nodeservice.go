package memory

import (
	"context"
	"slices"

	"dokku/agent/engine"
)

// SetNodeServices sets what NodeServices returns.
func (m *Engine) SetNodeServices(list ...engine.NodeService) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodeServices = list
}

// NodeServices implements engine.NodeServices.
func (m *Engine) NodeServices(ctx context.Context) ([]engine.NodeService, error) {
	return call(ctx, m, func() ([]engine.NodeService, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return slices.Clone(m.nodeServices), nil
	}, "NodeServices")
}

// RenewNodeService implements engine.NodeServices.
func (m *Engine) RenewNodeService(ctx context.Context, _ func(string) (engine.RegistryAuth, error)) error {
	_, err := call(ctx, m, func() (struct{}, error) { return struct{}{}, nil }, "RenewNodeService")
	return err
}

// AwaitNodeService implements engine.NodeServices.
func (m *Engine) AwaitNodeService(ctx context.Context) error {
	_, err := call(ctx, m, func() (struct{}, error) { return struct{}{}, nil }, "AwaitNodeService")
	return err
}

// SetNodeServiceKeys sets what NodeServiceKeys returns.
func (m *Engine) SetNodeServiceKeys(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodeServiceKeys = id
}

// NodeServiceKeys implements engine.NodeServices.
func (m *Engine) NodeServiceKeys(ctx context.Context) (string, error) {
	return call(ctx, m, func() (string, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.nodeServiceKeys, nil
	}, "NodeServiceKeys")
}

// PruneNodes implements engine.NodeServices. Its nodes have no images of their own.
func (m *Engine) PruneNodes(ctx context.Context, repositories, keep []string) (engine.Pruned, error) {
	return call(ctx, m, func() (engine.Pruned, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.pruned, nil
	}, "PruneNodes", repositories, keep)
}

// SetPruned sets what PruneNodes returns.
func (m *Engine) SetPruned(p engine.Pruned) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pruned = p
}
