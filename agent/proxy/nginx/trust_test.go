package nginx_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// forwarded is a route to a process that tells which X-Forwarded headers it got.
func forwarded(t *testing.T, app string) proxy.Route {
	r := route(t, app, 1)
	r.Upstreams = []netip.AddrPort{nginxtest.Handler(t, func(w http.ResponseWriter, r *http.Request) {
		for _, h := range []string{"For", "Port", "Proto", "Ssl"} {
			fmt.Fprintf(w, "%s=%s ", strings.ToLower(h), strings.Join(r.Header["X-Forwarded-"+h], "+"))
		}
	})}
	return r
}

// ask sends a request from an address of this host, with headers "Name: value".
func ask(t *testing.T, s *nginxtest.Server, from, host string, headers ...string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", s.Port), nil)
	check(t, err)
	req.Host = host
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	resp, err := (&http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}).RoundTrip(req)
	check(t, err)
	return strings.TrimSuffix(body(t, resp), " ")
}

// TestTrusted: what a trusted proxy says about a request reaches the app, what another
// client says does not.
func TestTrusted(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	c := s.Config()
	c.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	check(t, nginx.New(c).Publish(t.Context(), forwarded(t, "hello")))
	check(t, nginx.New(c).Publish(t.Context(), forwarded(t, "other")))
	all := []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Port: 8443", "X-Forwarded-Ssl: on"}
	port := fmt.Sprint(s.Port)
	for _, test := range []struct {
		from    string
		headers []string
		want    string
	}{
		{"127.0.0.1", all, "for=203.0.113.7 port=8443 proto=https ssl=on"},
		{"127.0.0.2", all, "for=127.0.0.2 port=" + port + " proto=http ssl="},
		{"127.0.0.1", nil, "for=127.0.0.1 port=" + port + " proto=http ssl="},
		// A proxy that names no port serves https on the usual one.
		{"127.0.0.1", []string{"X-Forwarded-Proto: https"}, "for=127.0.0.1 port=443 proto=https ssl="},
		{"127.0.0.1", []string{"X-Forwarded-Ssl: on"}, "for=127.0.0.1 port=443 proto=https ssl=on"},
		{"127.0.0.1", []string{"X-Forwarded-Proto: HTTPS"}, "for=127.0.0.1 port=443 proto=https ssl="},
		{"127.0.0.1", []string{"X-Forwarded-Proto: wss"}, "for=127.0.0.1 port=443 proto=https ssl="},
		{"127.0.0.1", []string{"X-Forwarded-Proto: https, http"}, "for=127.0.0.1 port=443 proto=https ssl="},
		{"127.0.0.1", []string{"X-Forwarded-Proto: http"}, "for=127.0.0.1 port=" + port + " proto=http ssl="},
		// The client is the last one that no trusted proxy is: it may have made up the rest.
		{"127.0.0.1", []string{"X-Forwarded-For: 192.0.2.1, 203.0.113.7, 10.1.2.3"}, "for=203.0.113.7 port=" + port + " proto=http ssl="},
		{"127.0.0.1", []string{"X-Forwarded-Proto: gopher", "X-Forwarded-Port: x", "X-Forwarded-Ssl: maybe"},
			"for=127.0.0.1 port=" + port + " proto=http ssl="},
		{"127.0.0.1", []string{"X-Forwarded-For: nobody"}, "for=127.0.0.1 port=" + port + " proto=http ssl="},
	} {
		for _, host := range []string{"hello.example.com", "other.example.com"} {
			if got := ask(t, s, test.from, host, test.headers...); got != test.want {
				t.Errorf("%s from %s with %q: got %s, want %s", host, test.from, test.headers, got, test.want)
			}
		}
	}
}

// TestForwardedValues: Dokku's properties count for everybody, as in Dokku.
func TestForwardedValues(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	r := forwarded(t, "hello")
	r.Settings.Properties = map[string]string{"x-forwarded-proto-value": "$http_x_forwarded_proto", "x-forwarded-for-value": "$proxy_add_x_forwarded_for",
		"x-forwarded-port-value": "443", "x-forwarded-ssl": "on"}
	check(t, s.Proxy().Publish(t.Context(), r))
	for _, test := range []struct{ header, want string }{
		{"X-Forwarded-Proto: https", "for=127.0.0.1 port=443 proto=https ssl=on"},
		{"X-Forwarded-For: 203.0.113.7", "for=203.0.113.7, 127.0.0.1 port=443 proto= ssl=on"},
	} {
		if got := ask(t, s, "127.0.0.1", "hello.example.com", test.header); got != test.want {
			t.Errorf("%s: got %s, want %s", test.header, got, test.want)
		}
	}
}

// TestHSTS: the header goes out where the visitor came by https.
func TestHSTS(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	c := s.Config()
	c.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	r := route(t, "hello", 1)
	r.Settings.Properties = map[string]string{"hsts": "true", "hsts-max-age": "300"}
	check(t, nginx.New(c).Publish(t.Context(), r))
	for proto, want := range map[string]string{"https": "max-age=300; includeSubdomains", "http": ""} {
		resp := request(t, s, "hello.example.com", "X-Forwarded-Proto", proto)
		if got := resp.Header.Get("Strict-Transport-Security"); got != want {
			t.Errorf("by %s: %q, want %q", proto, got, want)
		}
	}
}
