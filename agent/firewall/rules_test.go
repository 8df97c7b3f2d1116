package firewall

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadRequest: root's part is told by a plain user what the rules are. Text that would be a
// rule, a file or a program of its own never reaches nft or iptables.
func TestReadRequest(t *testing.T) {
	for _, test := range []struct{ request, want string }{
		{`{"do":"apply","rules":{"web":[80],"bridges":[{"name":"dk-012345678901","except":["10.0.0.2","fd00::1"],"open":[{"from":"10.0.0.3","ports":["5432","8125/udp","53/tcp"],"metadata":true}]}],"engine":["docker0"]}}`, ""},
		{`{"do":"check"}`, ""},
		{`{"do":"remove"}`, `"remove" is neither apply nor check`},
		{`{"do":"check"} {}`, "more follows it"},
		{`{"do":"apply","rules":{"chain":"input"}}`, "unknown field"},
		{`{"do":"apply","rules":{"bridges":[{"name":"eth0; flush ruleset"}]}}`, "is not the name of a bridge"},
		{`{"do":"apply","rules":{"bridges":[{"name":"dk-\" drop"}]}}`, "is not the name of a bridge"},
		{`{"do":"apply","rules":{"bridges":[{"name":"dk-*"}]}}`, "is not the name of a bridge"},
		{`{"do":"apply","rules":{"bridges":[{"name":"dk-+"}]}}`, "is not the name of a bridge"},
		{`{"do":"apply","rules":{"bridges":[{"name":"../../etc"}]}}`, "is not the name of a bridge"},
		{`{"do":"apply","rules":{"bridges":[{"name":"dk-1"},{"name":"dk-1"}]}}`, "given twice"},
		{`{"do":"apply","rules":{"bridges":[{"name":"lo"}]}}`, "lo is not a bridge"},
		{`{"do":"apply","rules":{"engine":["docker0\nadd"]}}`, "is not the name of an interface"},
		{`{"do":"apply","rules":{"bridges":[{"name":"dk-1","except":["10.0.0.0/8"]}]}}`, "cannot read the request"},
		{`{"do":"apply","rules":{"bridges":[{"name":"dk-1","except":["fe80::1%eth0"]}]}}`, "is not an address"},
		{`{"do":"apply","rules":{"bridges":[{"name":"dk-1","open":[{"from":"::1"}]}]}}`, "is not an address of IPv4"},
		{`{"do":"apply","rules":{"bridges":[{"name":"dk-1","open":[{"ports":["0"]}]}]}}`, "is not a port"},
		{`{"do":"apply","rules":{"bridges":[{"name":"dk-1","open":[{"ports":["22 accept"]}]}]}}`, "is not a port"},
		{`{"do":"apply","rules":{"web":[0]}}`, "is not a port"},
		{`{"do":"apply","rules":{"web":[70000]}}`, "cannot read the request"},
		{strings.Repeat(" ", maxRequest+1), "has more than"},
		{``, "cannot read the request"},
	} {
		_, err := readRequest(strings.NewReader(test.request))
		if err == nil && test.want != "" || err != nil && (test.want == "" || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%.100s: %v, want %q", test.request, err, test.want)
		}
	}
}

// TestBridge: rules on an interface of the host itself would lock its administrator out.
func TestBridge(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"eth0", "dk-1/bridge"} {
		if err := os.MkdirAll(filepath.Join(dir, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"eth0": false, "dk-1": true, "br-later": true, "": false, strings.Repeat("a", 16): false} {
		if err := bridge(name, dir); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestParsePorts: what network:set host-ports takes.
func TestParsePorts(t *testing.T) {
	for list, want := range map[string]string{
		"5432": "[5432]", "5432,8125/udp": "[5432 8125/udp]", "5432, 22/tcp": "[5432 22]", "65535": "[65535]",
		"0": "", "65536": "", "-1": "", "": "", "5432,": "", "22/sctp": "", "5432-5440": "", "+22": "", "ssh": "",
		strings.Repeat("1,", maxPorts) + "1": "",
	} {
		ports, err := ParsePorts(list)
		var words []string
		for _, p := range ports {
			words = append(words, p.String())
		}
		if got := "[" + strings.Join(words, " ") + "]"; (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%q: %s, %v", list, got, err)
		}
	}
}

// FuzzReadRequest: whatever a request has, the scripts have only lines of their own form.
func FuzzReadRequest(f *testing.F) {
	f.Add(`{"do":"apply","rules":{"web":[80],"bridges":[{"name":"dk-1","except":["10.0.0.2"],"open":[{"ports":["1/udp"]}]}],"engine":["docker0"]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := readRequest(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, script := range []string{nftScript("dokku", r.Rules), iptablesScript("dokku", r.Rules, false), iptablesScript("dokku", r.Rules, true)} {
			if strings.ContainsAny(script, "`$\\'\r\x00") || strings.Count(script, "\"")%2 != 0 {
				t.Errorf("%q becomes\n%s", text, script)
			}
		}
	})
}

// TestRuleScripts: what is open is open for its own containers alone, and nothing that is excepted on one
// bridge is on another.
func TestRuleScripts(t *testing.T) {
	r := Rules{Web: []uint16{80}, Engine: []string{"docker0"}, Bridges: []Bridge{
		{Name: "dk-a", Open: []Opening{{Ports: []Port{{5432, false}, {8125, true}}}}},
		{Name: "br-b", Except: []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")},
			Open: []Opening{{From: netip.MustParseAddr("10.0.0.3"), Ports: []Port{{6379, false}}, Metadata: true}}},
	}}
	for script, want := range map[string][]string{
		nftScript("dokku-beside", r): {"table inet dokku_beside {}\ndelete table inet dokku_beside\n", `except4 { type ifname . ipv4_addr; elements = { "br-b" . 10.0.0.2 }; }`,
			`except6 { type ifname . ipv6_addr; elements = { "br-b" . fd00::2 }; }`, `elements = { "dk-a" . tcp . 5432, "dk-a" . udp . 8125 }`,
			`elements = { "br-b" . 10.0.0.3 . tcp . 6379 }`, "set cloud { type ifname; }", `set cloud_from { type ifname . ipv4_addr; elements = { "br-b" . 10.0.0.3 }; }`},
		iptablesScript("dokku", r, false): {"*mangle\n:DOKKU-IN - [0:0]\n", "-A DOKKU-IN -i br-b -s 10.0.0.2 -j RETURN\n", "-A DOKKU-FWD -i br-b -s 10.0.0.2 -j RETURN\n",
			"-A DOKKU-IN -i dk-a -p udp --dport 8125 -j RETURN\n", "-A DOKKU-IN -i br-b -s 10.0.0.3 -p tcp --dport 6379 -j RETURN\n", "-A DOKKU-META -i br-b -s 10.0.0.3 -j RETURN\n",
			"-A DOKKU-META -m conntrack --ctorigdst 169.254.0.0/16 -j DROP\n", "-A DOKKU-IN -i dk-a -j DROP\n", "-A DOKKU-IN -i br-b -j DROP\n"},
		iptablesScript("dokku", r, true): {"-A DOKKU-IN -i br-b -s fd00::2 -j RETURN\n", "--ctorigdst fd00:ec2::254/128 -j DROP\n", "-p ipv6-icmp", "-A DOKKU-IN -i br-b -j DROP\n"},
	} {
		for _, part := range want {
			if !strings.Contains(script, part) {
				t.Errorf("%q is missing in\n%s", part, script)
			}
		}
	}
	if six := iptablesScript("dokku", r, true); strings.Contains(six, "10.0.0.") {
		t.Errorf("addresses of IPv4 are in\n%s", six)
	}
}
