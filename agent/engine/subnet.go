package engine

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// FreeSubnet returns the first subnet of the pool that overlaps nothing taken.
func FreeSubnet(pool netip.Prefix, length int, taken []netip.Prefix) (netip.Prefix, bool) {
	first := binary.BigEndian.Uint32(pool.Addr().AsSlice())
	for n := range uint32(1) << (length - pool.Bits()) {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], first+n<<(32-length))
		subnet := netip.PrefixFrom(netip.AddrFrom4(a), length)
		if !slices.ContainsFunc(taken, subnet.Overlaps) {
			return subnet, true
		}
	}
	return netip.Prefix{}, false
}

// Divide says who gives out which addresses of a subnet: the engine the upper
// half, the agent the lower one, whose first address is the gateway.
func Divide(subnet netip.Prefix) (automatic netip.Prefix, gateway netip.Addr) {
	length := subnet.Bits() + 1
	a := subnet.Addr().As4()
	upper := binary.BigEndian.Uint32(a[:]) | 1<<(32-length)
	binary.BigEndian.PutUint32(a[:], upper)
	return netip.PrefixFrom(netip.AddrFrom4(a), length), subnet.Addr().Next()
}
