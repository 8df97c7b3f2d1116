package proc

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
)

func TestParseRoutes(t *testing.T) {
	got := ParseRoutes(routes)
	want := []netip.Prefix{netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("10.192.0.0/12"), netip.MustParsePrefix("192.0.2.0/24")}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseListening(t *testing.T) {
	got := fmt.Sprint(ParseListening(listening))
	want := "[127.0.0.11:37595 0.0.0.0:8080 10.192.0.5:3000 [::]:5000 [::1]:5001 127.0.0.1:5002 [::]:8080]"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	if !Listens(port) {
		t.Errorf("nothing is seen on port %d", port)
	}
	if Listens(0) {
		t.Error("port 0 is taken, which nobody can listen on")
	}
}

func FuzzProcNet(f *testing.F) {
	f.Add(routes)
	f.Add(listening)
	f.Add("a 0 0 0 0 0 0 FFFFFFFF\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range ParseRoutes(text) {
			if !p.IsValid() || p.Bits() == 0 {
				t.Errorf("route %v", p)
			}
		}
		for _, a := range ParseListening(text) {
			if !a.IsValid() {
				t.Errorf("socket %v", a)
			}
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
