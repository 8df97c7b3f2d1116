package engine

import (
	"context"
	"errors"
)

// Errors of Clusters that callers tell apart.
var (
	// ErrNoCluster: the engine is in no swarm.
	ErrNoCluster = errors.New("this server is in no swarm")
	// ErrInCluster: the engine is in a swarm already.
	ErrInCluster = errors.New("this server is in a swarm already")
	// ErrNoManager: the engine is a worker, and only managers can tell and change that.
	ErrNoManager = errors.New("this server is a worker of its swarm")
	// ErrNoQuorum: fewer than half of the managers answer, so nobody can change the swarm.
	// What runs goes on.
	ErrNoQuorum = errors.New("the swarm has lost its quorum")
	// ErrLiveRestore: an engine with live-restore can be in no swarm.
	ErrLiveRestore = errors.New("the engine has live-restore, which no member of a swarm can have")
	// ErrNoNode: the swarm has no such node.
	ErrNoNode = errors.New("no such node")
	// ErrManagerStays: the swarm would lose a manager that it needs.
	ErrManagerStays = errors.New("the swarm needs this manager")
)

// Role is what a node does in its swarm.
type Role string

const (
	RoleManager Role = "manager" // keeps the swarm's state, and runs processes too
	RoleWorker  Role = "worker"  // runs processes
)

// Availability says whether a node gets processes.
type Availability string

const (
	NodeActive  Availability = "active" // it gets them
	NodePaused  Availability = "pause"  // it gets no new ones
	NodeDrained Availability = "drain"  // it gets none, and those that it has move elsewhere
)

// NodeReady is the state of a node whose managers hear from it. Others are "down",
// "disconnected" and "unknown".
const NodeReady = "ready"

// Cluster is the swarm of an engine as that engine sees it.
type Cluster struct {
	ID string // "" where this engine is a worker
	// Self is the id of this engine's own node, Address the one that it told the others.
	Self    string
	Address string
	Role    Role
	// Managers are the addresses of the managers with their ports, sorted.
	Managers []string
	// Nodes are sorted by their names. A worker knows none.
	Nodes []Node
}

// Node is a member of a swarm.
type Node struct {
	ID           string
	Name         string // its host name; two may have the same
	Role         Role
	Availability Availability
	State        string // NodeReady, ...
	Message      string // why it is not ready, if that is known
	Address      string
	Leader       bool
	// Reachable: the other managers reach this manager. Workers are never.
	Reachable bool
	Engine    string // version
	NanoCPUs  int64
	Memory    int64 // bytes
	// Networks are the network drivers that its engine has.
	Networks []string
}

// Up reports whether the node may run processes.
func (n Node) Up() bool { return n.State == NodeReady && n.Availability == NodeActive }

// Quorum counts managers: how many there are, how many are reachable, and how many have to be.
func (c Cluster) Quorum() (managers, reachable, needed int) {
	for _, n := range c.Nodes {
		if n.Role == RoleManager {
			managers++
			if n.Reachable {
				reachable++
			}
		}
	}
	return managers, reachable, managers/2 + 1
}

// Clusters forms and shows a swarm of engines. Nodes join by themselves, with docker swarm
// join. Every implementation passes enginetest.RunClusters.
type Clusters interface {
	// Cluster returns the swarm; ErrNoCluster if there is none. With ErrNoQuorum the
	// cluster has what this engine knows by itself.
	Cluster(ctx context.Context) (Cluster, error)
	// InitCluster makes the engine the first manager of a new swarm. advertise is the
	// address, or the network interface, that others reach it by; "" lets the engine
	// choose where it has one alone. ErrInCluster, ErrLiveRestore.
	InitCluster(ctx context.Context, advertise string) error
	// JoinToken returns the secret with which a node joins in a role. rotate makes a new
	// one first, and the former one is void.
	JoinToken(ctx context.Context, role Role, rotate bool) (string, error)
	// SetAvailability changes a node, by its id; ErrNoNode.
	SetAvailability(ctx context.Context, node string, a Availability) error
	// LeaveCluster takes the engine out of its swarm. A manager leaves by force alone, else
	// it is ErrManagerStays. Not to be in one is no error.
	LeaveCluster(ctx context.Context, force bool) error
}

// GatewayNetwork is the network by which the processes that a swarm has placed leave their
// node, and at whose address the node publishes their ports. Docker gives it this name.
const GatewayNetwork = "docker_gwbridge"

// GatewayBinding is the option of GatewayNetwork that names the address of its ports.
const GatewayBinding = "com.docker.network.bridge.host_binding_ipv4"

// GatewayOptions are the options of GatewayNetwork with which ports are published on the node
// alone: without them, at all of its addresses, public ones too. Package node serves what
// others may reach.
func GatewayOptions() map[string]string {
	return map[string]string{
		"com.docker.network.bridge.name":       GatewayNetwork,
		"com.docker.network.bridge.enable_icc": "false", // as the engine has it
		GatewayBinding:                         "127.0.0.1",
	}
}

// JoinPort is the TCP port at which managers are joined.
const JoinPort = 2377
