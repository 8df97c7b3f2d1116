package node

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

const inUse = "address already in use by another program of this node"

// PortTaken reports whether that is what Unserved has found.
func PortTaken(why string) bool { return strings.Contains(why, inUse) }

// unserved is the line for a process that cannot be served at an address.
func unserved(to, at netip.AddrPort, err error) string {
	why := err.Error()
	if errors.Is(err, unix.EADDRINUSE) {
		why = fmt.Sprintf(inUse+": ss -tanp sport = :%d names it. The port is taken as soon as it is free; a connection that has ended keeps it for 60 s", at.Port())
	}
	return fmt.Sprintf("cannot serve %s at %s: %s", to, at, why)
}

// served is the line for one that is served.
func served(to, at netip.AddrPort) string { return fmt.Sprintf("%s is served at %s", to, at) }

// Unserved finds in what the service has logged why nothing is served at an address: "" if it
// is, or if the lines do not say.
func Unserved(log string, at netip.AddrPort) (why string) {
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "cannot serve ") && strings.Contains(line, " at "+at.String()+": ") {
			why = line
		} else if strings.HasSuffix(line, " is served at "+at.String()) {
			why = ""
		}
	}
	return why
}
