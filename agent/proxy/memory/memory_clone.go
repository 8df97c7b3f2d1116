package memory

import "maps"

// Clone returns a proxy that has the routes of m, without its hook and history.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{live: maps.Clone(m.live)}
}
