package app

import (
	"net"
	"os"
	"strings"
)

func HostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return strings.ToLower(name)
}

// HostAddress is the address by which other machines most likely know this one:
// the one from which it would speak to the outside. Nothing is sent.
func HostAddress() string {
	c, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return "127.0.0.1"
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).IP.String()
}
