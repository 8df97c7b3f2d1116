package daemon

import (
	"fmt"
	"net/netip"
	"strings"
)

// refused are the networks that no build reaches, unless the administrator allows one: this
// host, private networks, those of link-local addresses with the metadata service of a cloud,
// and those that are no host's.
var refused = []string{
	"0.0.0.0/8",
	"10.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"169.254.0.0/16",
	"172.16.0.0/12",
	"192.0.0.0/24",
	"192.168.0.0/16",
	"198.18.0.0/15",
	"224.0.0.0/4",
	"240.0.0.0/4",
}

// filter are the rules of the daemon's own network namespace, in the form of
// iptables-restore. names are the servers of DNS; own the addresses of the host. The daemon
// fetches images and URLs itself, and forwards what the steps send.
func (c Config) filter(names, own []netip.Addr) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\n:EGRESS - [0:0]")
	line("-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT")
	line("-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n-A FORWARD -s %s -o %s -j EGRESS", steps, inner)
	line("-A FORWARD -s %s -j REJECT --reject-with icmp-admin-prohibited", steps)
	line("-A OUTPUT -o lo -j ACCEPT\n-A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n-A OUTPUT -o %s -j EGRESS", inner)
	for _, a := range names {
		line("-A EGRESS -d %s -p udp --dport 53 -j ACCEPT\n-A EGRESS -d %[1]s -p tcp --dport 53 -j ACCEPT", a)
	}
	for _, p := range c.Settings.Allowed {
		line("-A EGRESS -d %s -j ACCEPT", p.Masked())
	}
	for _, p := range refused {
		line("-A EGRESS -d %s -j REJECT --reject-with icmp-admin-prohibited", p)
	}
	for _, a := range own {
		line("-A EGRESS -d %s -j REJECT --reject-with icmp-admin-prohibited", a)
	}
	line("-A EGRESS -j ACCEPT\nCOMMIT")
	line("*nat\n-A POSTROUTING -s %s -o %s -j MASQUERADE\nCOMMIT", steps, inner)
	return b.String()
}

// rule is a rule of the host's own network namespace.
type rule struct {
	table, chain string
	match        []string
}

// rules are the host's rules, the first one on top: what comes from the daemon reaches
// neither the host nor its containers, whatever the daemon's own rules say.
func (c Config) rules(names []netip.Addr) (list []rule) {
	device := c.device()
	add := func(table, chain, match string, args ...any) {
		match = fmt.Sprintf(match, args...) + " -m comment --comment " + c.Name
		list = append(list, rule{table, chain, strings.Fields(match)})
	}
	target := "-j REJECT --reject-with icmp-admin-prohibited"
	add("filter", "INPUT", "-i %s -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT", device)
	for _, a := range names {
		add("filter", "INPUT", "-i %s -d %s/32 -p udp -m udp --dport 53 -j ACCEPT", device, a)
		add("filter", "INPUT", "-i %s -d %s/32 -p tcp -m tcp --dport 53 -j ACCEPT", device, a)
	}
	for _, p := range c.Settings.Allowed {
		add("filter", "INPUT", "-i %s -d %s -j ACCEPT", device, p.Masked())
	}
	add("filter", "INPUT", "-i %s %s", device, target)
	add("filter", "FORWARD", "-o %s -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT", device)
	add("filter", "FORWARD", "-o %s -j DROP", device)
	// No network that an administrator allows is meant to have the apps.
	add("filter", "FORWARD", "-i %s -o %s %s", device, "dk-+", target)
	for _, p := range c.Settings.Allowed {
		add("filter", "FORWARD", "-i %s -d %s -j ACCEPT", device, p.Masked())
	}
	for _, bridge := range []string{"docker+", "br-+"} {
		add("filter", "FORWARD", "-i %s -o %s %s", device, bridge, target)
	}
	add("filter", "FORWARD", "-i %s -j ACCEPT", device)
	host, _ := c.link()
	add("nat", "POSTROUTING", "-s %s ! -o %s -j MASQUERADE", host.Masked(), device)
	return list
}
