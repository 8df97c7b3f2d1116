package engine

import (
	"fmt"
	"net/netip"
	"testing"
)

func prefixes(list ...string) []netip.Prefix {
	var p []netip.Prefix
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

func TestFreeSubnet(t *testing.T) {
	for _, test := range []struct {
		pool   string
		length int
		taken  []netip.Prefix
		want   string
	}{
		{"10.192.0.0/11", 22, nil, "10.192.0.0/22"},
		{"10.192.0.0/11", 22, prefixes("10.192.0.0/22"), "10.192.4.0/22"},
		{"10.192.0.0/11", 22, prefixes("10.192.4.0/22"), "10.192.0.0/22"},
		{"10.192.0.0/11", 22, prefixes("10.192.0.0/12"), "10.208.0.0/22"},
		{"10.192.0.0/11", 22, prefixes("10.192.1.7/32", "10.192.6.0/24"), "10.192.8.0/22"},
		{"10.192.0.0/11", 22, prefixes("172.17.0.0/16", "fd00::/8"), "10.192.0.0/22"},
		{"10.192.0.0/11", 22, prefixes("10.0.0.0/8"), ""},
		{"192.168.7.0/24", 26, prefixes("192.168.7.0/25", "192.168.7.128/26"), "192.168.7.192/26"},
		{"192.168.7.0/24", 24, nil, "192.168.7.0/24"},
		{"192.168.7.0/24", 24, prefixes("192.168.7.9/32"), ""},
	} {
		got, ok := FreeSubnet(netip.MustParsePrefix(test.pool), test.length, test.taken)
		if ok != (test.want != "") || ok && got.String() != test.want {
			t.Errorf("/%d of %s without %v: got %v, want %q", test.length, test.pool, test.taken, got, test.want)
		}
	}
}

func TestDivide(t *testing.T) {
	for subnet, want := range map[string]string{
		"10.192.4.0/22":    "10.192.6.0/23 10.192.4.1",
		"192.168.7.192/28": "192.168.7.200/29 192.168.7.193",
	} {
		automatic, gateway := Divide(netip.MustParsePrefix(subnet))
		if got := fmt.Sprint(automatic, gateway); got != want {
			t.Errorf("%s: got %s, want %s", subnet, got, want)
		}
	}
}

func TestParseRestartPolicy(t *testing.T) {
	for s, want := range map[string]string{
		"": "no 0", "no": "no 0", "always": "always 0", "unless-stopped": "unless-stopped 0",
		"on-failure": "on-failure 0", "on-failure:10": "on-failure 10", "on-failure:0": "on-failure 0",
		"on-failure:": "", "on-failure:-1": "", "on-failure:x": "", "always:3": "", "No": "", "sometimes": "",
	} {
		p, err := ParseRestartPolicy(s)
		got := fmt.Sprintf("%s %d", p.Name, p.Max)
		if (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%q: got %s, %v, want %q", s, got, err, want)
		}
	}
}
