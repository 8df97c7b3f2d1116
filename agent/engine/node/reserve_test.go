package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"
)

// alone runs the test that calls it once more, in a network of its own whose connections have
// these ports, and reports whether this is that run.
func alone(t *testing.T, ports string) bool {
	t.Helper()
	const inside = "DOKKU_TEST_NETWORK"
	if os.Getenv(inside) == "" {
		c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		c.Env = append(os.Environ(), inside+"=1")
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
		if os.Geteuid() != 0 {
			c.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
			c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		}
		if text, err := c.CombinedOutput(); err != nil || !strings.Contains(string(text), "--- PASS: "+t.Name()) {
			t.Errorf("%v\n%s", err, text)
		}
		return false
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	check(t, err)
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	check(t, err)
	lo.SetUint16(unix.IFF_UP)
	check(t, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo))
	check(t, os.WriteFile(rangeFile, []byte(ports), 0))
	return true
}

// connected opens a connection, and returns its port.
func connected(t *testing.T, to netip.AddrPort) (c *net.TCPConn, port int) {
	t.Helper()
	conn, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(to))
	check(t, err)
	conn.SetLinger(0) // it leaves no TIME_WAIT, which takes a minute
	return conn, conn.LocalAddr().(*net.TCPAddr).Port
}

// binds reports whether a process can be served at a port.
func binds(t *testing.T, port int) bool {
	t.Helper()
	var r relay
	err := r.listen(t.Context(), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)))
	r.close()
	if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatal(err)
	}
	return err == nil
}

// TestReserve: no connection begins at a port that is reserved, also if one was there before, so
// the port is free when the last one has ended. Two services can reserve the same ports.
func TestReserve(t *testing.T) {
	if !alone(t, "40000 40007") {
		return
	}
	k := localPorts()
	p := newProcess(t, echo)
	taken := map[int]*net.TCPConn{}
	for range 4 {
		c, port := connected(t, p.at)
		if !k.taken(port) || binds(t, port) {
			t.Fatalf("a connection has port %d of %v", port, k)
		}
		taken[port] = c
	}
	reserved := map[int]bool{40000: true, 40002: true, 40004: true}
	var r, next reserve
	r.keep(reserved)
	if next.keep(reserved); len(r.sockets) != 3 || len(next.sockets) != 3 {
		t.Fatalf("reserved are %v and %v", r, next)
	}
	r.keep(nil)
	for port, c := range taken {
		c.Close()
		for range 10 { // as many as are free would do
			if c, got := connected(t, p.at); reserved[got] {
				t.Fatalf("a connection has port %d, which is reserved", got)
			} else {
				c.Close()
			}
		}
		if !binds(t, port) {
			t.Errorf("port %d is not free", port)
		}
	}
	next.keep(nil)
	for range 4 {
		if c, port := connected(t, p.at); !k.taken(port) {
			t.Errorf("no port is reserved any more, and a connection has %d", port)
		} else {
			defer c.Close()
		}
	}
}

// TestComing: reserved are the ports of the engine's next numbers, as far as connections take
// them.
func TestComing(t *testing.T) {
	t.Parallel()
	k := kernelPorts{32768, 60999}
	for last, want := range map[int]int{0: 64, 50000: 64, 60990: 64, 60999: 64, 44600: 7, 46000: 0} { // connections take no port from 61000 on
		ports := k.coming(last)
		if len(ports) != want {
			t.Errorf("after %d, %d are reserved, want %d", last, len(ports), want)
		}
		for port := range ports {
			next := (Port(port) - last + k.high - k.low + 1) % (k.high - k.low + 1)
			if last != 0 && (next < 1 || next > ahead) || !k.taken(port) {
				t.Errorf("after %d, %d is reserved", last, port)
			}
		}
	}
	if k.coming(50000)[Port(50001)] || (kernelPorts{32769, 60999}).coming(50000)[Port(50002)] {
		t.Error("a port is reserved that connections do not take")
	}
}

// nodeEngine is an engine that has these containers, for a service that is under way.
func nodeEngine(t *testing.T, list *[]container.Summary) *Service {
	t.Helper()
	gateway := network.Inspect{Containers: map[string]network.EndpointResource{}}
	for n, c := range *list {
		gateway.Containers[c.ID] = network.EndpointResource{IPv4Address: fmt.Sprintf("172.18.0.%d/16", n+2)}
	}
	socket := t.TempDir() + "/engine"
	l, err := net.Listen("unix", socket)
	check(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var answer any = *list
		if strings.Contains(r.URL.Path, "/networks/") {
			answer = gateway
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	})
	server := http.Server{Handler: mux}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	s := &Service{address: netip.MustParseAddr("127.0.0.1"), relays: map[netip.AddrPort]*relay{}, targets: map[netip.AddrPort]netip.AddrPort{}, failed: map[netip.AddrPort]string{}}
	s.docker, err = client.NewClientWithOpts(client.WithHost("unix://"+socket), client.WithVersion("1.41"))
	check(t, err)
	t.Cleanup(func() { s.docker.Close() })
	return s
}

// TestServiceReserves: the service reserves the ports of the processes that come next, and that
// of one whose port a connection has. It says which port that is, and serves there as soon as the
// connection has ended.
func TestServiceReserves(t *testing.T) {
	if !alone(t, "32768 60999") {
		return
	}
	to := newProcess(t, echo).at
	c, port := connected(t, to)
	for Port(port) > 44000 && Port(port) < 49152 || Port(port) > 60000 { // connections take few or none of the ports that follow
		c.Close()
		c, port = connected(t, to)
	}
	published := Port(port)
	list := []container.Summary{
		{ID: "old", Created: 100, Ports: []container.Port{{PrivatePort: NoPort, PublicPort: 60000, Type: "tcp"}}},
		{ID: "new", Created: 200, Ports: []container.Port{{PrivatePort: NoPort, PublicPort: uint16(published), Type: "tcp"}}, Labels: map[string]string{LabelPort: "5000"}},
	}
	s := nodeEngine(t, &list)
	var log strings.Builder
	s.Log = &log
	at := netip.AddrPortFrom(s.address, uint16(port))
	whole, err := s.look(t.Context())
	if err != nil || whole || s.relays[at] != nil {
		t.Fatalf("it is served at %s: %t, %v", at, whole, err)
	}
	want := fmt.Sprintf("cannot serve 172.18.0.3:5000 at 127.0.0.1:%d: address already in use by another program of this node: ss -tanp sport = :%[1]d names it. "+
		"The port is taken as soon as it is free; a connection that has ended keeps it for 60 s", port)
	if got := Unserved(log.String(), at); got != want {
		t.Errorf("it says %q\nwant %q", got, want)
	}
	for n := published + 2; n < published+ahead; n += 2 {
		if p := Port(n); !localPorts().taken(p) || s.reserve.sockets[p] == 0 {
			t.Errorf("port %d is not reserved", p)
		}
	}
	if s.reserve.sockets[port] == 0 {
		t.Error("the port that is waited for is not reserved")
	}
	c.Close()
	whole, err = s.look(t.Context())
	if err != nil || !whole || s.relays[at] == nil || s.reserve.sockets[port] != 0 {
		t.Errorf("it is not served at %s when that is free: %t, %v", at, whole, err)
	}
	if got := Unserved(log.String(), at); got != "" {
		t.Errorf("it is served, and it says %q", got)
	}
	s.closeAll()
}

// TestUnserved: the last line about an address counts, and other errors say what they are.
func TestUnserved(t *testing.T) {
	t.Parallel()
	to, at, other := netip.MustParseAddrPort("172.18.0.3:5000"), netip.MustParseAddrPort("10.1.0.1:49154"), netip.MustParseAddrPort("10.1.0.1:4915")
	failed := unserved(to, at, errors.New("no such device"))
	for log, want := range map[string]string{
		"":                                       "",
		failed + "\n":                            "cannot serve 172.18.0.3:5000 at 10.1.0.1:49154: no such device",
		failed + "\n" + served(to, at) + "\n":    "",
		failed + "\n" + served(to, other) + "\n": "cannot serve 172.18.0.3:5000 at 10.1.0.1:49154: no such device",
		unserved(to, other, syscall.EADDRINUSE):  "",
	} {
		if got := Unserved(log, at); got != want {
			t.Errorf("%q: %q, want %q", log, got, want)
		}
	}
}
