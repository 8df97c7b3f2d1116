package app

import (
	"net"
	"net/netip"
	"os"
	"strings"
)

// HostName returns the host's name in lowercase, or "localhost".
func HostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return strings.ToLower(name)
}

// HostAddress returns the address that the host uses for outgoing connections, by
// which other machines most likely reach it. It sends nothing.
func HostAddress() string {
	c, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return "127.0.0.1"
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).IP.String()
}

// carriers is the range of carriers' address translation (RFC 6598), and of some private
// networks.
var carriers = netip.MustParsePrefix("100.64.0.0/10")

// IsPublic reports whether an address leads to one host from everywhere.
func IsPublic(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !carriers.Contains(a)
}
