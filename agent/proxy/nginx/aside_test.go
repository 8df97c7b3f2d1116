package nginx_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx/nginxtest"
)

// silent is an address at which connections are not answered, as at that of a machine that is
// gone: nobody accepts them, and no more are queued. accept ends that.
func silent(t *testing.T) (at netip.AddrPort, accept func(http.Handler)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { l.Close() })
	raw, err := l.(*net.TCPListener).SyscallConn()
	check(t, err)
	check(t, raw.Control(func(fd uintptr) { check(t, unix.Listen(int(fd), 0)) }))
	for { // until it is full
		c, err := net.DialTimeout("tcp", l.Addr().String(), 200*time.Millisecond)
		if err != nil {
			break
		}
		t.Cleanup(func() { c.Close() })
	}
	return netip.MustParseAddrPort(l.Addr().String()), func(h http.Handler) {
		s := http.Server{Handler: h}
		go s.Serve(l)
		t.Cleanup(func() { s.Close() })
	}
}

// elsewhere publishes an app whose processes are on other machines.
func elsewhere(t *testing.T, s *nginxtest.Server, processes ...netip.AddrPort) {
	t.Helper()
	check(t, s.Proxy().Publish(t.Context(), proxy.Route{App: "placed", Release: 1, Domains: []string{"placed.example.com"}, Upstreams: processes, Elsewhere: true}))
}

// TestMachineGone: while the route has processes on a machine that does not answer, one request
// waits for each of them, whichever worker of nginx gets it; the next one does 10 s later.
func TestMachineGone(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	gone, _ := silent(t)
	elsewhere(t, s, gone, nginxtest.Process(t, "one"), nginxtest.Process(t, "two"))
	var late []int
	began := time.Now()
	for n := range 200 {
		asked := time.Now()
		status, body := s.Get("placed.example.com", "/")
		if status != http.StatusOK {
			t.Fatalf("request %d: %d %s", n, status, body)
		}
		if time.Since(asked) > 900*time.Millisecond {
			late = append(late, n)
		}
	}
	if allowed := 1 + int(time.Since(began)/(10*time.Second)); len(late) == 0 || len(late) > allowed {
		t.Errorf("of 200 requests in %s, these took 1 s: %v; want %d", time.Since(began), late, allowed)
	}
}

// TestMachineBack: a process that was put aside gets requests again when its machine answers.
func TestMachineBack(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	gone, accept := silent(t)
	elsewhere(t, s, gone, nginxtest.Process(t, "one"))
	for range 4 {
		s.Get("placed.example.com", "/")
	}
	accept(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "back") }))
	back := time.Now()
	for body := ""; body != "back"; _, body = s.Get("placed.example.com", "/") {
		if time.Since(back) > 20*time.Second {
			t.Fatal("it gets no request")
		}
	}
}

// TestAllAside: processes that have all failed, and a single one, get requests as soon as they
// are back.
func TestAllAside(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	for _, count := range []int{1, 2, 4} {
		processes := make([]netip.AddrPort, count)
		for n := range processes {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			check(t, err)
			processes[n] = netip.MustParseAddrPort(l.Addr().String())
			l.Close()
		}
		elsewhere(t, s, processes...)
		for range 3 * count { // all workers learn it
			if status, _ := s.Get("placed.example.com", "/"); status != http.StatusBadGateway {
				t.Errorf("%d processes that are down: %d", count, status)
			}
		}
		for _, at := range processes {
			l, err := net.Listen("tcp", at.String())
			check(t, err)
			server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "back") })}
			go server.Serve(l)
			t.Cleanup(func() { server.Close() })
		}
		for range 2 * count {
			if status, body := s.Get("placed.example.com", "/"); status != http.StatusOK || body != "back" {
				t.Errorf("%d processes that are back: %d %s", count, status, body)
			}
		}
	}
}

// TestManyAside: the memory that nginx's workers share holds a thousand processes.
func TestManyAside(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	processes := make([]netip.AddrPort, 1000)
	for n := range processes {
		processes[n] = netip.AddrPortFrom(netip.MustParseAddr("fd00:1234:5678:9abc:def0:1234:5678:9abc"), uint16(60000+n))
	}
	elsewhere(t, s, processes...)
}
