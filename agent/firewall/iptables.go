package firewall

import (
	"fmt"
	"strings"
)

// The ends of the names of our chains.
var chainEnds = []string{"IN", "FWD", "META", "OUT"}

// chain is the name of one of our chains of iptables.
func chain(name, end string) string { return strings.ToUpper(name) + "-" + end }

// iptablesScript returns the lines for iptables-restore --noflush that replace our chains of a
// name by these rules, or for that of ip6tables. No chain of others is in it.
func iptablesScript(name string, r Rules, six bool) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	in, forward, cloud, out := chain(name, "IN"), chain(name, "FWD"), chain(name, "META"), chain(name, "OUT")
	line("*mangle")
	for _, end := range chainEnds {
		line(":%s - [0:0]", chain(name, end))
	}
	icmp := "icmp"
	if six {
		icmp = "ipv6-icmp"
	}
	for _, c := range []string{in, forward} {
		line("-A %s -m conntrack --ctdir REPLY -j RETURN", c)
	}
	for _, b := range r.Bridges {
		for _, c := range []string{in, forward} {
			for _, a := range b.Except {
				if a.Is6() == six {
					line("-A %s -i %s -s %s -j RETURN", c, b.Name, a)
				}
			}
		}
		for _, o := range b.Open {
			if from, ok := o.from(six); ok && o.Metadata {
				line("-A %s -i %s%s -j RETURN", cloud, b.Name, from)
			}
		}
	}
	ports(line, cloud, 53)
	for _, p := range metadata {
		if p.Addr().Is6() == six {
			line("-A %s -m conntrack --ctorigdst %s -j DROP", cloud, p)
		}
	}
	for _, b := range r.Bridges {
		line("-A %s -i %s -o %[2]s -j RETURN", forward, b.Name)
		line("-A %s -i %s -j %s", in, b.Name, cloud)
		line("-A %s -i %s -j %s", forward, b.Name, out)
	}
	line("-A %s -p %s -j RETURN", in, icmp)
	ports(line, in, 53)
	for _, p := range r.Web {
		line("-A %s -p tcp --dport %d -j RETURN", in, p)
	}
	for _, b := range r.Bridges {
		for _, o := range b.Open {
			from, ok := o.from(six)
			if !ok {
				continue
			}
			for _, p := range o.Ports {
				line("-A %s -i %s%s -p %s --dport %d -j RETURN", in, b.Name, from, p.protocol(), p.Number)
			}
		}
		line("-A %s -i %s -j DROP", in, b.Name)
	}
	line("-A %s -j %s", out, cloud)
	line("-A %s -o %s+ -j DROP", out, Ours)
	for _, name := range r.Engine {
		line("-A %s -o %s -j DROP", out, name)
	}
	line("COMMIT")
	return b.String()
}

// from matches the containers of an opening; false: they have no address of the family.
func (o Opening) from(six bool) (match string, ok bool) {
	if !o.From.IsValid() {
		return "", true
	}
	return " -s " + o.From.String(), !six
}

// ports lets a port of TCP and UDP pass.
func ports(line func(string, ...any), chain string, port int) {
	for _, protocol := range []string{"udp", "tcp"} {
		line("-A %s -p %s --dport %d -j RETURN", chain, protocol, port)
	}
}
