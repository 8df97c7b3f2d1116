package memory

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dokku/agent/engine"
)

// A group is a service of a Swarm. Its members are in Engine.containers of the manager
// that made it: no other engine sees them.
type group struct {
	id, name string
	spec     engine.Spec // of one of its members
	first    int         // the index of its first member
	stopped  bool
}

// firstNodePort is the first port that nodes publish.
const firstNodePort = 30000

// Add adds a worker that has no engine in memory. Its labels are those of constraints.
func (s *Swarm) Add(name, address string, labels map[string]string) {
	s.mu.Lock()
	n := s.add(address, engine.RoleWorker)
	n.Name, n.labels = name, labels
	s.mu.Unlock()
	s.changed()
}

// Die makes the managers lose a node, by its name, or find it again. Its processes are lost
// until Reschedule, or until it is back.
func (s *Swarm) Die(name string, dead bool) {
	s.mu.Lock()
	for _, n := range s.nodes {
		if n.Name == name {
			n.down = dead
		}
	}
	s.elect()
	s.mu.Unlock()
	s.changed()
}

// FailPulls makes a node, or all with the name "", fail to pull images; nil: they can.
func (s *Swarm) FailPulls(name string, reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		if name == "" || n.Name == name {
			n.cannotPull = reason
		}
	}
}

// Reschedule places what is lost on other nodes, as a swarm does some time after a loss.
func (s *Swarm) Reschedule() {
	for _, m := range s.members() {
		m.withNodes(func() {
			for _, p := range m.containers {
				if p.Status == engine.StatusLost {
					m.move(p)
				}
			}
		})
	}
}

// Patience makes a start wait for a node that takes the process; 0: it fails at once.
func (m *Engine) Patience(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.patience = d
}

// members are the engines that know the swarm.
func (s *Swarm) members() []*Engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.engines)
}

// changed makes all engines look at the nodes.
func (s *Swarm) changed() {
	for _, m := range s.members() {
		m.withNodes(m.lookAtNodes)
	}
}

// withNodes runs do with the locks of the engine and of its swarm.
func (m *Engine) withNodes(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.lockNodes()()
	do()
}

// lockNodes locks the swarm of an engine whose lock is held, unless this engine has it.
func (m *Engine) lockNodes() (unlock func()) {
	if m.node == nil || m.nodesLocked {
		return func() {}
	}
	s := m.node.swarm
	s.mu.Lock()
	m.nodesLocked = true
	return func() {
		m.nodesLocked = false
		s.mu.Unlock()
	}
}

// lookAtNodes loses and finds processes by the state of their nodes, moves those of drained
// nodes, and places those that wait for a node. Both locks are held.
func (m *Engine) lookAtNodes() {
	for _, p := range slices.Clone(m.containers) {
		switch {
		case p.group == nil:
		case p.home == nil && p.Status == engine.StatusCreated:
			if m.assign(p) == nil {
				m.run(p)
			}
		case p.home == nil:
		case p.home.down && p.Status == engine.StatusRunning:
			p.Status = engine.StatusLost
			m.tell(p, engine.ActionMove)
			p.notify()
		case !p.home.down && p.Status == engine.StatusLost:
			p.Status = engine.StatusRunning
			m.tell(p, engine.ActionMove)
			p.notify()
		case p.home.Availability == engine.NodeDrained && p.Status == engine.StatusRunning:
			m.move(p)
		}
	}
}

// move places a process on another node, or lets it wait for one.
func (m *Engine) move(p *process) {
	m.tell(p, engine.ActionMove)
	p.home, p.Node, p.NodePort, p.Address, p.Status = nil, "", 0, netip.Addr{}, engine.StatusCreated
	p.notify()
	if m.assign(p) == nil {
		m.run(p)
	}
}

// startPlaced makes the group that a Spec belongs to, or as many members more.
func (m *Engine) startPlaced(spec engine.Spec) (engine.Instance, error) {
	if m.node == nil {
		return engine.Instance{}, engine.ErrNoCluster
	}
	defer m.lockNodes()()
	if err := m.node.managing(); err != nil {
		return engine.Instance{}, err
	}
	for _, name := range spec.Joins {
		if !slices.ContainsFunc(m.everyNetwork(), func(n engine.NetworkInfo) bool { return n.Name == name && n.Driver == "overlay" }) {
			return engine.Instance{}, engine.NoJoin(name)
		}
	}
	m.overlay(spec.App)
	g, made := m.groupOf(spec), false
	if g == nil {
		g, made = &group{id: m.newID("service")[:25], name: spec.GroupName(), spec: spec, first: spec.Index - spec.Slot() + 1}, true
	}
	var fresh []*process
	for slot := 1; slot <= max(spec.Members(), len(m.membersOf(g))); slot++ {
		p := m.find(fmt.Sprintf("%s.%d", g.id, slot))
		if p == nil {
			p = m.member(g, slot)
			fresh = append(fresh, p)
		}
		if p.Status == engine.StatusCreated || p.Status == engine.StatusExited && g.stopped {
			p.Restarts = 0
			if err := m.assign(p); err == nil {
				m.run(p)
			} else if slot == spec.Slot() {
				m.undo(g, fresh, made)
				return engine.Instance{}, err
			}
		}
	}
	g.stopped = false
	return m.find(fmt.Sprintf("%s.%d", g.id, spec.Slot())).Instance, nil
}

// undo removes what a start has made before it failed.
func (m *Engine) undo(g *group, fresh []*process, made bool) {
	for _, p := range m.membersOf(g) {
		if made || slices.Contains(fresh, p) {
			m.removeContainer(p.ID)
		}
	}
}

// groupOf returns the group of a Spec's process; nil: there is none.
func (m *Engine) groupOf(spec engine.Spec) *group {
	for _, p := range m.containers {
		if p.group != nil && p.group.name == spec.GroupName() {
			return p.group
		}
	}
	return nil
}

func (m *Engine) membersOf(g *group) (list []*process) {
	for _, p := range m.containers {
		if p.group == g {
			list = append(list, p)
		}
	}
	return list
}

// member makes a member of a group without starting it.
func (m *Engine) member(g *group, slot int) *process {
	spec, index := g.spec, g.first+slot-1
	spec.Index, spec.Name = index, fmt.Sprintf("%s.%s.%d", spec.App, spec.Type, index)
	spec.Env = slices.Clone(spec.Env)
	for n, pair := range spec.Env {
		if strings.HasPrefix(pair, "DYNO=") {
			spec.Env[n] = fmt.Sprintf("DYNO=%s.%d", spec.Type, index)
		}
	}
	image := m.image(spec.Image)
	if image == nil {
		image = &localImage{ImageInfo: engine.ImageInfo{ID: spec.Image}}
	}
	p := m.create(spec, image)
	p.group, p.Group, p.ID = g, g.id, fmt.Sprintf("%s.%d", g.id, slot)
	return p
}

// assign chooses a node for a process: one with the fewest of its group by the preferences,
// then with the fewest at all. Both locks are held.
func (m *Engine) assign(p *process) error {
	place := p.spec.Placement
	least := []int{}
	var best *node
	for _, n := range m.node.swarm.nodes {
		if n.down || n.Availability != engine.NodeActive || !n.meets(place.Constraints) {
			continue
		}
		own := m.count(func(o *process) bool { return o != p && o.group == p.group && o.home == n })
		if place.MaxPerNode > 0 && own >= place.MaxPerNode {
			continue
		}
		rank := []int{}
		for _, preference := range place.Preferences {
			rank = append(rank, m.count(func(o *process) bool { return o != p && o.group == p.group && o.home.like(n, preference) }))
		}
		rank = append(rank, own, m.count(func(o *process) bool { return o != p && o.home == n }))
		if best == nil || slices.Compare(rank, least) < 0 {
			best, least = n, rank
		}
	}
	title := fmt.Sprintf("%s.%d", p.Type, p.Index)
	switch {
	case best == nil:
		return fmt.Errorf("%s: %w", title, engine.ErrNoPlace)
	case best.cannotPull != nil:
		return fmt.Errorf("%s on %s: %w: %v", title, best.Name, engine.ErrCannotPull, best.cannotPull)
	case m.pushed[place.Image] == "":
		return fmt.Errorf("%s on %s: %w: no such manifest: %s", title, best.Name, engine.ErrCannotPull, place.Image)
	}
	p.home, p.Node = best, best.Name
	p.Address, _ = netip.ParseAddr(best.Address)
	if p.NodePort = 0; p.spec.Port != 0 {
		p.NodePort = firstNodePort + best.swarm.ports
		p.Secure = best.swarm.secure
		best.swarm.ports++
	}
	return nil
}

func (m *Engine) count(is func(*process) bool) (n int) {
	for _, p := range m.containers {
		if p.group != nil && p.home != nil && p.Status != engine.StatusExited && is(p) {
			n++
		}
	}
	return n
}

// value returns what a constraint or a preference names of a node.
func (n *node) value(name string) string {
	if label, ok := strings.CutPrefix(name, "node.labels."); ok {
		return n.labels[label]
	}
	return map[string]string{"node.id": n.ID, "node.hostname": n.Name, "node.role": string(n.Role)}[name]
}

func (n *node) meets(constraints []string) bool {
	for _, c := range constraints {
		if name, value, ok := strings.Cut(c, "!="); ok && n.value(strings.TrimSpace(name)) == strings.TrimSpace(value) {
			return false
		} else if name, value, is := strings.Cut(c, "=="); !ok && is && n.value(strings.TrimSpace(name)) != strings.TrimSpace(value) {
			return false
		}
	}
	return true
}

// like reports whether two nodes have the same value of a preference.
func (n *node) like(o *node, preference string) bool {
	name := strings.TrimPrefix(preference, "spread=")
	return n.value(name) == o.value(name)
}

// overlay makes the app's network on the swarm.
func (m *Engine) overlay(app string) {
	name := engine.OverlayName(app)
	if !slices.ContainsFunc(m.nets, func(n engine.Network) bool { return n.Name == name }) {
		m.nets = append(m.nets, engine.Network{ID: m.newID("network"), Name: name, App: app, Root: m.root, Overlay: true})
	}
}

// unseen returns why processes that a swarm has placed may be missing; nil: none are.
func (m *Engine) unseen() error {
	if m.node == nil || m.node.Role != engine.RoleManager {
		return nil
	}
	return m.seen()
}

// seen returns why the engine does not see what its swarm runs; nil: it does.
func (m *Engine) seen() error {
	if m.node == nil {
		return nil
	}
	defer m.lockNodes()()
	return m.node.managing()
}

// stopPlaced ends all members of a group.
func (m *Engine) stopPlaced(g *group, pause func(time.Duration) error, grace time.Duration) error {
	var waits bool
	for _, p := range m.membersOf(g) {
		if p.Running() {
			for _, text := range p.behaviour.OnStop {
				p.print(text)
			}
			waits = waits || p.behaviour.IgnoreStop
		}
	}
	if waits {
		m.mu.Unlock()
		err := pause(grace)
		m.mu.Lock()
		if err != nil {
			return err
		}
	}
	g.stopped = true
	for _, p := range m.membersOf(g) {
		if p.Status != engine.StatusExited {
			m.end(p, p.behaviour.stopCode(), false)
			p.NodePort = 0
		}
	}
	return nil
}

// copyOf returns a swarm of the same content, whose one engine is m, and the copies of nodes.
func (s *Swarm) copyOf(m *Engine) map[*node]*node {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Swarm{serial: s.serial, id: s.id, tokens: maps.Clone(s.tokens), ports: s.ports, secure: s.secure, engines: []*Engine{m}}
	nodes := map[*node]*node{}
	for _, n := range s.nodes {
		copied := *n
		copied.swarm = c
		nodes[n] = &copied
		c.nodes = append(c.nodes, &copied)
	}
	return nodes
}

// Placed returns where the processes of an app's type run, as "web.1@node2", sorted by index.
// Those of all groups are listed.
func (m *Engine) Placed(app, typ string) (list []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []*process
	for _, p := range m.containers {
		if p.group != nil && p.App == app && p.Type == typ {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b *process) int { return cmp.Compare(a.Index, b.Index) })
	for _, p := range found {
		list = append(list, fmt.Sprintf("%s.%d@%s", p.Type, p.Index, p.Node))
	}
	return list
}
