package docker

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestTCPPorts(t *testing.T) {
	for s, want := range map[string]string{
		"80/tcp": "[80]", "80": "[80]", "53/udp": "[]", "8000-8002/tcp": "[8000 8001 8002]",
		"": "[]", "0/tcp": "[]", "70000/tcp": "[]", "9-8/tcp": "[]", "x/tcp": "[]",
	} {
		if got := fmt.Sprint(tcpPorts(s)); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	got := plain(`Error response from daemon: failed to create shim task: OCI runtime create failed: ` +
		`runc create failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown`)
	if want := `exec: "nosuch": executable file not found in $PATH`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBridgeName(t *testing.T) {
	one, two := bridgeName("hello"), bridgeName("hello"+strings.Repeat("-long", 11))
	if one == two || len(one) > 15 || len(two) > 15 {
		t.Errorf("got %s and %s", one, two)
	}
}

// TestOutside: a loopback address serves nobody outside of the container.
func TestOutside(t *testing.T) {
	got := outside([]netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.11:37595"), netip.MustParseAddrPort("0.0.0.0:8080"), netip.MustParseAddrPort("10.192.0.5:3000"),
		netip.MustParseAddrPort("[::]:5000"), netip.MustParseAddrPort("[::1]:5001"), netip.MustParseAddrPort("[::]:8080"),
	})
	if !slices.Equal(got, []int{3000, 5000, 8080}) {
		t.Errorf("got %v", got)
	}
}
