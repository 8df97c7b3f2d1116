package plan

import (
	"net/netip"
	"slices"

	"dokku/agent/engine"
)

// holdsAddress reports whether a container has the address.
func holdsAddress(w Observation, a netip.Addr) bool {
	return slices.ContainsFunc(w.Instances, func(i engine.Instance) bool { return i.Address == a })
}

// Taken returns the addresses that new containers must not get: the addresses of
// existing containers and of the live route's upstreams.
func Taken(w Observation) map[netip.Addr]bool {
	t := map[netip.Addr]bool{w.Network.Gateway: true}
	for _, i := range w.Instances {
		t[i.Address] = true
	}
	if w.Live != nil {
		for _, u := range w.Live.Upstreams {
			t[u.Addr()] = true
		}
	}
	return t
}

// NextAddress returns the first free fixed address after the highest taken one, and
// wraps around, so that a freed address stays unused for long: an old worker of the
// proxy may still hold connections to it. It returns the zero Addr if none is free.
func NextAddress(n engine.Network, taken map[netip.Addr]bool) netip.Addr {
	if !n.Subnet.IsValid() {
		return netip.Addr{}
	}
	first := n.Subnet.Masked().Addr().Next()
	fixed := func(a netip.Addr) bool {
		return n.Subnet.Contains(a) && !n.Automatic.Contains(a) && n.Subnet.Contains(a.Next())
	}
	from := first
	for a := range taken {
		if fixed(a) && a.Compare(from) >= 0 {
			from = a.Next()
		}
	}
	for a := from; fixed(a); a = a.Next() {
		if !taken[a] {
			return a
		}
	}
	for a := first; fixed(a); a = a.Next() {
		if !taken[a] {
			return a
		}
	}
	return netip.Addr{}
}
