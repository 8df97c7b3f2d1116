package docker

import (
	"net"
	"slices"
	"testing"
)

// TestOverlayPools: overlay networks keep out of the host's own networks.
func TestOverlayPools(t *testing.T) {
	addr := func(s string) net.Addr {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		return &net.IPNet{IP: ip, Mask: n.Mask}
	}
	all := overlayPools(nil)
	if len(all) != 32 || all[0] != "10.0.0.0/16" || all[31] != "10.31.0.0/16" {
		t.Errorf("%q", all)
	}
	got := overlayPools([]net.Addr{addr("10.0.0.7/24"), addr("10.2.3.4/15"), addr("192.168.1.1/24"), addr("fe80::1/64")})
	if want := slices.Concat(all[1:2], all[4:]); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := overlayPools([]net.Addr{addr("10.0.0.1/8")}); len(got) != 0 {
		t.Errorf("a host whose network is all of it: %q", got)
	}
}
