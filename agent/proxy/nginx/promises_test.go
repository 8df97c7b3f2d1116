package nginx_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx/nginxtest"
)

// openssl connects to the port for TLS as a client of OpenSSL with more arguments, sends a
// request, and returns what it prints until nginx closes the connection.
func (s *secureServer) openssl(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	args = append([]string{"s_client", "-ign_eof", "-connect", fmt.Sprintf("127.0.0.1:%d", s.config.TLSPort), "-servername", name}, args...)
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Stdin = strings.NewReader(fmt.Sprintf("GET / HTTP/1.0\r\nHost: %s\r\n\r\n", name))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// secured publishes an app with a new certificate of a CA, and returns its route.
func (s *secureServer) secured(t *testing.T, app string) proxy.Route {
	t.Helper()
	r := route(t, app, 1)
	r.Certificates = []proxy.Certificate{newAuthority(t).certificate(t, s, r.Domains...)}
	check(t, s.Publish(t.Context(), r))
	return r
}

// TestProtocols: what a client with every protocol and cipher of OpenSSL can agree on.
func TestProtocols(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	s.secured(t, "shop")
	for _, c := range []struct{ arg, want string }{
		{"-tls1", ""}, {"-tls1_1", ""}, {"-tls1_2", "Protocol  : TLSv1.2"}, {"-tls1_3", "New, TLSv1.3"},
	} {
		out, err := s.openssl(t, "shop.example.com", c.arg, "-cipher", "ALL:@SECLEVEL=0")
		if c.want == "" {
			if err == nil || !strings.Contains(out, "alert protocol version") {
				t.Errorf("%s: %v\n%s\nwant it refused", c.arg, err, out)
			}
		} else if err != nil || !strings.Contains(out, c.want) || !strings.Contains(out, "\nshop 1") {
			t.Errorf("%s: %v\n%s\nwant %q", c.arg, err, out, c.want)
		}
	}
}

// TestNoVersion: no answer tells the version of nginx, and an included file may say the same
// for its server.
func TestNoVersion(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, debianSite)
	p := s.Proxy()
	running := route(t, "hello", 1)
	running.Settings.IncludeDir = t.TempDir()
	check(t, os.WriteFile(filepath.Join(running.Settings.IncludeDir, "tokens.conf"), []byte("server_tokens off;"), 0o644))
	check(t, p.Publish(t.Context(), running))
	stopped := route(t, "stopped", 1)
	stopped.Upstreams = nil
	check(t, p.Publish(t.Context(), stopped))
	for _, host := range []string{"hello.example.com", "stopped.example.com", "nosuch.example.com"} {
		if resp := request(t, s, host); resp.Header.Get("Server") != "nginx" {
			t.Errorf("%s answers %d as %q", host, resp.StatusCode, resp.Header.Get("Server"))
		}
	}
}

// TestCiphers: of all ciphers of TLS 1.2, only those with forward secrecy and authenticated
// encryption are spoken.
func TestCiphers(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	s.secured(t, "ecdsa")
	r := route(t, "rsa", 1)
	c, _ := s.certificate(t, r.Domains...)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: r.Domains, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(c.Dir, proxy.CertificateFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(t, os.WriteFile(filepath.Join(c.Dir, proxy.KeyFile),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600))
	r.Certificates = []proxy.Certificate{c}
	check(t, s.Publish(t.Context(), r))
	for app, want := range map[string][]string{
		"ecdsa": {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
		"rsa":   {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
	} {
		if got := s.ciphers(app + ".example.com"); !slices.Equal(got, want) {
			t.Errorf("with an %s key: %q, want %q", app, got, want)
		}
	}
}

// ciphers returns the ciphers of TLS 1.2 that are spoken under a name, sorted.
func (s *secureServer) ciphers(name string) []string {
	var spoken []string
	for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !slices.Contains(c.SupportedVersions, tls.VersionTLS12) {
			continue
		}
		conn, err := s.handshake(name, func(config *tls.Config) {
			config.MaxVersion, config.CipherSuites, config.NextProtos = tls.VersionTLS12, []uint16{c.ID}, nil
		})
		if err == nil {
			conn.Close()
			spoken = append(spoken, c.Name)
		}
	}
	slices.Sort(spoken)
	return spoken
}

// TestChain: a client that knows the root alone trusts the app, and curl speaks HTTP/2.
func TestChain(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	root := newAuthority(t)
	between := &authority{url: root.url}
	between.cert, between.key = sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Between"}, NotBefore: root.cert.NotBefore,
		NotAfter: root.cert.NotAfter, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, root)
	r := route(t, "shop", 1)
	r.Certificates = []proxy.Certificate{between.certificate(t, s, r.Domains...)}
	check(t, s.Publish(t.Context(), r))
	roots := filepath.Join(t.TempDir(), "roots.pem")
	check(t, os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.cert.Raw}), 0o644))
	out, err := s.openssl(t, "shop.example.com", "-CAfile", roots, "-verify_return_error", "-verify_hostname", "shop.example.com", "-showcerts")
	if err != nil || !strings.Contains(out, "Verify return code: 0 (ok)") || strings.Count(out, "BEGIN CERTIFICATE") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
	curl := exec.CommandContext(t.Context(), "curl", "-sS", "--cacert", roots, "--resolve", fmt.Sprintf("shop.example.com:%d:127.0.0.1", s.config.TLSPort),
		"-w", " by HTTP/%{http_version}", fmt.Sprintf("https://shop.example.com:%d/", s.config.TLSPort))
	if out, err := curl.CombinedOutput(); err != nil || string(out) != "shop 1 by HTTP/2" {
		t.Errorf("curl: %q, %v", out, err)
	}
}

// TestResumption: a client goes on with its session after nginx has read its files again.
func TestResumption(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	s.secured(t, "shop")
	for i, version := range []string{"-tls1_2", "-tls1_3"} {
		session := filepath.Join(t.TempDir(), "session")
		if out, err := s.openssl(t, "shop.example.com", version, "-sess_out", session); err != nil || !strings.Contains(out, "New, TLSv1.") {
			t.Fatalf("%s: %v\n%s", version, err, out)
		}
		check(t, s.Publish(t.Context(), route(t, fmt.Sprint("other", i), 1)))
		out, err := s.openssl(t, "shop.example.com", version, "-sess_in", session)
		if err != nil || !strings.Contains(out, "Reused, TLSv1.") || !strings.Contains(out, "\nshop 1") {
			t.Errorf("%s after a reload: %v\n%s\nwant the session reused", version, err, out)
		}
		// Nor does a replaced certificate end it, or a request.
		s.secured(t, "shop")
		if out, err := s.openssl(t, "shop.example.com", version, "-sess_in", session); err != nil || !strings.Contains(out, "\nshop 1") {
			t.Errorf("%s with another certificate: %v\n%s", version, err, out)
		}
	}
}

// TestHSTSOverTLS: the header is what the properties say, with every answer over TLS and no other.
func TestHSTSOverTLS(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	r := s.secured(t, "shop")
	for _, c := range []struct {
		properties string // "name=value" between spaces
		want       string
	}{
		{"", ""},
		{"hsts=false hsts-preload=true", ""},
		{"hsts=true", "max-age=15724800; includeSubdomains"},
		{"hsts=true hsts-max-age=300 hsts-include-subdomains=false", "max-age=300"},
		{"hsts=true hsts-preload=true", "max-age=15724800; includeSubdomains; preload"},
		{"hsts=true hsts-max-age=0 hsts-include-subdomains=true hsts-preload=false", "max-age=0; includeSubdomains"},
	} {
		r.Settings.Properties = map[string]string{}
		for p := range strings.FieldsSeq(c.properties) {
			name, value, _ := strings.Cut(p, "=")
			r.Settings.Properties[name] = value
		}
		check(t, s.Publish(t.Context(), r))
		resp := s.secure(t, "shop.example.com")
		if got := resp.Header.Get("Strict-Transport-Security"); resp.StatusCode != 200 || got != c.want {
			t.Errorf("%q, status %d: %q, want %q", c.properties, resp.StatusCode, got, c.want)
		}
		if resp := s.plain(t, "shop.example.com", "/", "127.0.0.1"); resp.StatusCode != 301 || resp.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%q, plain: %d, %v", c.properties, resp.StatusCode, resp.Header)
		}
	}
	r.Upstreams = nil
	check(t, s.Publish(t.Context(), r))
	if resp := s.secure(t, "shop.example.com"); resp.StatusCode != 503 || resp.Header.Get("Strict-Transport-Security") != "max-age=0; includeSubdomains" {
		t.Errorf("without a process: %d, %v", resp.StatusCode, resp.Header)
	}
}

// secure sends a request over TLS, with headers "Name: value".
func (s *secureServer) secure(t *testing.T, name string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/", s.config.TLSPort), nil)
	check(t, err)
	req.Host = name
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{ServerName: name, InsecureSkipVerify: true}}).RoundTrip(req)
	check(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// TestForwardedOverTLS: an app learns how nginx was reached, whatever a client says.
func TestForwardedOverTLS(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	r := forwarded(t, "shop")
	c, _ := s.certificate(t, r.Domains...)
	r.Certificates = []proxy.Certificate{c}
	check(t, s.Publish(t.Context(), r))
	resp := s.secure(t, "shop.example.com", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: http", "X-Forwarded-Port: 80", "X-Forwarded-Ssl: off")
	if got, want := body(t, resp), fmt.Sprintf("for=127.0.0.1 port=%d proto=https ssl= ", s.config.TLSPort); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
