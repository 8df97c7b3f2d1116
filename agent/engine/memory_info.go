package engine

import (
	"context"
	"encoding/json"
	"fmt"
)

// Info implements Inspector.
func (m *Memory) Info(ctx context.Context) (Info, error) {
	return call(ctx, m, func() (Info, error) { return Info{Version: "0.0.0", API: "0.0", DataRoot: "/"}, nil }, "Info")
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

// Describe implements Inspector.
func (m *Memory) Describe(ctx context.Context, id string) ([]byte, error) {
	return call(ctx, m, func() ([]byte, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.find(id)
		if p == nil {
			return nil, fmt.Errorf("cannot inspect container %s: %w", short(id), ErrNoContainer)
		}
		return json.Marshal(map[string]any{"Id": p.ID, "Name": "/" + p.Name,
			"State":  map[string]any{"Status": p.Status, "Running": p.Running()},
			"Config": map[string]any{"Env": p.spec.Env, "Labels": p.spec.labels()}})
	}, "Describe", id)
}
