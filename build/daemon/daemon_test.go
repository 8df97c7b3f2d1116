package daemon

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

func sample() Config {
	return Config{Name: "dokku-builder", Programs: "/usr/local/lib/dokku/buildkitd", Runtime: "/usr/sbin/runc", State: "/var/lib/dokku-builder", Run: "/run/dokku-builder",
		UID: 998, GID: 997, Settings: Settings{Memory: 4 << 30, Cache: 10 << 30, CPUs: 1.5, Processes: 4096,
			Allowed: []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")}, Frontends: []string{"docker/dockerfile"}}}
}

// TestFilter: what is allowed comes before what is refused, DNS is one port of its servers, and
// what no rule names is refused where steps meet each other or the daemon.
func TestFilter(t *testing.T) {
	got := sample().filter([]netip.Addr{netip.MustParseAddr("192.168.1.1")}, []netip.Addr{netip.MustParseAddr("203.0.113.7")})
	want := `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT DROP [0:0]
:EGRESS - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A FORWARD -s 198.19.0.0/16 -o eth0 -j EGRESS
-A FORWARD -s 198.19.0.0/16 -j REJECT --reject-with icmp-admin-prohibited
-A OUTPUT -o lo -j ACCEPT
-A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A OUTPUT -o eth0 -j EGRESS
-A EGRESS -d 192.168.1.1 -p udp --dport 53 -j ACCEPT
-A EGRESS -d 192.168.1.1 -p tcp --dport 53 -j ACCEPT
-A EGRESS -d 10.1.2.0/24 -j ACCEPT
-A EGRESS -d 0.0.0.0/8 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -d 10.0.0.0/8 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -d 100.64.0.0/10 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -d 127.0.0.0/8 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -d 169.254.0.0/16 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -d 172.16.0.0/12 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -d 192.0.0.0/24 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -d 192.168.0.0/16 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -d 198.18.0.0/15 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -d 224.0.0.0/4 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -d 240.0.0.0/4 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -d 203.0.113.7 -j REJECT --reject-with icmp-admin-prohibited
-A EGRESS -j ACCEPT
COMMIT
*nat
-A POSTROUTING -s 198.19.0.0/16 -o eth0 -j MASQUERADE
COMMIT
`
	if got != want {
		t.Errorf("the rules are\n%s", got)
	}
}

// TestAllowedNetworkHasNoApps: an administrator lets builds reach 10.0.0.0/8, where the networks of
// the apps are too. Builds reached the processes of all apps.
func TestAllowedNetworkHasNoApps(t *testing.T) {
	c := sample()
	c.Settings.Allowed = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	var forward []string
	for _, r := range c.rules(nil) {
		if match := strings.Join(r.match, " "); r.chain == "FORWARD" && strings.HasPrefix(match, "-i ") {
			forward = append(forward, match)
		}
	}
	if len(forward) < 2 || !strings.Contains(forward[0], "-o dk-+ -j REJECT") || !strings.Contains(forward[1], "-d 10.0.0.0/8 -j ACCEPT") {
		t.Errorf("the rules for builds are %q", forward)
	}
}

// TestResolvers: builds ask the host's servers of DNS, or those behind its resolver.
func TestResolvers(t *testing.T) {
	for _, c := range []struct{ etc, systemd, text, names string }{
		{"# by hand\nnameserver 192.0.2.1\nsearch lan\nnameserver ::1\n", "", "nameserver 192.0.2.1\nsearch lan\n", "192.0.2.1"},
		{"nameserver 127.0.0.53\noptions edns0\n", "nameserver 10.0.0.2\nnameserver 10.0.0.3\n", "nameserver 10.0.0.2\nnameserver 10.0.0.3\n", "10.0.0.2 10.0.0.3"},
		{"nameserver 127.0.0.1\n", "", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n", "8.8.8.8 8.8.4.4"},
		{"", "nonsense\nnameserver x\n", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n", "8.8.8.8 8.8.4.4"},
	} {
		text, names := resolvers(c.etc, c.systemd)
		var words []string
		for _, a := range names {
			words = append(words, a.String())
		}
		if got := strings.Join(words, " "); text != c.text || got != c.names {
			t.Errorf("%q, %q: %q, %s", c.etc, c.systemd, text, got)
		}
	}
}

// TestCgroupValues: both versions of cgroups get all limits, and steps less memory than all.
func TestCgroupValues(t *testing.T) {
	for unified, want := range map[bool]map[string]string{
		true: {"b/memory.max": "4294967296", "b/steps/memory.max": "3758096384", "b/memory.swap.max": "0",
			"b/cpu.max": "150000 100000", "b/cpu.weight": "50", "b/steps/pids.max": "4096"},
		false: {"memory/b/memory.limit_in_bytes": "4294967296", "memory/b/steps/memory.limit_in_bytes": "3758096384",
			"cpu/b/cpu.cfs_quota_us": "150000", "cpu/b/cpu.shares": "512", "pids/b/steps/pids.max": "4096"},
	} {
		got := cgroup{unified, "b"}.values(sample().Settings)
		for path, value := range want {
			if got[path] != value {
				t.Errorf("unified %v: %s is %q, want %q", unified, path, got[path], value)
			}
		}
		if len(got) != len(want) {
			t.Errorf("unified %v: %v", unified, got)
		}
	}
}

// TestConfigRefused: a configuration without images that may read a Dockerfile would allow all.
func TestConfigRefused(t *testing.T) {
	if err := sample().check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Config){
		"name":      func(c *Config) { c.Name = "a b" },
		"path":      func(c *Config) { c.State = "state" },
		"frontends": func(c *Config) { c.Settings.Frontends = nil },
		"ipv6":      func(c *Config) { c.Settings.Allowed = []netip.Prefix{netip.MustParsePrefix("fd00::/8")} },
	} {
		c := sample()
		if change(&c); c.check() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if d := sample().device(); len(d) > 15 || d == (Config{Name: "other"}).device() {
		t.Errorf("the device is %q", d)
	}
	if text := sample().toml(); !strings.Contains(text, `insecure-entitlements = []`) || !strings.Contains(text, `allowedRepositories = ["docker/dockerfile"]`) ||
		!strings.Contains(text, `defaultCgroupParent = "`+filepath.Join("/dokku-builder", cgroupSteps)+`"`) {
		t.Errorf("%s", text)
	}
}
