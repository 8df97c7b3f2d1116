package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// metadata are the addresses of the metadata services of clouds.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("168.63.129.16/32"),
	netip.MustParsePrefix("fd00:ec2::254/128"),
}

// Ours begins the names of the bridges of all networks that this program makes (package docker).
const Ours = "dk-"

// nftScript returns the commands that replace the table of a name by these rules, at once.
func nftScript(name string, r Rules) string {
	var b strings.Builder
	table := nftTable(name)
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	set := func(name, kind string, elements []string) {
		slices.Sort(elements)
		if elements = slices.Compact(elements); len(elements) == 0 {
			line("\tset %s { type %s; }", name, kind)
			return
		}
		line("\tset %s { type %s; elements = { %s }; }", name, kind, strings.Join(elements, ", "))
	}
	e := elementsOf(r)
	line("table inet %s {}\ndelete table inet %[1]s\ntable inet %[1]s {", table)
	set("bridges", "ifname", e.bridges)
	set("same", "ifname . ifname", e.same)
	set("engine", "ifname", e.engine)
	set("except4", "ifname . ipv4_addr", e.except4)
	set("except6", "ifname . ipv6_addr", e.except6)
	set("web", "inet_service", e.web)
	set("opened", "ifname . inet_proto . inet_service", e.open)
	set("opened_from", "ifname . ipv4_addr . inet_proto . inet_service", e.openFrom)
	set("cloud", "ifname", e.cloud)
	set("cloud_from", "ifname . ipv4_addr", e.cloudFrom)
	line(`	chain input { type filter hook input priority -10; policy accept; iifname @bridges jump host; }
	chain forward { type filter hook forward priority -10; policy accept; iifname @bridges jump beyond; }
	chain host {
		ct direction reply return
		iifname . ip saddr @except4 return
		iifname . ip6 saddr @except6 return
		jump metadata
		meta l4proto { icmp, ipv6-icmp } return
		meta l4proto { tcp, udp } th dport 53 return
		tcp dport @web return
		iifname . meta l4proto . th dport @opened return
		iifname . ip saddr . meta l4proto . th dport @opened_from return
		jump refuse
	}
	chain beyond {
		ct direction reply return
		iifname . oifname @same return
		iifname . ip saddr @except4 return
		iifname . ip6 saddr @except6 return
		jump metadata
		oifname "%s*" jump refuse
		oifname @engine jump refuse
	}
	chain metadata {
		meta l4proto { tcp, udp } th dport 53 return
		iifname @cloud return
		iifname . ip saddr @cloud_from return`, Ours)
	for _, p := range metadata {
		family := "ip"
		if p.Addr().Is6() {
			family = "ip6"
		}
		line("\t\tct original %s daddr %s jump refuse", family, p)
	}
	line("\t}\n\tchain refuse {\n\t\tmeta l4proto tcp reject with tcp reset\n\t\treject with icmpx admin-prohibited\n\t}\n}")
	return b.String()
}

// nftTable is the name of the table: nft knows no hyphen in one.
func nftTable(name string) string { return strings.ReplaceAll(name, "-", "_") }

// elements are the elements of the sets of a table.
type elements struct{ bridges, same, engine, except4, except6, web, open, openFrom, cloud, cloudFrom []string }

func elementsOf(r Rules) (e elements) {
	for _, p := range r.Web {
		e.web = append(e.web, fmt.Sprint(p))
	}
	for _, name := range r.Engine {
		e.engine = append(e.engine, quoted(name))
	}
	for _, b := range r.Bridges {
		name := quoted(b.Name)
		e.bridges, e.same = append(e.bridges, name), append(e.same, name+" . "+name)
		for _, a := range b.Except {
			if a.Is4() {
				e.except4 = append(e.except4, name+" . "+a.String())
			} else {
				e.except6 = append(e.except6, name+" . "+a.String())
			}
		}
		for _, o := range b.Open {
			for _, p := range o.Ports {
				if o.From.IsValid() {
					e.openFrom = append(e.openFrom, fmt.Sprintf("%s . %s . %s . %d", name, o.From, p.protocol(), p.Number))
				} else {
					e.open = append(e.open, fmt.Sprintf("%s . %s . %d", name, p.protocol(), p.Number))
				}
			}
			switch {
			case o.Metadata && o.From.IsValid():
				e.cloudFrom = append(e.cloudFrom, name+" . "+o.From.String())
			case o.Metadata:
				e.cloud = append(e.cloud, name)
			}
		}
	}
	return e
}

func quoted(name string) string { return `"` + name + `"` }
