package app

import (
	"net"
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
