package docker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// bridgeOption names the kernel's interface for a bridge network.
const bridgeOption = "com.docker.network.bridge.name"

// bridgeName is the name of the interface for an app's network. The engine's check for
// network names is a race, but two networks never share an interface: of two processes
// that make the network of an app, one fails.
func bridgeName(app string) string {
	return fmt.Sprintf("dk-%x", sha256.Sum256([]byte(app)))[:15] // IFNAMSIZ
}

// Network implements Networks.
func (d *Engine) Network(ctx context.Context, app string) (engine.Network, error) {
	n, err := d.network(ctx, app)
	if err != nil {
		return engine.Network{}, fmt.Errorf("cannot make the network of app %s: %w", app, err)
	}
	return n, nil
}

func (d *Engine) network(ctx context.Context, app string) (n engine.Network, err error) {
	if app == "" {
		return engine.Network{}, errors.New("no app is given")
	}
	err = d.onSubnet(ctx, bridgeName(app), func(ctx context.Context, cli *client.Client, all []network.Summary) (found bool, err error) {
		n, found, err = ours(ctx, cli, all, app)
		return found, err
	}, func(ctx context.Context, cli *client.Client, subnet netip.Prefix) (bool, error) {
		return false, create(ctx, cli, app, d.root(), subnet) // the next look finds it
	})
	return n, err
}

// onSubnet makes a network with the interface bridge on a free subnet of the pool.
// Other processes may do the same at the same time: look finds the network among all
// that exist, and attempt returns the engine's error or whether the work is done.
func (d *Engine) onSubnet(ctx context.Context, bridge string, look func(context.Context, *client.Client, []network.Summary) (found bool, err error),
	attempt func(context.Context, *client.Client, netip.Prefix) (done bool, err error)) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	d.networks.Lock()
	defer d.networks.Unlock()
	ctx, cancel := engine.Settled(ctx, engine.SlowCall)
	defer cancel()
	taken := hostPrefixes()
	for range networkTries {
		all, err := cli.NetworkList(ctx, network.ListOptions{})
		if err != nil {
			return d.explain(ctx, err)
		}
		if found, err := look(ctx, cli, all); found || err != nil {
			return err
		}
		subnet, ok := engine.FreeSubnet(d.config.Pool, subnetBits, append(subnets(all), taken...))
		if !ok {
			return fmt.Errorf("%w: every /%d of pool %s overlaps a network, an interface or a route of this host; set another pool or remove networks",
				engine.ErrNoSubnet, subnetBits, d.config.Pool)
		}
		switch done, err := attempt(ctx, cli, subnet); {
		case err == nil && done:
			return nil
		case err == nil:
		case overlaps(err):
			taken = append(taken, subnet)
		case !madeMeanwhile(err):
			return d.explain(ctx, err)
		default:
			engine.Pause(ctx, networkPause)
		}
	}
	return fmt.Errorf("interface %s belongs to another network: remove that network", bridge)
}

const (
	// A network that another process is making is seen after about 0.1 s.
	networkTries = 200
	networkPause = 25 * time.Millisecond
)

// overlaps reports whether the engine has an unlisted network in the subnet: another
// process has just made it.
func overlaps(err error) bool {
	return strings.Contains(strings.ToLower(err.Error()), "pool overlaps")
}

// madeMeanwhile reports whether another process has just made this app's network.
func madeMeanwhile(err error) bool {
	return strings.Contains(err.Error(), "same bridge name") || strings.Contains(err.Error(), "already exists")
}

// ours finds the app's network among all. Should there be several, which only
// other programs can bring about, the oldest counts.
func ours(ctx context.Context, cli *client.Client, all []network.Summary, app string) (engine.Network, bool, error) {
	named := slices.DeleteFunc(slices.Clone(all), func(n network.Summary) bool { return n.Name != engine.NetworkName(app) })
	if len(named) == 0 {
		return engine.Network{}, false, nil
	}
	slices.SortFunc(named, older)
	for _, n := range named {
		if n.Labels[engine.LabelApp] != app {
			return engine.Network{}, false, fmt.Errorf("network %s (%s) exists and is not this app's: remove or rename it",
				n.Name, engine.Short(n.ID))
		}
	}
	for _, n := range named[1:] {
		// Best effort: containers by the name alone would not start.
		cli.NetworkRemove(ctx, n.ID)
	}
	return appNetwork(named[0]), true, nil
}

func older(a, b network.Summary) int {
	if c := a.Created.Compare(b.Created); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

func subnets(all []network.Summary) []netip.Prefix {
	var taken []netip.Prefix
	for _, n := range all {
		for _, c := range n.IPAM.Config {
			if p, err := netip.ParsePrefix(c.Subnet); err == nil {
				taken = append(taken, p.Masked())
			}
		}
	}
	return taken
}

func (d *Engine) root() string {
	if d.config.Root == nil {
		return ""
	}
	return d.config.Root()
}

func create(ctx context.Context, cli *client.Client, app, root string, subnet netip.Prefix) error {
	automatic, gateway := engine.Divide(subnet)
	labels := map[string]string{engine.LabelApp: app}
	if root != "" {
		labels[engine.LabelRoot] = root
	}
	_, err := cli.NetworkCreate(ctx, engine.NetworkName(app), network.CreateOptions{
		Driver: "bridge",
		IPAM: &network.IPAM{Config: []network.IPAMConfig{{
			Subnet:  subnet.String(),
			IPRange: automatic.String(),
			Gateway: gateway.String(),
		}}},
		Options: map[string]string{bridgeOption: bridgeName(app)},
		Labels:  labels,
	})
	return err
}
