package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
)

// join connects a container that does not run yet to the networks of spec that
// it is not in. An engine older than API 1.44 makes a container with one network
// only, so the others are joined between its creation and its start. One that
// an interrupted start has left is joined like a new one. Old engines notice only
// when it starts that a network does not exist.
func join(ctx context.Context, cli *client.Client, spec Spec, id string) error {
	if len(spec.Joins) == 0 {
		return nil
	}
	r, err := cli.ContainerInspect(ctx, id)
	if err != nil {
		return err
	}
	for _, name := range spec.Joins {
		if r.NetworkSettings != nil && r.NetworkSettings.Networks[name] != nil {
			continue
		}
		err := cli.NetworkConnect(ctx, name, id, &network.EndpointSettings{Aliases: slices.Clone(spec.Aliases)})
		switch {
		case err == nil, strings.Contains(err.Error(), "already exists in network"): // by the same call of another process
		case errdefs.IsNotFound(err):
			return noJoin(name)
		default:
			return fmt.Errorf("cannot join network %s: %w", name, err)
		}
	}
	return nil
}

// mounts turns spec's mounts into the engine's. A mount of this kind, unlike a
// "-v", never makes a folder that is missing on the host.
func mounts(spec Spec) []mount.Mount {
	var list []mount.Mount
	for _, m := range spec.Mounts {
		kind := mount.TypeVolume
		if m.bind() {
			kind = mount.TypeBind
		}
		list = append(list, mount.Mount{Type: kind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	return list
}

func resources(l Limits) container.Resources {
	return container.Resources{Memory: l.Memory, MemorySwap: l.MemorySwap, MemoryReservation: l.MemoryReservation, NanoCPUs: l.NanoCPUs}
}

// limits reads back what resources has set. The engine allows as much swap again
// as memory where none was asked for, which is no limit of ours.
func limits(h *container.HostConfig) Limits {
	if h == nil {
		return Limits{}
	}
	l := Limits{Memory: h.Memory, MemorySwap: h.MemorySwap, MemoryReservation: h.MemoryReservation, NanoCPUs: h.NanoCPUs}
	if l.MemorySwap == 2*l.Memory || l.MemorySwap < 0 {
		l.MemorySwap = 0
	}
	return l
}

// CreateNetwork implements Networks.
func (d *Docker) CreateNetwork(ctx context.Context, name string) (AnyNetwork, error) {
	n, err := d.createNetwork(ctx, name)
	if err != nil {
		return AnyNetwork{}, fmt.Errorf("cannot create network %s: %w", name, err)
	}
	return n, nil
}

func (d *Docker) createNetwork(ctx context.Context, name string) (AnyNetwork, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return AnyNetwork{}, err
	}
	d.networks.Lock()
	defer d.networks.Unlock()
	ctx, cancel := settled(ctx, slowCall)
	defer cancel()
	taken := hostPrefixes()
	for range networkTries {
		all, err := cli.NetworkList(ctx, network.ListOptions{})
		if err != nil {
			return AnyNetwork{}, d.explain(ctx, err)
		}
		if slices.ContainsFunc(all, func(n network.Summary) bool { return n.Name == name }) {
			return AnyNetwork{}, ErrNetworkExists
		}
		subnet, ok := freeSubnet(d.config.Pool, d.config.SubnetBits, append(subnets(all), taken...))
		if !ok {
			return AnyNetwork{}, fmt.Errorf("%w in pool %s: set another pool or remove networks", ErrNoSubnet, d.config.Pool)
		}
		made, err := cli.NetworkCreate(ctx, name, network.CreateOptions{
			Driver:     "bridge",
			Attachable: true,
			IPAM:       &network.IPAM{Config: []network.IPAMConfig{{Subnet: subnet.String()}}},
			// No two networks of one name come about: see bridgeName. No app has a name
			// with a blank.
			Options: map[string]string{bridgeOption: bridgeName("network " + name)},
			Labels:  map[string]string{LabelNetwork: name},
		})
		switch {
		case err == nil:
			n, err := cli.NetworkInspect(ctx, made.ID, network.InspectOptions{})
			return anyNetwork(n), d.explain(ctx, err)
		case overlaps(err):
			taken = append(taken, subnet)
		case !madeMeanwhile(err):
			return AnyNetwork{}, d.explain(ctx, err)
		default:
			pause(ctx, networkPause)
		}
	}
	return AnyNetwork{}, fmt.Errorf("interface %s belongs to another network: remove that network", bridgeName("network "+name))
}

// AllNetworks implements Networks.
func (d *Docker) AllNetworks(ctx context.Context) ([]AnyNetwork, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list the networks: %w", err)
	}
	ctx, cancel := within(ctx, quickCall)
	defer cancel()
	list, err := cli.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("cannot list the networks: %w", d.explain(ctx, err))
	}
	var all []AnyNetwork
	for _, n := range list {
		all = append(all, anyNetwork(n))
	}
	slices.SortFunc(all, func(a, b AnyNetwork) int { return strings.Compare(a.Name+" "+a.ID, b.Name+" "+b.ID) })
	return all, nil
}

func anyNetwork(n network.Inspect) AnyNetwork {
	_, made := n.Labels[LabelNetwork]
	return AnyNetwork{ID: n.ID, Name: n.Name, Driver: n.Driver, Scope: n.Scope, Internal: n.Internal,
		App: n.Labels[LabelApp], Made: made, Labels: n.Labels, Created: n.Created}
}
