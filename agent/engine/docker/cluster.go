package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// Cluster implements Clusters.
func (d *Engine) Cluster(ctx context.Context) (engine.Cluster, error) {
	c, err := d.cluster(ctx)
	if err != nil {
		err = fmt.Errorf("cannot read the swarm: %w", err)
	}
	return c, err
}

func (d *Engine) cluster(ctx context.Context) (c engine.Cluster, err error) {
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	cli, about, err := d.membership(ctx)
	if err != nil {
		return c, err
	}
	c.Self, c.Address, c.Role = about.Swarm.NodeID, about.Swarm.NodeAddr, engine.RoleWorker
	for _, m := range about.Swarm.RemoteManagers {
		c.Managers = append(c.Managers, m.Addr)
	}
	slices.Sort(c.Managers)
	if about.Swarm.Cluster != nil {
		c.ID = about.Swarm.Cluster.ID
	}
	if !about.Swarm.ControlAvailable {
		if leaderless(about.Swarm.Error) {
			c.Role = engine.RoleManager
			return c, engine.ErrNoQuorum
		}
		return c, nil
	}
	c.Role = engine.RoleManager
	c.Nodes, err = nodes(ctx, cli)
	return c, d.ExplainSwarm(ctx, err)
}

// nodes lists the nodes of the swarm that the engine manages.
func nodes(ctx context.Context, cli *client.Client) ([]engine.Node, error) {
	list, err := cli.NodeList(ctx, swarm.NodeListOptions{})
	if err != nil {
		return nil, err
	}
	var all []engine.Node
	for _, n := range list {
		all = append(all, node(n))
	}
	slices.SortFunc(all, func(a, b engine.Node) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// membership returns the engine's description of itself, or the error of an engine that is in
// no swarm.
func (d *Engine) membership(ctx context.Context) (*client.Client, system.Info, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return nil, system.Info{}, err
	}
	about, err := cli.Info(ctx)
	switch state := about.Swarm.LocalNodeState; {
	case err != nil:
		return nil, about, d.explain(ctx, err)
	case state == swarm.LocalNodeStateInactive, state == "":
		return nil, about, engine.ErrNoCluster
	case state == swarm.LocalNodeStateLocked:
		return nil, about, fmt.Errorf("its keys are locked since the engine's restart: docker swarm unlock")
	}
	return cli, about, nil
}

func node(n swarm.Node) engine.Node {
	o := engine.Node{ID: n.ID, Name: n.Description.Hostname, Role: engine.RoleWorker, Availability: engine.Availability(n.Spec.Availability),
		State: string(n.Status.State), Message: n.Status.Message, Address: n.Status.Addr, Engine: n.Description.Engine.EngineVersion,
		NanoCPUs: n.Description.Resources.NanoCPUs, Memory: n.Description.Resources.MemoryBytes}
	if m := n.ManagerStatus; m != nil {
		o.Role, o.Leader, o.Reachable = engine.RoleManager, m.Leader, m.Reachability == swarm.ReachabilityReachable
		// A manager that has joined through another one may know its own address alone by that.
		if host, _, ok := strings.Cut(m.Addr, ":"); ok && (o.Address == "" || o.Address == "0.0.0.0" || o.Address == "127.0.0.1") {
			o.Address = host
		}
	}
	for _, p := range n.Description.Engine.Plugins {
		if p.Type == "Network" {
			o.Networks = append(o.Networks, p.Name)
		}
	}
	return o
}

// InitCluster implements Clusters.
func (d *Engine) InitCluster(ctx context.Context, advertise string) error {
	err := d.initCluster(ctx, advertise)
	if err != nil {
		return fmt.Errorf("cannot make a swarm: %w", err)
	}
	return nil
}

func (d *Engine) initCluster(ctx context.Context, advertise string) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := engine.Settled(ctx, engine.SlowCall)
	defer cancel()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	bound, err := bindPorts(ctx, cli)
	if err != nil {
		return err
	}
	_, err = cli.SwarmInit(ctx, swarm.InitRequest{ListenAddr: fmt.Sprintf("0.0.0.0:%d", engine.JoinPort), AdvertiseAddr: advertise,
		Availability: swarm.NodeAvailabilityActive, DefaultAddrPool: overlayPools(addresses), SubnetSize: 24})
	if err != nil && bound {
		_ = cli.NetworkRemove(ctx, engine.GatewayNetwork) // there is no swarm that needs it
	}
	return d.ExplainSwarm(ctx, err)
}

// overlayPools are the pools that the subnets of overlay networks are cut from: those of
// 10.0.0.0/11 without the host's own networks. Swarm would begin with 10.0.0.0/24, and many a
// server has its neighbours there, which processes on such a network could not reach. The
// pool of the apps' own networks lies above.
func overlayPools(host []net.Addr) []string {
	var own []netip.Prefix
	for _, a := range host {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, p.Masked())
		}
	}
	var pools []string
	for n := range 32 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), 0, 0}), 16)
		if !slices.ContainsFunc(own, p.Overlaps) {
			pools = append(pools, p.String())
		}
	}
	return pools
}

// JoinToken implements Clusters.
func (d *Engine) JoinToken(ctx context.Context, role engine.Role, rotate bool) (string, error) {
	token, err := d.joinToken(ctx, role, rotate)
	if err != nil {
		return "", fmt.Errorf("cannot get the token to join as a %s: %w", role, err)
	}
	return token, nil
}

func (d *Engine) joinToken(ctx context.Context, role engine.Role, rotate bool) (string, error) {
	ctx, cancel := engine.Settled(ctx, engine.QuickCall)
	defer cancel()
	cli, _, err := d.membership(ctx)
	if err != nil {
		return "", err
	}
	s, err := cli.SwarmInspect(ctx)
	if err == nil && rotate {
		flags := swarm.UpdateFlags{RotateWorkerToken: role == engine.RoleWorker, RotateManagerToken: role == engine.RoleManager}
		if err = cli.SwarmUpdate(ctx, s.Version, s.Spec, flags); err == nil {
			s, err = cli.SwarmInspect(ctx)
		}
	}
	if err != nil {
		return "", d.ExplainSwarm(ctx, err)
	}
	if role == engine.RoleManager {
		return s.JoinTokens.Manager, nil
	}
	return s.JoinTokens.Worker, nil
}

// SetAvailability implements Clusters.
func (d *Engine) SetAvailability(ctx context.Context, id string, a engine.Availability) error {
	err := d.setAvailability(ctx, id, a)
	if err != nil {
		return fmt.Errorf("cannot set node %s to %s: %w", id, a, err)
	}
	return nil
}

func (d *Engine) setAvailability(ctx context.Context, id string, a engine.Availability) error {
	ctx, cancel := engine.Settled(ctx, engine.QuickCall)
	defer cancel()
	cli, _, err := d.membership(ctx)
	if err != nil {
		return err
	}
	// The managers change nodes themselves; an update of an older version is refused.
	for try := 0; ; try++ {
		n, _, err := cli.NodeInspectWithRaw(ctx, id)
		if err != nil {
			return d.ExplainSwarm(ctx, err)
		}
		if n.Spec.Availability == swarm.NodeAvailability(a) {
			return nil
		}
		n.Spec.Availability = swarm.NodeAvailability(a)
		err = cli.NodeUpdate(ctx, n.ID, n.Version, n.Spec)
		if err == nil || try == 3 || !strings.Contains(err.Error(), "out of sequence") {
			return d.ExplainSwarm(ctx, err)
		}
	}
}

// LeaveCluster implements Clusters.
func (d *Engine) LeaveCluster(ctx context.Context, force bool) error {
	err := d.leaveCluster(ctx, force)
	if err != nil {
		return fmt.Errorf("cannot leave the swarm: %w", err)
	}
	return nil
}

func (d *Engine) leaveCluster(ctx context.Context, force bool) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := engine.Settled(ctx, engine.SlowCall)
	defer cancel()
	if err = d.ExplainSwarm(ctx, cli.SwarmLeave(ctx, force)); errors.Is(err, engine.ErrNoCluster) {
		return nil
	}
	return err
}

// leaderless reports whether a manager found no leader, lost it, or heard nothing from it for
// 20 s.
func leaderless(text string) bool {
	return strings.Contains(text, "rpc error: code = DeadlineExceeded") || strings.Contains(text, "does not have a leader") || strings.Contains(text, "lost quorum") || strings.Contains(text, "lost leader status")
}

// ExplainSwarm turns an error of the client into one of package engine for calls about a swarm, whose errors the engine tells apart in its
// texts alone.
func (d *Engine) ExplainSwarm(ctx context.Context, err error) error {
	err = d.explain(ctx, err)
	if err == nil {
		return nil
	}
	text := err.Error()
	has := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case leaderless(text):
		return engine.ErrNoQuorum
	case has("already part of a swarm"):
		return engine.ErrInCluster
	case has("incompatible with swarm mode"):
		return engine.ErrLiveRestore
	case has("You are attempting to leave the swarm on a node that is participating as a manager"):
		return engine.ErrManagerStays
	case has("not part of a swarm"), has("This node is not a swarm manager") && has("swarm init"):
		return engine.ErrNoCluster
	case has("not a swarm manager"):
		return engine.ErrNoManager
	case errdefs.IsNotFound(err):
		return engine.ErrNoNode
	}
	return err
}
