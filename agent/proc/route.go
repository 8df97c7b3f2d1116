package proc

import (
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

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
