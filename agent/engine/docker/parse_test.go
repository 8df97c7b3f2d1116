package docker

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestParseRoutes(t *testing.T) {
	got := parseRoutes(routes)
	want := []netip.Prefix{netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("10.192.0.0/12"), netip.MustParsePrefix("192.0.2.0/24")}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseListening(t *testing.T) {
	if got := parseListening(listening); !slices.Equal(got, []int{3000, 5000, 8080}) {
		t.Errorf("got %v", got)
	}
}

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

func FuzzProcNet(f *testing.F) {
	f.Add(routes)
	f.Add(listening)
	f.Add("a 0 0 0 0 0 0 FFFFFFFF\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range parseRoutes(text) {
			if !p.IsValid() || p.Bits() == 0 {
				t.Errorf("route %v", p)
			}
		}
		ports := parseListening(text)
		if !slices.IsSorted(ports) || len(ports) > 0 && (ports[0] < 0 || ports[len(ports)-1] > 65535) {
			t.Errorf("ports %v", ports)
		}
	})
}

const routes = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
tun0	0000C00A	00000000	0001	0	0	0	0000F0FF	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
`

const listening = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:92DB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22731 1
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22732 1
   2: 0500C00A:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22733 1
   3: 0500C00A:1F90 0100C00A:C350 01 00000000:00000000 00:00000000 00000000     0        0 22734 1
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:1388 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 00000000000000000000000001000000:1389 00000000000000000000000000000000:0000 0A 00000000:00000000
   2: 0000000000000000FFFF00000100007F:138A 00000000000000000000000000000000:0000 0A 00000000:00000000
   3: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000
`
