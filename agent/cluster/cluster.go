package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/engine"
	"dokku/agent/text"
)

// Init makes the engine the first manager of a swarm. made is false if it is a manager
// already, at the same address.
func Init(ctx context.Context, h engine.Clusters, advertise string) (c engine.Cluster, made bool, err error) {
	c, err = h.Cluster(ctx)
	switch {
	case errors.Is(err, engine.ErrNoCluster):
	case err != nil:
		return c, false, err
	case c.Role != engine.RoleManager:
		return c, false, fmt.Errorf("%w, as a worker of %s: to leave it, dokku cluster:leave", engine.ErrInCluster, strings.Join(c.Managers, ", "))
	case net.ParseIP(host(advertise)) != nil && host(advertise) != c.Address: // else it is an interface
		return c, false, fmt.Errorf("%w, and the others reach it at %s, not at %s: to change that, dokku cluster:leave --force first",
			engine.ErrInCluster, c.Address, advertise)
	default:
		return c, false, nil
	}
	if err := h.InitCluster(ctx, advertise); err != nil {
		return c, false, advise(err)
	}
	c, err = h.Cluster(ctx)
	return c, true, err
}

// host returns the address without its port, if it has one.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

// advise adds to the error of a new swarm what helps.
func advise(err error) error {
	switch {
	case errors.Is(err, engine.ErrLiveRestore):
		return fmt.Errorf("%w\nSet \"live-restore\": false in /etc/docker/daemon.json (a reload does not notice that a line is gone), then: systemctl reload docker\n"+
			"From then on a restart of the engine interrupts the apps of this server for some seconds", err)
	case strings.Contains(err.Error(), "could not choose an IP address"):
		return fmt.Errorf("%w\nChoose the address that the other servers reach this one by: dokku cluster:init --advertise-addr ADDRESS", err)
	}
	return err
}

// JoinLines returns the lines that a new node runs to join in a role. The first one has it
// publish the ports of processes on itself alone, also if an earlier swarm has left it another
// network for that.
func JoinLines(ctx context.Context, h engine.Clusters, role engine.Role, rotate bool) ([]string, error) {
	c, err := Managed(ctx, h)
	if err != nil {
		return nil, err
	}
	token, err := h.JoinToken(ctx, role, rotate)
	if err != nil {
		return nil, err
	}
	join := fmt.Sprintf("docker swarm join --token %s %s", token, net.JoinHostPort(c.Address, strconv.Itoa(engine.JoinPort)))
	bind := "docker network rm " + engine.GatewayNetwork + " >/dev/null 2>&1 || true; docker network create"
	options := engine.GatewayOptions()
	for _, name := range slices.Sorted(maps.Keys(options)) {
		bind += " -o " + name + "=" + options[name]
	}
	return []string{bind + " " + engine.GatewayNetwork, join}, nil
}

// Managed returns the swarm that this server manages. The error says what a server does that
// manages none.
func Managed(ctx context.Context, h engine.Clusters) (engine.Cluster, error) {
	c, err := h.Cluster(ctx)
	switch {
	case errors.Is(err, engine.ErrNoCluster):
		return c, fmt.Errorf("%w: dokku cluster:init makes one", engine.ErrNoCluster)
	case errors.Is(err, engine.ErrNoQuorum):
		return c, fmt.Errorf("%w\n%s", err, revive(c))
	case err == nil && c.Role != engine.RoleManager:
		return c, fmt.Errorf("%w: run this on a manager: %s", engine.ErrNoManager, strings.Join(c.Managers, ", "))
	}
	return c, err
}

// Find returns the node of a name, an address, an id or the beginning of one.
func Find(c engine.Cluster, word string) (engine.Node, error) {
	matches := func(same func(n engine.Node) bool) []engine.Node {
		return slices.DeleteFunc(slices.Clone(c.Nodes), func(n engine.Node) bool { return !same(n) })
	}
	for _, same := range []func(engine.Node) bool{
		func(n engine.Node) bool { return n.ID == word },
		func(n engine.Node) bool { return n.Name == word || n.Address == word },
		func(n engine.Node) bool { return len(word) >= 4 && strings.HasPrefix(n.ID, word) },
	} {
		switch found := matches(same); len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return engine.Node{}, fmt.Errorf("several nodes are called %s: give the id of one: %s", word, list(found, func(n engine.Node) string { return n.ID + " (" + n.Address + ")" }))
		}
	}
	return engine.Node{}, fmt.Errorf("%w: %s; the swarm has %s", engine.ErrNoNode, word, list(c.Nodes, func(n engine.Node) string { return n.Name }))
}

func list(nodes []engine.Node, say func(engine.Node) string) string {
	var words []string
	for _, n := range nodes {
		words = append(words, say(n))
	}
	return strings.Join(words, ", ")
}

// Set makes a node available or not. changed is false if it was so already.
func Set(ctx context.Context, h engine.Clusters, word string, a engine.Availability) (n engine.Node, changed bool, err error) {
	c, err := Managed(ctx, h)
	if err != nil {
		return n, false, err
	}
	if n, err = Find(c, word); err != nil || n.Availability == a {
		return n, false, err
	}
	others := slices.ContainsFunc(c.Nodes, func(o engine.Node) bool { return o.ID != n.ID && o.Up() })
	if a != engine.NodeActive && n.Up() && !others {
		return n, false, fmt.Errorf("cannot drain %s: no other node could run its processes; let one join first (dokku cluster:join-token), or dokku cluster:activate one", n.Name)
	}
	return n, true, h.SetAvailability(ctx, n.ID, a)
}

// Leave takes the server out of its swarm. left is false if it is in none.
func Leave(ctx context.Context, h engine.Clusters, force bool) (left bool, err error) {
	c, err := h.Cluster(ctx)
	switch {
	case errors.Is(err, engine.ErrNoCluster):
		return false, nil
	case err != nil && !(force && errors.Is(err, engine.ErrNoQuorum)):
		return false, err
	case c.Role == engine.RoleManager && !force:
		return false, stays(c)
	}
	return true, h.LeaveCluster(ctx, force)
}

// stays says why a manager does not leave.
func stays(c engine.Cluster) error {
	managers, _, _ := c.Quorum()
	switch {
	case len(c.Nodes) == 1:
		return fmt.Errorf("%w: it is the only node, and the swarm ends with it, with all of its services; to do that: dokku cluster:leave --force", engine.ErrManagerStays)
	case managers == 1:
		return fmt.Errorf("%w: it is the last one, and nobody could change %s any more; make another node a manager first: docker node promote NODE",
			engine.ErrManagerStays, text.Plural(len(c.Nodes)-1, "other node"))
	}
	name := c.Self
	for _, n := range c.Nodes {
		if n.ID == c.Self {
			name = n.Name
		}
	}
	return fmt.Errorf("%w: it counts as one of %d managers also when it is gone; on another manager: docker node demote %s, then here again: dokku cluster:leave",
		engine.ErrManagerStays, managers, name)
}
