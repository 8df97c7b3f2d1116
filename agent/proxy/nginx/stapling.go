package nginx

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"dokku/agent/proxy"
)

// relay is the loopback address by which nginx asks the responders of CAs, through itself.
const relay = "127.79.67.83"

// resolversIn returns the name servers in a file (resolv.conf(5)). nginx knows no zones
// of addresses.
func resolversIn(file string) []netip.Addr {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var list []netip.Addr
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil && a.Zone() == "" {
			list = append(list, a)
		}
	}
	return list
}

// Stapling returns where nginx asks what the CA says of the server's certificate, to add it
// to handshakes; "" for nowhere.
func (b block) Stapling() string {
	if b.certificate.Responder == "" || len(b.server.resolvers) == 0 {
		return ""
	}
	return fmt.Sprintf("http://%s:%d/%s", relay, b.server.port, b.certificate.ID)
}

// respondersOf returns the certificates whose CAs nginx asks, whichever app is deployed in
// the same order.
func respondersOf(routes []proxy.Route, s server) []proxy.Certificate {
	var list []proxy.Certificate
	known := map[string]bool{}
	for _, r := range routes {
		for _, c := range r.Certificates {
			if c.Responder != "" && !known[c.ID] {
				list, known[c.ID] = append(list, c), true
			}
		}
	}
	if len(s.resolvers) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b proxy.Certificate) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// inBrackets returns addresses in nginx's form.
func inBrackets(addresses []netip.Addr) []syntax {
	var list []syntax
	for _, a := range addresses {
		if a.Is6() {
			list = append(list, "["+syntax(a.String())+"]")
		} else {
			list = append(list, syntax(a.String()))
		}
	}
	return list
}
