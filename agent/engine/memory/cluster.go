package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"dokku/agent/engine"
)

// A Swarm is a swarm of engines that know it, without a network.
type Swarm struct {
	mu     sync.Mutex
	serial int
	id     string
	tokens map[engine.Role]string
	nodes  []*node
	// engines know it, in the order in which they joined.
	engines []*Engine
	ports   int // how many ports nodes have published
	secure  bool
}

// Secure has nodes serve the processes that they start from now on by the node service.
func (s *Swarm) Secure() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secure = true
}

// A node is a member of a Swarm.
type node struct {
	engine.Node
	swarm  *Swarm
	down   bool
	labels map[string]string
	// cannotPull is why it pulls no image; nil: it can.
	cannotPull error
}

// quorum reports whether more than half of the managers are up.
func (s *Swarm) quorum() bool {
	all, up := 0, 0
	for _, n := range s.nodes {
		if n.Role == engine.RoleManager {
			all++
			if !n.down {
				up++
			}
		}
	}
	return up > all/2
}

func (s *Swarm) add(address string, role engine.Role) *node {
	s.serial++
	n := &node{swarm: s, Node: engine.Node{ID: fmt.Sprintf("node%d", s.serial), Name: cmp.Or(address, "node"), Role: role, Availability: engine.NodeActive,
		State: engine.NodeReady, Address: address, Engine: "0.0.0", NanoCPUs: 1e9, Memory: 1 << 30, Networks: []string{"overlay"}}}
	s.nodes = append(s.nodes, n)
	s.elect()
	return n
}

// elect makes one of the reachable managers the leader, if there is a quorum.
func (s *Swarm) elect() {
	found := !s.quorum()
	for _, n := range s.nodes {
		manager := n.Role == engine.RoleManager && !n.down
		n.Reachable, n.Leader = manager, manager && !found
		found = found || n.Leader
		if n.State = engine.NodeReady; n.down {
			n.State = "down"
		}
	}
}

// Join adds the engine to a swarm, as docker swarm join does with a token.
func (m *Engine) Join(s *Swarm, address, token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.node != nil {
		return engine.ErrInCluster
	}
	for role, t := range s.tokens {
		if t == token {
			m.node = s.add(address, role)
			s.engines = append(s.engines, m)
			return nil
		}
	}
	return errors.New("invalid join token")
}

// Swarm returns the swarm of the engine; nil: it is in none.
func (m *Engine) Swarm() *Swarm {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.node == nil {
		return nil
	}
	return m.node.swarm
}

// Die makes the others lose the engine's node, or find it again.
func (m *Engine) Die(dead bool) {
	s := m.Swarm()
	m.withNodes(func() {
		m.node.down = dead
		s.elect()
	})
	s.changed()
}

// withSwarm calls do for a member of a swarm, with both locks.
func withSwarm[T any](m *Engine, do func(n *node, s *Swarm) (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.node == nil {
		var none T
		return none, engine.ErrNoCluster
	}
	defer m.lockNodes()()
	return do(m.node, m.node.swarm)
}

// managing is the error of a node that cannot change its swarm.
func (n *node) managing() error {
	switch {
	case n.Role != engine.RoleManager:
		return engine.ErrNoManager
	case !n.swarm.quorum():
		return engine.ErrNoQuorum
	}
	return nil
}

// Cluster implements Clusters.
func (m *Engine) Cluster(ctx context.Context) (engine.Cluster, error) {
	return call(ctx, m, func() (engine.Cluster, error) {
		return withSwarm(m, func(self *node, s *Swarm) (engine.Cluster, error) {
			c := engine.Cluster{Self: self.ID, Address: self.Address, Role: self.Role}
			for _, n := range s.nodes {
				if n.Role == engine.RoleManager {
					c.Managers = append(c.Managers, fmt.Sprintf("%s:%d", n.Address, engine.JoinPort))
				}
			}
			slices.Sort(c.Managers)
			if err := self.managing(); err != nil {
				if errors.Is(err, engine.ErrNoManager) {
					return c, nil
				}
				return c, err
			}
			c.ID = s.id
			for _, n := range s.nodes {
				c.Nodes = append(c.Nodes, n.Node)
			}
			slices.SortFunc(c.Nodes, func(a, b engine.Node) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
			return c, nil
		})
	}, "Cluster")
}

// InitCluster implements Clusters.
func (m *Engine) InitCluster(ctx context.Context, advertise string) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.node != nil {
			return none, engine.ErrInCluster
		}
		s := &Swarm{id: m.newID("swarm")[:25]}
		s.tokens = map[engine.Role]string{engine.RoleWorker: s.token(m), engine.RoleManager: s.token(m)}
		m.node = s.add(cmp.Or(advertise, "127.0.0.1"), engine.RoleManager)
		s.engines = append(s.engines, m)
		return none, nil
	}, "InitCluster", advertise)
	return err
}

func (s *Swarm) token(m *Engine) string { return "SWMTKN-1-" + m.newID("token")[:20] }

// JoinToken implements Clusters.
func (m *Engine) JoinToken(ctx context.Context, role engine.Role, rotate bool) (string, error) {
	return call(ctx, m, func() (string, error) {
		return withSwarm(m, func(n *node, s *Swarm) (string, error) {
			if err := n.managing(); err != nil {
				return "", err
			}
			if rotate {
				s.tokens[role] = s.token(m)
			}
			return s.tokens[role], nil
		})
	}, "JoinToken", role, rotate)
}

// SetAvailability implements Clusters.
func (m *Engine) SetAvailability(ctx context.Context, id string, a engine.Availability) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		return withSwarm(m, func(self *node, s *Swarm) (none struct{}, err error) {
			if err := self.managing(); err != nil {
				return none, err
			}
			for _, n := range s.nodes {
				if n.ID == id {
					n.Availability = a
					m.lookAtNodes()
					return none, nil
				}
			}
			return none, fmt.Errorf("cannot set node %s to %s: %w", id, a, engine.ErrNoNode)
		})
	}, "SetAvailability", id, a)
	return err
}

// LeaveCluster implements Clusters. The node stays in the others' list, as one that is down.
func (m *Engine) LeaveCluster(ctx context.Context, force bool) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		_, err = withSwarm(m, func(self *node, s *Swarm) (none struct{}, err error) {
			if self.Role == engine.RoleManager && !force {
				return none, engine.ErrManagerStays
			}
			self.down = true
			s.elect()
			s.engines = slices.DeleteFunc(s.engines, func(e *Engine) bool { return e == m })
			m.containers = slices.DeleteFunc(m.containers, func(p *process) bool { return p.group != nil })
			m.node = nil
			return none, nil
		})
		if errors.Is(err, engine.ErrNoCluster) {
			return none, nil
		}
		return none, err
	}, "LeaveCluster", force)
	return err
}
