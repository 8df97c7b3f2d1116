package engine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"strings"
)

// Errors of processes that a swarm places.
var (
	// ErrElsewhere: the process runs on another node, whose engine does not answer.
	ErrElsewhere = errors.New("the process runs on a node of the swarm whose engine does not answer")
	// ErrNoPlace: no node of the swarm takes the process, by its constraints, its limits or
	// the availability of the nodes.
	ErrNoPlace = errors.New("no node of the swarm takes the process")
	// ErrCannotPull: a node cannot pull the image.
	ErrCannotPull = errors.New("the node cannot pull the image")
	// ErrPortTaken: another program of the node has the port at which the node would serve the
	// process, most likely for a connection. Started anew, the process gets another one.
	ErrPortTaken = errors.New("another program of the node has the process's port")
)

// StatusLost is the status of a process whose node does not answer. The process may still
// run there; nobody can tell, and nothing reaches it.
const StatusLost Status = "lost"

// Placement has the engine's swarm run a process (KindDeploy) on one of its nodes.
//
// The processes of one app, type, release and attempt are a group: one service of the swarm,
// with as many replicas. The swarm chooses their nodes and starts them again elsewhere. It
// also chooses which replica goes when a service gets smaller, so nobody could take that one
// out of the proxy before. Therefore a group only grows. It ends as a whole: Stop and Remove
// of one member stop and remove all of them.
//
// A Start that fails, or whose context ends, removes the group if it has made it, with the
// members that others start in it at the same time. One that fails with ErrPortTaken also removes
// it if a Start of the same Host beside it has made it, so that all of them can be started anew. One that has made a group larger
// cannot make it smaller again. Processes that join those that serve are therefore best a
// group of their own (First): it can fail without them.
type Placement struct {
	// First is the lowest Spec.Index of the group; 0 is 1. Two groups of one app, type,
	// release and attempt have different ones.
	First int
	// Count is how many members the group has at least once this one has started: those
	// that are started at the same time are placed in one step. Spec.Index may need more.
	Count int
	// Image is the image by its digest in a registry: "registry.example.com/web@sha256:...".
	// Auth is what nodes pull it with; it may be empty.
	Image string
	Auth  RegistryAuth
	// Constraints must hold for a node: "node.labels.zone==a". Preferences spread the group
	// over the values of a label: "spread=node.labels.zone".
	Constraints []string
	Preferences []string
	// MaxPerNode is the most members that one node gets; 0: any number.
	MaxPerNode int
}

// OverlayName returns the name of the network that an app's placed processes share with each
// other, and with one-off containers: it reaches all nodes. Swarms take letters, digits, -
// and _, and no more than 63 of them. No app's name has a _.
func OverlayName(app string) string { return swarmName("dokku", app) }

// GroupName returns the name of the group that the Spec's process belongs to.
func (s Spec) GroupName() string {
	if first := s.first(); first > 1 {
		return swarmName(s.App, s.Type, s.Attempt, strconv.Itoa(first))
	}
	return swarmName(s.App, s.Type, s.Attempt)
}

// swarmName joins parts to a name. What does not fit is told apart by its hash.
func swarmName(parts ...string) string {
	text := strings.Join(parts, "_")
	name := []byte(text)
	for i, c := range name {
		if c == '.' {
			name[i] = '-'
		}
	}
	last := name[len(name)-1]
	if string(name) == text && len(name) <= 63 && last != '-' && last != '_' {
		return text
	}
	return fmt.Sprintf("%s-%x", name[:min(len(name), 54)], sha256.Sum256([]byte(text)))[:min(len(name), 54)+9]
}

// Slot is the place of the Spec's process in its group, from 1 on.
func (s Spec) Slot() int { return s.Index - s.first() + 1 }

// Members is how many members the group has at least, once the Spec's process has started.
func (s Spec) Members() int { return max(s.Placement.Count, s.Slot()) }

func (s Spec) first() int { return max(s.Placement.First, 1) }

// InGroup reports whether a group with these labels is the one that the Spec's process
// belongs to. Its members differ in their dyno alone.
func (s Spec) InGroup(labels map[string]string) bool {
	found := maps.Clone(labels)
	found[LabelDyno] = s.dyno()
	return s.Made(found)
}

// Reach is where the process's TCP port is reached: its own address and port, or those that
// its node publishes for the one port of a Spec. It is not valid where nothing is known, such as the address of
// a process that has yet to be placed.
func (i Instance) Reach(port int) netip.AddrPort {
	if i.NodePort != 0 {
		port = i.NodePort
	}
	if !i.Address.IsValid() || port == 0 || i.Placed() && i.NodePort == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(i.Address, uint16(port))
}

// Placed reports whether a swarm has placed the process. It has no name or address that a
// caller could choose, and it starts again without its caller.
func (i Instance) Placed() bool { return i.Group != "" }

// placeable returns the error of a Spec that no swarm can start.
func (s Spec) placeable() error {
	switch {
	case s.Kind != KindDeploy:
		return fmt.Errorf("a swarm runs no %s container", s.Kind)
	case s.Placement.Image == "":
		return errors.New("no image in a registry is given: nodes of a swarm have no other way to it")
	case s.Slot() < 1:
		return fmt.Errorf("%s cannot be of a group that begins with %d", s.dyno(), s.first())
	case s.TTY:
		return errors.New("a process of a swarm cannot have a terminal")
	case s.Limits.MemorySwap != 0:
		return errors.New("a process of a swarm cannot have a limit of swap: clear it with resource:limit-clear")
	case len(s.Options.Devices) > 0:
		return fmt.Errorf("a process of a swarm cannot have the device %s of one machine: remove --device with docker-options:remove", s.Options.Devices[0])
	case s.Address.IsValid() || s.HostPort != 0 || len(s.Publish) > 0:
		return errors.New("a process of a swarm cannot have an address or a port of the host")
	}
	for _, m := range s.Mounts {
		if m.Bind() {
			return fmt.Errorf("a process of a swarm cannot mount the folder %s of one machine", m.Source)
		}
	}
	return nil
}
