package memory

import (
	"maps"
	"slices"
)

// Clone returns a deep copy of m without its hook and watchers. Containers keep their
// ids.
func (m *Engine) Clone() *Engine {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &Engine{serial: m.serial, script: m.script, nets: slices.Clone(m.nets), shared: slices.Clone(m.shared),
		volumes: maps.Clone(m.volumes), named: maps.Clone(m.named), caches: maps.Clone(m.caches), buildCache: m.buildCache, together: maps.Clone(m.together), root: m.root, registry: maps.Clone(m.registry),
		registryDown: m.registryDown, pushed: maps.Clone(m.pushed), node: m.node}
	for _, p := range m.containers {
		q := *p
		q.lines, q.execs = slices.Clone(p.lines), slices.Clone(p.execs)
		q.files = maps.Clone(p.files)
		q.changed = make(chan struct{})
		c.containers = append(c.containers, &q)
	}
	for _, i := range m.images {
		j := *i
		j.tags = slices.Clone(i.tags)
		c.images = append(c.images, &j)
	}
	return c
}
