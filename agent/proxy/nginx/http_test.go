package nginx_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// debianSite is the default site of Debian's nginx.
const debianSite = `
server {
    listen PORT default_server;
    listen [::]:PORT default_server;
    server_name _;
    location / {
        default_type text/plain;
        return 200 "Welcome to nginx!";
    }
}`

func TestBesideDefaultSite(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, debianSite)
	p := s.Proxy()
	expect := func(host, want string) {
		t.Helper()
		if _, body := s.Get(host, "/"); !strings.Contains(body, want) {
			t.Errorf("%s answers %q, want %q", host, body, want)
		}
	}
	ours := []string{"127.0.0.1", "[::1]", "localhost", "BOX.example.net"}
	check(t, p.Publish(t.Context(), route(t, "hello", 1)))
	for _, host := range ours {
		expect(host, "hello 1")
	}
	expect("unknown.example.com", "There is no site at this address")

	// Several apps: a name of the host belongs to the app that claims it.
	named := route(t, "named", 1)
	named.Domains = []string{"*.example.net"}
	check(t, p.Publish(t.Context(), named))
	for _, host := range ours[:3] {
		expect(host, "no site at this address")
	}
	expect("box.example.net", "named 1")
	named.Domains = []string{"localhost"}
	check(t, p.Publish(t.Context(), named))
	expect("localhost", "named 1")
	expect("127.0.0.1", "no site at this address")
	expect("unknown.example.com", "There is no site at this address")

	// The admin's own default site gets the names that no app has, if wanted.
	c := s.Config()
	c.DefaultSite = true
	check(t, nginx.New(c).Refresh(t.Context()))
	expect("unknown.example.com", "Welcome")
	expect("hello.example.com", "hello 1")
	check(t, p.Refresh(t.Context()))
	expect("unknown.example.com", "There is no site at this address")
}

// TestGenerationIsPrivate: only requests from the host itself learn the generation.
func TestGenerationIsPrivate(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	for from, want := range map[string]int{"127.0.0.1": http.StatusOK, "127.0.0.2": http.StatusNotFound} {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/generation", s.Port), nil)
		check(t, err)
		req.Host = "dokku-generation.invalid"
		resp, err := (&http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}).RoundTrip(req)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("asked from %s: %s, want %d", from, resp.Status, want)
		}
	}
}

func TestForeignSite(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "server { listen PORT; server_name hello.example.com; }")
	err := s.Proxy().Stage(t.Context(), route(t, "hello", 1))
	if err == nil || !strings.Contains(err.Error(), "another site of this nginx has the name hello.example.com") {
		t.Errorf("a name that the admin's own site has: got error %v", err)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	r := route(t, "hello", 1)
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s host=%s up=%q conn=%q for=%s port=%s proto=%s start=%t", r.Proto, r.Host, r.Header.Get("Upgrade"), r.Header.Get("Connection"),
			r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Port"], r.Header["X-Forwarded-Proto"], r.Header.Get("X-Request-Start") > "1")
	})}
	check(t, s.Proxy().Publish(t.Context(), r))
	rest := fmt.Sprintf(`up="" conn="close" for=[127.0.0.1] port=[%d] proto=[http] start=true`, s.Port)
	for request, host := range map[string]string{
		"GET / HTTP/1.1\r\nHost: hello.example.com\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https": "hello.example.com",
		"GET / HTTP/1.1\r\nHost: Hello.Example.com:8080":                                                    "Hello.Example.com:8080",
		"GET http://hello.example.com/ HTTP/1.1\r\nHost: other.example.com":                                 "hello.example.com",
		"GET http://hello.example.com/ HTTP/1.0":                                                            "hello.example.com",
		"GET / HTTP/1.1\r\nHost: [::1]:80":                                                                  "[::1]:80",
	} {
		conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", s.Port))
		check(t, err)
		fmt.Fprintf(conn, "%s\r\nConnection: close\r\n\r\n", request)
		answer, err := io.ReadAll(conn)
		check(t, err)
		conn.Close()
		if want := "HTTP/1.1 host=" + host + " " + rest; !strings.HasSuffix(string(answer), "\r\n\r\n"+want) && !strings.Contains(string(answer), want) {
			t.Errorf("%q: the process got\n%s\nwant\n%s", request, answer, want)
		}
	}
}

// TestUpgrade: a WebSocket stays with its process over a switch.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	p := s.Proxy()
	r := route(t, "hello", 1)
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: %s\r\n\r\n", r.Header.Get("Upgrade"), r.Header.Get("Connection"))
		io.Copy(conn, rw)
	})}
	check(t, p.Publish(t.Context(), r))
	conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", s.Port))
	check(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: hello.example.com\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
	answer := bufio.NewReader(conn)
	resp, err := http.ReadResponse(answer, nil)
	check(t, err)
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "echo" {
		t.Fatalf("upgrade: got %s, %v", resp.Status, resp.Header)
	}
	for _, line := range []string{"before\n", "after\n"} {
		fmt.Fprint(conn, line)
		if got, err := answer.ReadString('\n'); got != line {
			t.Errorf("echo of %q: got %q, %v", line, got, err)
		}
		check(t, p.Publish(t.Context(), route(t, "hello", 2)))
	}
}

func TestBodySize(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	for size, limit := range map[string]int{"": 1 << 20, "20k": 20 << 10, "0": 8 << 20} {
		r := route(t, "hello", 1)
		r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })}
		r.Settings.ClientMaxBodySize = size
		check(t, s.Proxy().Publish(t.Context(), r))
		for length, want := range map[int]int{limit: http.StatusOK, limit + 1: http.StatusRequestEntityTooLarge} {
			if size == "0" {
				want = http.StatusOK
			}
			if status := send(t, s, http.MethodPost, strings.Repeat("x", length)); status != want {
				t.Errorf("limit %q, body of %d bytes: status %d, want %d", size, length, status, want)
			}
		}
	}
}

// TestResend: a request to a dying process goes to the next one, once, unless the request is
// not idempotent.
func TestResend(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	var seen atomic.Int64
	dies := func() netip.AddrPort {
		return nginxtest.Handler(t, func(w http.ResponseWriter, r *http.Request) {
			seen.Add(1)
			io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		})
	}
	lives := nginxtest.Handler(t, func(http.ResponseWriter, *http.Request) { seen.Add(1) })
	gone := closedPort(t)
	for _, test := range []struct {
		name      string
		upstreams []netip.AddrPort
		method    string
		status    []int // all that may be
		seen      int64 // at most, for each request
	}{
		{"GET, one dies", []netip.AddrPort{dies(), lives}, http.MethodGet, []int{200}, 2},
		{"PUT, one dies", []netip.AddrPort{dies(), lives}, http.MethodPut, []int{200}, 2},
		{"POST, one dies", []netip.AddrPort{dies(), lives}, http.MethodPost, []int{200, 502}, 1},
		{"POST, one is gone", []netip.AddrPort{gone, lives}, http.MethodPost, []int{200}, 1},
		{"GET, all die", []netip.AddrPort{dies(), dies(), dies()}, http.MethodGet, []int{502}, 2},
		{"GET, after all died", []netip.AddrPort{lives}, http.MethodGet, []int{200}, 1},
	} {
		r := route(t, "hello", 1)
		r.Upstreams = test.upstreams
		check(t, s.Proxy().Publish(t.Context(), r))
		for range 10 {
			seen.Store(0)
			status := send(t, s, test.method, "body")
			ok := false
			for _, want := range test.status {
				ok = ok || status == want
			}
			if !ok || seen.Load() > test.seen {
				t.Errorf("%s: status %d, seen by %d processes; want %d and at most %d", test.name, status, seen.Load(), test.status, test.seen)
			}
		}
	}
}

// TestFailureIsForgotten: processes that have all failed a request still get the next one.
func TestFailureIsForgotten(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	r := route(t, "hello", 1)
	r.Upstreams = nil
	for range 2 {
		var asked atomic.Bool
		r.Upstreams = append(r.Upstreams, nginxtest.Handler(t, func(http.ResponseWriter, *http.Request) {
			if !asked.Swap(true) {
				panic(http.ErrAbortHandler)
			}
		}))
	}
	check(t, s.Proxy().Publish(t.Context(), r))
	if status := send(t, s, http.MethodGet, ""); status != http.StatusBadGateway {
		t.Errorf("both processes die: status %d", status)
	}
	for range 10 {
		if status := send(t, s, http.MethodGet, ""); status != http.StatusOK {
			t.Errorf("both processes are back: status %d", status)
		}
	}
}

// TestSettings: the admin's own settings apply, also by address.
func TestSettings(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	r := route(t, "hello", 1)
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})}
	r.Settings = proxy.Settings{ReadTimeout: 50e6}
	check(t, s.Proxy().Publish(t.Context(), r))
	for _, host := range []string{"hello.example.com", "127.0.0.1"} {
		if status, _ := s.Get(host, "/"); status != http.StatusGatewayTimeout {
			t.Errorf("%s: status %d of a process that is slower than the read timeout", host, status)
		}
	}
}

func send(t *testing.T, s *nginxtest.Server, method, body string) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, fmt.Sprintf("http://127.0.0.1:%d/", s.Port), strings.NewReader(body))
	check(t, err)
	req.Host = "hello.example.com"
	status, _ = s.Do(req)
	return status
}

// closedPort returns an address that refuses connections.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}
