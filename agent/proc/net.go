package proc

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Listens reports whether any program on this host listens on a TCP port, on any
// address. A trial Listen cannot tell: a plain user may not listen on low ports,
// free or not. A host that does not show its sockets counts as free.
func Listens(port int) bool {
	v4, _ := os.ReadFile("/proc/net/tcp")
	v6, _ := os.ReadFile("/proc/net/tcp6")
	return slices.ContainsFunc(ParseListening(string(v4)+string(v6)),
		func(a netip.AddrPort) bool { return int(a.Port()) == port })
}

// ParseListening reads tables in the format of /proc/net/tcp and /proc/net/tcp6
// (proc_pid_net(5)), in any order, and returns the local addresses of the sockets
// that listen. It skips lines that it cannot read.
func ParseListening(tables string) []netip.AddrPort {
	const listen = "0A" // TCP_LISTEN
	var sockets []netip.AddrPort
	for line := range strings.Lines(tables) {
		// "sl local_address rem_address st ...": addresses are HEX:PORT.
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[3] != listen {
			continue
		}
		host, port, _ := strings.Cut(fields[1], ":")
		addr, ok := kernelAddr(host)
		n, err := strconv.ParseUint(port, 16, 16)
		if ok && err == nil {
			sockets = append(sockets, netip.AddrPortFrom(addr, uint16(n)))
		}
	}
	return sockets
}

// kernelAddr reads an address in the format of the files under /proc/net: words of
// 32 bits in the byte order of the machine, in hexadecimal.
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

// ParseRoutes reads a table in the format of /proc/net/route (proc_pid_net(5)) and
// returns its destinations without the default routes. It skips lines that it
// cannot read.
func ParseRoutes(table string) []netip.Prefix {
	var found []netip.Prefix
	for line := range strings.Lines(table) {
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
