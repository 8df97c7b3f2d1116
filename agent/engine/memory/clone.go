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
		volumes: maps.Clone(m.volumes), named: maps.Clone(m.named), caches: maps.Clone(m.caches), appCaches: maps.Clone(m.appCaches), buildCache: m.buildCache, together: maps.Clone(m.together), root: m.root, registry: maps.Clone(m.registry),
		patience: m.patience, registryDown: m.registryDown, nodeServiceKeys: m.nodeServiceKeys, pushed: maps.Clone(m.pushed), pushedImages: maps.Clone(m.pushedImages)}
	nodes, groups := map[*node]*node{}, map[*group]*group{}
	if m.node != nil {
		nodes = m.node.swarm.copyOf(c)
		c.node = nodes[m.node]
	}
	for _, p := range m.containers {
		q := *p
		q.lines, q.execs = slices.Clone(p.lines), slices.Clone(p.execs)
		q.files = maps.Clone(p.files)
		q.changed = make(chan struct{})
		if q.home = nodes[p.home]; p.group != nil {
			if groups[p.group] == nil {
				g := *p.group
				groups[p.group] = &g
			}
			q.group = groups[p.group]
		}
		c.containers = append(c.containers, &q)
	}
	for _, i := range m.images {
		j := *i
		j.tags = slices.Clone(i.tags)
		c.images = append(c.images, &j)
	}
	return c
}
