package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"path"

	"dokku/agent/engine"
)

// Info implements Inspector.
func (m *Engine) Info(ctx context.Context) (engine.Info, error) {
	return call(ctx, m, func() (engine.Info, error) {
		return engine.Info{Version: "0.0.0", API: "0.0", DataRoot: "/", EndsContainers: true}, nil
	}, "Info")
}

// Instance implements Inspector.
func (m *Engine) Instance(ctx context.Context, id string) (engine.Instance, error) {
	return call(ctx, m, func() (engine.Instance, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.find(id)
		if p == nil {
			return engine.Instance{}, fmt.Errorf("cannot inspect container %s: %w", engine.Short(id), engine.ErrNoContainer)
		}
		return p.Instance, nil
	}, "Instance", id)
}

// SetWritten makes a container have written size bytes beside the files of its Behaviour.
func (m *Engine) SetWritten(id string, size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.find(id); p != nil {
		p.written = size
	}
}

// Written implements Inspector. All of its files have the same content.
func (m *Engine) Written(ctx context.Context, id string) (int64, error) {
	return call(ctx, m, func() (int64, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.find(id)
		if p == nil {
			return 0, fmt.Errorf("cannot measure what container %s has written: %w", engine.Short(id), engine.ErrNoContainer)
		}
		size := p.written
		for name := range p.files {
			if _, inMemory := p.spec.Options.Tmpfs[path.Dir(name)]; !inMemory {
				size += int64(len(fileText))
			}
		}
		return size, nil
	}, "Written", id)
}

// Describe implements Inspector.
func (m *Engine) Describe(ctx context.Context, id string) ([]byte, error) {
	return call(ctx, m, func() ([]byte, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.find(id)
		if p == nil {
			return nil, fmt.Errorf("cannot inspect container %s: %w", engine.Short(id), engine.ErrNoContainer)
		}
		return json.Marshal(map[string]any{"Id": p.ID, "Name": "/" + p.Name,
			"State":  map[string]any{"Status": p.Status, "Running": p.Running()},
			"Config": map[string]any{"Env": p.spec.Env, "Labels": p.spec.Labels()}})
	}, "Describe", id)
}
