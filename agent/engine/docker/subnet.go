package docker

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// hostPrefixes returns what the host itself can reach, through its interfaces
// and routes: an app's subnet there would cut the host off from it. What cannot
// be read is left out; the engine still refuses overlaps with its own networks.
func hostPrefixes() []netip.Prefix {
	var found []netip.Prefix
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			found = append(found, p.Masked())
		}
	}
	routes, _ := os.ReadFile("/proc/net/route")
	return append(found, parseRoutes(string(routes))...)
}

// parseRoutes reads /proc/net/route (proc_pid_net(5)) without default routes.
func parseRoutes(text string) []netip.Prefix {
	var found []netip.Prefix
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		to, ok := kernelAddr(fields[1])
		mask, err := strconv.ParseUint(fields[7], 16, 32)
		if !ok || !to.Is4() || err != nil || mask == 0 {
			continue
		}
		found = append(found, netip.PrefixFrom(to, bits.OnesCount64(mask)).Masked())
	}
	return found
}

// kernelAddr reads an address as files under /proc/net have it: words of 32
// bits in the byte order of the machine, in hexadecimal.
func kernelAddr(s string) (netip.Addr, bool) {
	words, err := hex.DecodeString(s)
	if err != nil || len(words)%4 != 0 {
		return netip.Addr{}, false
	}
	for w := words; len(w) > 0; w = w[4:] {
		binary.BigEndian.PutUint32(w, binary.NativeEndian.Uint32(w))
	}
	addr, ok := netip.AddrFromSlice(words)
	return addr.Unmap(), ok
}
