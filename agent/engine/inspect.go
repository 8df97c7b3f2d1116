package engine

import (
	"context"
	"fmt"
)

// Inspector looks at one container.
type Inspector interface {
	// Instance returns the state of a container; ErrNoContainer when it is gone.
	Instance(ctx context.Context, id string) (Instance, error)
}

// Instance implements Inspector.
func (d *Docker) Instance(ctx context.Context, id string) (Instance, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return Instance{}, err
	}
	ctx, cancel := within(ctx, quickCall)
	defer cancel()
	r, err := cli.ContainerInspect(ctx, id)
	if err != nil {
		return Instance{}, fmt.Errorf("cannot inspect container %s: %w", short(id), d.explainContainer(ctx, id, err))
	}
	return instance(r), nil
}

// Instance implements Inspector.
func (m *Memory) Instance(ctx context.Context, id string) (Instance, error) {
	return call(ctx, m, func() (Instance, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.find(id)
		if p == nil {
			return Instance{}, fmt.Errorf("cannot inspect container %s: %w", short(id), ErrNoContainer)
		}
		return p.Instance, nil
	}, "Instance", id)
}
