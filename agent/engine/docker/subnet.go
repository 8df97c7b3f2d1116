package docker

import (
	"net"
	"net/netip"
	"os"

	"dokku/agent/proc"
)

// hostPrefixes returns the prefixes that the host itself reaches through its interfaces
// and routes: an app's subnet there would cut the host off from them. It leaves out
// those that it cannot read; the engine still refuses overlaps with its own networks.
func hostPrefixes() []netip.Prefix {
	var found []netip.Prefix
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			found = append(found, p.Masked())
		}
	}
	routes, _ := os.ReadFile("/proc/net/route")
	return append(found, proc.ParseRoutes(string(routes))...)
}
