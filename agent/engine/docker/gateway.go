package docker

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// bindPorts makes the network by which processes of a swarm leave their node and are reached at
// its ports, so that these ports are open at one address alone. The engine would make it by
// itself, for all addresses. One that an earlier swarm has left for other addresses is replaced.
// It reports whether it made the network.
func bindPorts(ctx context.Context, cli *client.Client, address netip.Addr) (made bool, err error) {
	options := engine.GatewayOptions(address.String())
	left, err := cli.NetworkInspect(ctx, engine.GatewayNetwork, network.InspectOptions{})
	switch {
	case err == nil && left.Options[engine.GatewayBinding] == options[engine.GatewayBinding]:
		return false, nil
	case err == nil:
		if err = cli.NetworkRemove(ctx, engine.GatewayNetwork); err != nil {
			return false, fmt.Errorf("network %s is left from an earlier swarm, and publishes ports at other addresses than %s: %w; remove it: docker network rm %[1]s",
				engine.GatewayNetwork, address, err)
		}
	case !errdefs.IsNotFound(err):
		return false, err
	}
	_, err = cli.NetworkCreate(ctx, engine.GatewayNetwork, network.CreateOptions{Driver: "bridge", Options: options})
	return err == nil, err
}

// advertised is the address that the engine will choose for an advertised address: an
// address, the name of an interface, or "" for the only address of this machine. It is not
// valid where the engine has to say what is wrong.
func advertised(advertise string) netip.Addr {
	host, _, err := net.SplitHostPort(advertise)
	if err != nil {
		host = advertise
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a
	}
	list, err := net.Interfaces()
	if err != nil {
		return netip.Addr{}
	}
	var found []netip.Addr
	for _, i := range list {
		if host != "" && i.Name != host || host == "" && (i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagUp == 0 || engines(i.Name)) {
			continue
		}
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
				found = append(found, p.Addr())
			}
		}
	}
	if len(found) != 1 {
		return netip.Addr{}
	}
	return found[0]
}

// engines reports whether the engine itself has made the interface.
func engines(name string) bool {
	return slices.ContainsFunc([]string{"docker", "br-", "veth"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
