package nginx_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
)

// at returns a route with a certificate for its domain and an address.
func (s *secureServer) at(t *testing.T, app, address string) (proxy.Route, *x509.Certificate) {
	t.Helper()
	r := route(t, app, 1)
	r.Domains = append(r.Domains, address)
	c, leaf := s.certificate(t, r.Domains...)
	r.Certificates = []proxy.Certificate{c}
	return r, leaf
}

// nameless sends a request over TLS as a client that typed an address does: without a name
// in the handshake.
func (s *secureServer) nameless(t *testing.T, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/", s.config.TLSPort), nil)
	check(t, err)
	req.Host = host
	client := http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	resp, err := client.RoundTrip(req)
	check(t, err)
	return resp.StatusCode, body(t, resp)
}

// refuses checks that a handshake for a name fails.
func (s *secureServer) refuses(t *testing.T, name string) {
	t.Helper()
	if conn, err := s.handshake(name, nil); err == nil {
		t.Errorf("a handshake for %q gets the certificate of %q", name, conn.ConnectionState().PeerCertificates[0].DNSNames)
		conn.Close()
	}
}

// TestTLSByAddress: a client that connects to an address names none. It gets the
// certificate of the address, and nothing of another app.
func TestTLSByAddress(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	shop, leaf := s.at(t, "shop", "127.0.0.1")
	other := route(t, "other", 1)
	c, otherLeaf := s.certificate(t, other.Domains...)
	other.Certificates = []proxy.Certificate{c}
	check(t, s.Publish(t.Context(), other))
	s.refuses(t, "")
	check(t, s.Publish(t.Context(), shop))

	resp, err := s.client(leaf).Get(fmt.Sprintf("https://127.0.0.1:%d/", s.config.TLSPort))
	check(t, err)
	if got := body(t, resp); got != "shop 1" || resp.ProtoMajor != 2 {
		t.Errorf("by its address, the app answers %q by %s", got, resp.Proto)
	}
	if !s.leaf(t, "").Equal(leaf) || !s.leaf(t, "shop.example.com").Equal(leaf) || !s.leaf(t, "other.example.com").Equal(otherLeaf) {
		t.Error("a client gets another one's certificate")
	}
	s.refuses(t, "unknown.example.com")
	for _, host := range []string{"unknown.example.com", "127.0.0.9", "localhost"} {
		if status, text := s.nameless(t, host); status != 421 {
			t.Errorf("%s without a name in the handshake: %d %q, want 421", host, status, text)
		}
	}
	if resp := s.plain(t, "127.0.0.1", "/", "127.0.0.1"); resp.StatusCode != 301 || resp.Header.Get("Location") != fmt.Sprintf("https://127.0.0.1:%d/", s.config.TLSPort) {
		t.Errorf("plain: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}

	// Names that no app has are left to nginx's default server, if wanted.
	s.config.DefaultSite = true
	check(t, nginx.New(s.config).Refresh(t.Context()))
	if !s.leaf(t, "unknown.example.com").Equal(leaf) {
		t.Error("a name that no app has does not reach the default server")
	}
	s.config.DefaultSite = false
	check(t, nginx.New(s.config).Refresh(t.Context()))

	check(t, s.Withdraw(t.Context(), "shop"))
	s.refuses(t, "")
	s.refuses(t, "unknown.example.com")
}

// TestTLSBySeveralAddresses: nginx has one certificate for clients without a name, that of
// the lowest address, whatever is deployed last. Each app answers by its own address.
func TestTLSBySeveralAddresses(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	first, leaf := s.at(t, "zoo", "127.0.0.2")
	second, _ := s.at(t, "app", "127.0.0.10")
	check(t, s.Publish(t.Context(), first))
	for range 2 {
		check(t, s.Publish(t.Context(), second))
		second.Release++
		if !s.leaf(t, "").Equal(leaf) {
			t.Error("the certificate is that of the higher address")
		}
		for host, want := range map[string]string{"127.0.0.2": "zoo 1", "127.0.0.10": "app 1"} {
			if status, text := s.nameless(t, host); status != 200 || text != want {
				t.Errorf("%s: %d %q, want %q", host, status, text, want)
			}
		}
	}
}

// TestTLSByAddressOnAnotherPort: the address has its certificate on the ports of its app only.
func TestTLSByAddressOnAnotherPort(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	shop, leaf := s.at(t, "shop", "127.0.0.1")
	port := freePort(t)
	shop.Ports = []proxy.Port{{Host: port, TLS: true}}
	other := route(t, "other", 1)
	c, _ := s.certificate(t, other.Domains...)
	other.Certificates = []proxy.Certificate{c}
	check(t, s.Publish(t.Context(), other))
	check(t, s.Publish(t.Context(), shop))
	s.refuses(t, "")
	resp, err := s.client(leaf).Get(fmt.Sprintf("https://127.0.0.1:%d/", port))
	check(t, err)
	if got := body(t, resp); got != "shop 1" {
		t.Errorf("by its address, the app answers %q", got)
	}
}
