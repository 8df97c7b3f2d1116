package docker

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// join connects a container that does not run yet to the networks of spec that
// it is not in. An engine older than API 1.44 makes a container with one network
// only, so the others are joined between its creation and its start. One that
// an interrupted start has left is joined like a new one. Old engines notice only
// when it starts that a network does not exist.
func join(ctx context.Context, cli *client.Client, spec engine.Spec, id string) error {
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
			return engine.NoJoin(name)
		default:
			return fmt.Errorf("cannot join network %s: %w", name, err)
		}
	}
	return nil
}

// mounts turns spec's mounts into the engine's. Unlike "-v", a mount of this kind never
// creates a folder that is missing on the host.
func mounts(spec engine.Spec) []mount.Mount {
	var list []mount.Mount
	for _, m := range spec.Mounts {
		kind := mount.TypeVolume
		if m.Bind() {
			kind = mount.TypeBind
		}
		list = append(list, mount.Mount{Type: kind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	return list
}

func resources(l engine.Limits) container.Resources {
	r := container.Resources{Memory: l.Memory, MemorySwap: l.MemorySwap, MemoryReservation: l.MemoryReservation, NanoCPUs: l.NanoCPUs}
	if l.Pids != 0 {
		r.PidsLimit = new(l.Pids)
	}
	return r
}

// limits reads back the values of resources. If no swap was asked for, the engine allows as
// much swap as memory, which is not our limit.
func limits(h *container.HostConfig) engine.Limits {
	if h == nil {
		return engine.Limits{}
	}
	l := engine.Limits{Memory: h.Memory, MemorySwap: h.MemorySwap, MemoryReservation: h.MemoryReservation, NanoCPUs: h.NanoCPUs}
	if l.MemorySwap == 2*l.Memory || l.MemorySwap < 0 {
		l.MemorySwap = 0
	}
	if h.PidsLimit != nil {
		l.Pids = max(*h.PidsLimit, 0)
	}
	return l
}

// CreateNetwork implements Networks.
func (d *Engine) CreateNetwork(ctx context.Context, name string) (engine.NetworkInfo, error) {
	n, err := d.createNetwork(ctx, name)
	if err != nil {
		return engine.NetworkInfo{}, fmt.Errorf("cannot create network %s: %w", name, err)
	}
	return n, nil
}

func (d *Engine) createNetwork(ctx context.Context, name string) (made engine.NetworkInfo, err error) {
	// Network names are unique: see bridgeName. No app has a name with a blank.
	bridge := bridgeName("network " + name)
	err = d.onSubnet(ctx, bridge, func(_ context.Context, _ *client.Client, all []network.Summary) (bool, error) {
		if slices.ContainsFunc(all, func(n network.Summary) bool { return n.Name == name }) {
			return false, engine.ErrNetworkExists
		}
		return false, nil
	}, func(ctx context.Context, cli *client.Client, subnet netip.Prefix) (bool, error) {
		r, err := cli.NetworkCreate(ctx, name, network.CreateOptions{
			Driver:     "bridge",
			Attachable: true,
			IPAM:       &network.IPAM{Config: []network.IPAMConfig{{Subnet: subnet.String()}}},
			Options:    map[string]string{bridgeOption: bridge},
			Labels:     map[string]string{engine.LabelNetwork: name},
		})
		if err != nil {
			return false, err
		}
		n, err := cli.NetworkInspect(ctx, r.ID, network.InspectOptions{})
		made = anyNetwork(n)
		return true, err
	})
	return made, err
}

// AllNetworks implements Networks.
func (d *Engine) AllNetworks(ctx context.Context) ([]engine.NetworkInfo, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list the networks: %w", err)
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	list, err := cli.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("cannot list the networks: %w", d.explain(ctx, err))
	}
	var all []engine.NetworkInfo
	for _, n := range list {
		all = append(all, anyNetwork(n))
	}
	slices.SortFunc(all, func(a, b engine.NetworkInfo) int { return strings.Compare(a.Name+" "+a.ID, b.Name+" "+b.ID) })
	return all, nil
}

func anyNetwork(n network.Inspect) engine.NetworkInfo {
	_, made := n.Labels[engine.LabelNetwork]
	return engine.NetworkInfo{ID: n.ID, Name: n.Name, Driver: n.Driver, Scope: n.Scope, Internal: n.Internal, IPv6: n.EnableIPv6,
		App: n.Labels[engine.LabelApp], Managed: made, Bridge: bridgeOf(n), Labels: n.Labels, Created: n.Created}
}

// bridgeOf is the interface of a network; the engine names it by the id unless it is told a name.
func bridgeOf(n network.Inspect) string {
	if n.Driver != "bridge" {
		return ""
	}
	return cmp.Or(n.Options[bridgeOption], "br-"+engine.Short(n.ID))
}

// Members implements Networks.
func (d *Engine) Members(ctx context.Context) ([]engine.Member, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list the containers of networks: %w", err)
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	list, err := cli.ContainerList(ctx, container.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("cannot list the containers of networks: %w", d.explain(ctx, err))
	}
	var members []engine.Member
	for _, c := range list {
		if c.NetworkSettings == nil {
			continue
		}
		kind := engine.Kind(c.Labels[engine.LabelContainerType])
		for name, end := range c.NetworkSettings.Networks {
			m := engine.Member{Network: name, App: c.Labels[engine.LabelApp], Filtered: c.Labels[engine.LabelFiltered] == "true",
				Build: kind == engine.KindBuild, OneOff: kind == engine.KindRun || kind == engine.KindCron}
			for _, text := range []string{end.IPAddress, end.GlobalIPv6Address} {
				if a, err := netip.ParseAddr(text); err == nil {
					m.Addresses = append(m.Addresses, a)
				}
			}
			if len(m.Addresses) > 0 {
				members = append(members, m)
			}
		}
	}
	return members, nil
}
