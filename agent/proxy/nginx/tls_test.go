package nginx_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/certs"
	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// secureServer is an nginx with a port for TLS.
type secureServer struct {
	*nginxtest.Server
	*nginx.Proxy
	config nginx.Config
	made   int
}

func newSecure(t *testing.T) *secureServer {
	t.Helper()
	s := &secureServer{Server: nginxtest.NewServer(t, "")}
	s.config = s.Server.Config()
	s.Proxy = nginx.New(s.config)
	return s
}

// certificate makes a certificate for names, in a folder of its own.
func (s *secureServer) certificate(t *testing.T, names ...string) (proxy.Certificate, *x509.Certificate) {
	t.Helper()
	p, err := certs.SelfSigned(names, time.Now())
	check(t, err)
	s.made++
	c := proxy.Certificate{ID: fmt.Sprintf("%08d", s.made), Dir: t.TempDir(), Domains: names}
	check(t, os.WriteFile(filepath.Join(c.Dir, proxy.CertificateFile), p.Chain, 0o600))
	check(t, os.WriteFile(filepath.Join(c.Dir, proxy.KeyFile), p.Key, 0o600))
	return c, p.Leaf
}

// handshake opens a connection for a name; "": without one.
func (s *secureServer) handshake(name string, change func(*tls.Config)) (*tls.Conn, error) {
	c := &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}
	if change != nil {
		change(c)
	}
	return tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", fmt.Sprintf("127.0.0.1:%d", s.config.TLSPort), c)
}

// leaf is the certificate that a name gets.
func (s *secureServer) leaf(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	conn, err := s.handshake(name, nil)
	check(t, err)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// client trusts a certificate, and resolves every name to nginx.
func (s *secureServer) client(leaf *x509.Certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+port)
	}
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DialContext: dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// plain sends a request without TLS, from an address of this host, with headers
// "Name: value".
func (s *secureServer) plain(t *testing.T, host, path, from string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", s.Port, path), nil)
	check(t, err)
	req.Host = host
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	resp, err := (&http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}).RoundTrip(req)
	check(t, err)
	resp.Body.Close()
	return resp
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	r := forwarded(t, "shop")
	r.Domains = []string{"shop.example.com", "plain.example.com"}
	c, leaf := s.certificate(t, "shop.example.com")
	r.Certificates = []proxy.Certificate{c}
	r.Settings.Properties = map[string]string{"hsts": "true"}
	check(t, s.Publish(t.Context(), r))
	check(t, os.RemoveAll(c.Dir))
	url := fmt.Sprintf("https://shop.example.com:%d/a?b=c", s.config.TLSPort)

	resp, err := s.client(leaf).Get(url)
	check(t, err)
	want := fmt.Sprintf("for=127.0.0.1 port=%d proto=https ssl= ", s.config.TLSPort)
	if got := body(t, resp); got != want || resp.ProtoMajor != 2 {
		t.Errorf("over TLS: %q by %s, want %q by HTTP/2", got, resp.Proto, want)
	}
	if got := resp.Header.Get("Strict-Transport-Security"); got != "max-age=15724800; includeSubdomains" {
		t.Errorf("HSTS %q", got)
	}
	for _, name := range []string{"plain.example.com", "unknown.example.com", ""} {
		if conn, err := s.handshake(name, nil); err == nil {
			conn.Close()
			t.Errorf("%q gets a certificate", name)
		}
	}
	if conn, err := s.handshake("shop.example.com", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 }); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conn, err := s.handshake("shop.example.com", func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version })
		check(t, err)
		if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
			t.Errorf("%s: %q by ALPN, want h2", tls.VersionName(version), got)
		}
		conn.Close()
	}
}

// TestRedirect: plain requests for a name with a certificate are sent on to TLS, except those
// of a CA, and those that a trusted proxy got over TLS.
func TestRedirect(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	r := forwarded(t, "shop")
	r.Domains = []string{"shop.example.com", "plain.example.com"}
	c, _ := s.certificate(t, "shop.example.com")
	r.Certificates = []proxy.Certificate{c}
	r.Settings.Properties = map[string]string{"hsts": "true"}
	check(t, s.Publish(t.Context(), r))
	url := fmt.Sprintf("https://shop.example.com:%d/a?b=c", s.config.TLSPort)
	resp := s.plain(t, "Shop.example.com", "/a?b=c", "127.0.0.1")
	if got := resp.Header.Get("Location"); resp.StatusCode != 301 || got != url {
		t.Errorf("plain: %d to %q, want 301 to %q", resp.StatusCode, got, url)
	}
	if resp := s.plain(t, "shop.example.com", "/.well-known/acme-challenge/x", "127.0.0.1"); resp.StatusCode != 200 {
		t.Errorf("a CA's question: %d, want 200", resp.StatusCode)
	}
	if resp := s.plain(t, "plain.example.com", "/", "127.0.0.1"); resp.StatusCode != 200 || resp.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("a name without a certificate: %d", resp.StatusCode)
	}
	s.config.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	s.Proxy = nginx.New(s.config)
	check(t, s.Refresh(t.Context()))
	if resp := s.plain(t, "shop.example.com", "/", "127.0.0.1", "X-Forwarded-Proto: https"); resp.StatusCode != 200 {
		t.Errorf("a trusted proxy that got the request over TLS: %d, want no redirect", resp.StatusCode)
	}
	if resp := s.plain(t, "shop.example.com", "/", "127.0.0.2", "X-Forwarded-Proto: https"); resp.StatusCode != 301 {
		t.Errorf("another client that says so: %d, want a redirect", resp.StatusCode)
	}
	r.Settings.Properties = map[string]string{"https-redirect": "308"}
	check(t, s.Publish(t.Context(), r))
	if resp := s.plain(t, "shop.example.com", "/", "127.0.0.1"); resp.StatusCode != 308 || resp.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("https-redirect 308: %d", resp.StatusCode)
	}
	r.Settings.Properties = map[string]string{"https-redirect": "off"}
	check(t, s.Publish(t.Context(), r))
	if resp := s.plain(t, "shop.example.com", "/", "127.0.0.1"); resp.StatusCode != 200 {
		t.Errorf("https-redirect off: %d", resp.StatusCode)
	}
}

// requests opens connections for a name, one after the other, until stop, which returns the
// first failure: another name's certificate, or another answer than 200.
func (s *secureServer) requests(name string) (stop func() error) {
	end, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		var first error
		for {
			select {
			case <-end:
				failed <- first
				return
			default:
			}
			if err := s.request(name); err != nil && first == nil {
				first = err
			}
		}
	}()
	return func() error { close(end); return <-failed }
}

func (s *secureServer) request(name string) error {
	conn, err := s.handshake(name, func(c *tls.Config) { c.NextProtos = nil })
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.ConnectionState().PeerCertificates[0].VerifyHostname(name); err != nil {
		return err
	}
	fmt.Fprintf(conn, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", name)
	answer, err := io.ReadAll(conn)
	if err == nil && !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		err = fmt.Errorf("answer %.60q", answer)
	}
	return err
}

// TestCertificateChanges: each handshake gets a certificate of its name, requests go on
// while it is replaced, and a connection keeps its own. Copies that nothing needs go.
func TestCertificateChanges(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	hello, other := route(t, "hello", 1), route(t, "other", 1)
	other.Domains = []string{"*.other.example.com"}
	c, leaf := s.certificate(t, hello.Domains...)
	hello.Certificates = []proxy.Certificate{c}
	check(t, s.Publish(t.Context(), hello))
	o, otherLeaf := s.certificate(t, "*.other.example.com")
	other.Certificates = []proxy.Certificate{o}
	check(t, s.Publish(t.Context(), other))
	if !s.leaf(t, "a.other.example.com").Equal(otherLeaf) || !s.leaf(t, hello.Domains[0]).Equal(leaf) {
		t.Error("a name gets another one's certificate")
	}
	kept := s.client(leaf)
	url := fmt.Sprintf("https://%s:%d/", hello.Domains[0], s.config.TLSPort)
	resp, err := kept.Get(url)
	check(t, err)
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()

	stop := s.requests(hello.Domains[0])
	var last *x509.Certificate
	for range 5 {
		c, last = s.certificate(t, hello.Domains...)
		hello.Certificates = []proxy.Certificate{c}
		check(t, s.Publish(t.Context(), hello))
		if !s.leaf(t, hello.Domains[0]).Equal(last) {
			t.Error("a handshake after Publish gets the former certificate")
		}
	}
	if err := stop(); err != nil {
		t.Errorf("a request while the certificate changes: %v", err)
	}
	live, ok, err := s.Live(t.Context(), "hello")
	if err != nil || !ok || live.Outdated || len(live.Certificates) != 1 || live.Certificates[0].ID != c.ID {
		t.Errorf("live: %+v, %t, %v", live, ok, err)
	}
	check(t, s.Publish(t.Context(), hello))
	copies := func() []string {
		entries, err := os.ReadDir(filepath.Join(s.Dir, "certificates"))
		check(t, err)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if got := copies(); len(got) > 3 || !slices.Contains(got, c.ID) || !slices.Contains(got, o.ID) {
		t.Errorf("copies %q: want the live ones, and at most that of the staged tree", got)
	}
	fi, err := os.Stat(filepath.Join(s.Dir, "certificates", c.ID, proxy.KeyFile))
	check(t, err)
	if fi.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %s", fi.Mode())
	}
	hello.Certificates = nil
	check(t, s.Publish(t.Context(), hello))
	if status, _ := s.Get(hello.Domains[0], "/"); status != 200 {
		t.Errorf("without the certificate: %d, want no redirect", status)
	}
	check(t, s.Withdraw(t.Context(), "other"))
	check(t, s.Withdraw(t.Context(), "hello"))
	if got := copies(); len(got) > 1 {
		t.Errorf("copies %q of apps that are gone", got)
	}
}

// TestTLSPortConflict: a port speaks TLS or does not.
func TestTLSPortConflict(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	hello, other := route(t, "hello", 1), route(t, "other", 1)
	c, _ := s.certificate(t, hello.Domains...)
	hello.Certificates = []proxy.Certificate{c}
	check(t, s.Publish(t.Context(), hello))
	other.Ports = []proxy.Port{{Host: s.config.TLSPort}}
	err := s.Stage(t.Context(), other)
	want := fmt.Sprintf("cannot route other: port %d speaks TLS for one app and plain HTTP for another (hello): choose another port", s.config.TLSPort)
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	other.Ports = nil
	check(t, s.Publish(t.Context(), other))
}

// TestCertificateIsMissing: a route whose certificate is nowhere is refused, and all others
// live on.
func TestCertificateIsMissing(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	hello, other := route(t, "hello", 1), route(t, "other", 1)
	check(t, s.Publish(t.Context(), other))
	c, _ := s.certificate(t, hello.Domains...)
	check(t, os.Remove(filepath.Join(c.Dir, proxy.KeyFile)))
	hello.Certificates = []proxy.Certificate{c}
	if err := s.Publish(t.Context(), hello); err == nil || !strings.Contains(err.Error(), "cannot route hello: cannot copy its certificate: open "+c.Dir) {
		t.Errorf("got %v", err)
	}
	if status, _ := s.Get(other.Domains[0], "/"); status != 200 {
		t.Errorf("the other app: %d", status)
	}
}

// TestTLSPortIsTaken: where another program holds the port for TLS, the error says where to
// look, and what was live stays.
func TestTLSPortIsTaken(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	s.config.Timeout = 6 * time.Second
	s.Proxy = nginx.New(s.config)
	hello := route(t, "hello", 1)
	check(t, s.Publish(t.Context(), hello))
	held, err := net.Listen("tcp", fmt.Sprintf(":%d", s.config.TLSPort))
	check(t, err)
	defer held.Close()
	c, _ := s.certificate(t, hello.Domains...)
	secure := hello
	secure.Certificates = []proxy.Certificate{c}
	if err := s.Publish(t.Context(), secure); err == nil || !strings.Contains(err.Error(), "whether another program holds a port of nginx (ss -ltnp)") {
		t.Errorf("got %v", err)
	}
	live, ok, err := s.Live(t.Context(), "hello")
	if err != nil || !ok || len(live.Certificates) > 0 {
		t.Errorf("live: %+v, %t, %v; want the former route", live, ok, err)
	}
	if status, _ := s.Get(hello.Domains[0], "/"); status != 200 {
		t.Errorf("the app answers %d, want 200 without a redirect", status)
	}
	check(t, held.Close())
	s.config.Timeout = 0 // as usual
	check(t, nginx.New(s.config).Publish(t.Context(), secure))
	if status, _ := s.Get(hello.Domains[0], "/"); status != 301 {
		t.Errorf("once the port is free: %d, want a redirect", status)
	}
}
