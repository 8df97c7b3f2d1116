package nginx_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx/nginxtest"
)

// freePort is a port of the host that nothing listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestPorts: each port of the host leads to its mapped port of the processes. A name without
// a mapping on a port never reaches the app that has one.
func TestPorts(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	px := s.Proxy()
	get := func(port int, host string) string {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		status, body := s.Do(req)
		return fmt.Sprint(status, " ", body)
	}
	expect := func(port int, host, want string) {
		t.Helper()
		if got := get(port, host); !strings.Contains(got, want) {
			t.Errorf("%s:%d answers %q, want %q", host, port, got, want)
		}
	}
	nothing := "There is no site at this address"
	web, admin, other := nginxtest.Process(t, "web"), nginxtest.Process(t, "admin"), nginxtest.Process(t, "other")
	one, two := freePort(t), freePort(t)
	hello := proxy.Route{App: "hello", Release: 1, Domains: []string{"hello.example.com"}, Upstreams: []netip.AddrPort{web},
		Ports: []proxy.Port{{Host: s.Port}, {Host: one}, {Host: two, Container: int(admin.Port())}}}
	publish := func(r proxy.Route) {
		t.Helper()
		if err := px.Publish(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	publish(proxy.Route{App: "other", Release: 1, Domains: []string{"other.example.com"}, Upstreams: []netip.AddrPort{other}})
	publish(hello)
	expect(s.Port, "hello.example.com", "200 web")
	expect(one, "hello.example.com", "200 web")
	expect(two, "hello.example.com", "200 admin")
	expect(two, "127.0.0.1", "200 admin")
	expect(s.Port, "other.example.com", "200 other")
	expect(one, "other.example.com", nothing)
	expect(two, "other.example.com", nothing)
	if live, ok, err := px.Live(t.Context(), "hello"); err != nil || !ok || !live.Same(hello) {
		t.Errorf("live is %+v, %v, %v; published %+v", live, ok, err, hello)
	}

	// Another map is another route.
	hello.Ports = []proxy.Port{{Host: two}}
	publish(hello)
	expect(two, "hello.example.com", "200 web")
	if got := get(s.Port, "hello.example.com"); !strings.HasPrefix(got, "404 ") {
		t.Errorf("the main port still answers %q", got)
	}
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", one)); err == nil {
		c.Close()
		t.Errorf("nginx still listens on %d", one)
	}
}
