package nginx_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// authority is a CA with an OCSP responder.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	url  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.cert, a.key = sign(t, template, nil)
	a.url = "http://" + nginxtest.Handler(t, a.respond).String() + "/ca-1"
	return a
}

// sign makes a certificate with a key; a nil issuer: it signs itself.
func sign(t *testing.T, template *x509.Certificate, issuer *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	return cert, key
}

// respond answers a question by GET below its own path (RFC 6960, A.1), under its own name.
func (a *authority) respond(w http.ResponseWriter, r *http.Request) {
	text, err := url.PathUnescape(strings.TrimPrefix(r.RequestURI, "/ca-1/"))
	der, derr := base64.StdEncoding.DecodeString(text)
	question, qerr := ocsp.ParseRequest(der)
	if errors.Join(err, derr, qerr) != nil || "http://"+r.Host+"/ca-1" != a.url {
		http.Error(w, r.RequestURI, http.StatusBadRequest)
		return
	}
	answer, err := ocsp.CreateResponse(a.cert, a.cert, ocsp.Response{Status: ocsp.Good, SerialNumber: question.SerialNumber,
		ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}, a.key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	w.Write(answer)
}

// certificate makes a certificate of the CA, with the CA's in its chain.
func (a *authority) certificate(t *testing.T, s *secureServer, names ...string) proxy.Certificate {
	t.Helper()
	c, _ := s.certificate(t, names...)
	leaf, key := sign(t, &x509.Certificate{SerialNumber: big.NewInt(int64(100 + s.made)), DNSNames: names, OCSPServer: []string{a.url},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, a)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	chain := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...)
	check(t, errors.Join(os.WriteFile(filepath.Join(c.Dir, proxy.CertificateFile), chain, 0o600),
		os.WriteFile(filepath.Join(c.Dir, proxy.KeyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)))
	c.Responder = a.url
	return c
}

// stapled is what a handshake for a name has of the CA; nil for nothing.
func (s *secureServer) stapled(t *testing.T, name string) []byte {
	t.Helper()
	conn, err := s.handshake(name, nil)
	check(t, err)
	defer conn.Close()
	return conn.OCSPResponse()
}

// TestStapling: handshakes have the CA's answer, and nobody else can ask through nginx.
func TestStapling(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	s.config.Resolvers = filepath.Join(t.TempDir(), "resolv.conf")
	check(t, os.WriteFile(s.config.Resolvers, []byte("# comment\nsearch example.com\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\noptions rotate\n"), 0o644))
	s.Proxy = nginx.New(s.config)
	ca := newAuthority(t)
	shop, plain := route(t, "shop", 1), route(t, "plain", 1)
	shop.Certificates = []proxy.Certificate{ca.certificate(t, s, shop.Domains...)}
	c, _ := s.certificate(t, plain.Domains...)
	plain.Certificates = []proxy.Certificate{c}
	check(t, s.Publish(t.Context(), shop))
	check(t, s.Publish(t.Context(), plain))
	// Each of nginx's workers asks for itself, after its first handshake.
	var der []byte
	nginxtest.Eventually(t, "an answer is stapled", func() bool { der = s.stapled(t, "shop.example.com"); return der != nil })
	answer, err := ocsp.ParseResponse(der, ca.cert)
	if err != nil || answer.Status != ocsp.Good || answer.SerialNumber.Int64() != 101 {
		t.Errorf("stapled: %+v, %v", answer, err)
	}
	if s.stapled(t, "plain.example.com") != nil {
		t.Error("an answer about a certificate without a responder")
	}
	live, _, err := s.Live(t.Context(), "shop")
	if err != nil || live.Outdated || live.Certificates[0].Responder != ca.url {
		t.Errorf("live: %+v, %v", live, err)
	}

	// Without name servers nginx could not ask.
	check(t, os.WriteFile(s.config.Resolvers, []byte("options rotate\n"), 0o644))
	live, _, err = s.Live(t.Context(), "shop")
	if err != nil || !live.Outdated {
		t.Errorf("without name servers, live: %+v, %v; want an outdated route", live, err)
	}
	check(t, s.Refresh(t.Context()))
	if s.stapled(t, "shop.example.com") != nil {
		t.Error("an answer without name servers")
	}
}

// TestStaplingOfSeveralApps: the files are the same whichever app is deployed last, so that
// publishing again reloads nothing.
func TestStaplingOfSeveralApps(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	s.config.Resolvers = filepath.Join(t.TempDir(), "resolv.conf")
	check(t, os.WriteFile(s.config.Resolvers, []byte("nameserver 192.0.2.53\n"), 0o644))
	s.Proxy = nginx.New(s.config)
	ca := newAuthority(t)
	var routes []proxy.Route
	for _, app := range []string{"b", "a"} {
		r := route(t, app, 1)
		r.Certificates = []proxy.Certificate{ca.certificate(t, s, r.Domains...)}
		check(t, s.Publish(t.Context(), r))
		routes = append(routes, r)
	}
	before, err := os.Readlink(filepath.Join(s.Dir, "live"))
	check(t, err)
	for _, r := range routes {
		check(t, s.Publish(t.Context(), r))
	}
	if after, err := os.Readlink(filepath.Join(s.Dir, "live")); err != nil || after != before {
		t.Errorf("publishing again makes %s of %s, %v", after, before, err)
	}
}

// TestRelayIsPrivate: only this host may ask a CA through nginx.
func TestRelayIsPrivate(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	s.config.Resolvers = filepath.Join(t.TempDir(), "resolv.conf")
	check(t, os.WriteFile(s.config.Resolvers, []byte("nameserver 192.0.2.53\n"), 0o644))
	s.Proxy = nginx.New(s.config)
	ca := newAuthority(t)
	shop := route(t, "shop", 1)
	shop.Certificates = []proxy.Certificate{ca.certificate(t, s, shop.Domains...)}
	check(t, s.Publish(t.Context(), shop))
	path := "/" + shop.Certificates[0].ID + "/x"
	if resp := s.plain(t, "127.79.67.83", path, "127.0.0.2"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("from elsewhere: %s, want 403", resp.Status)
	}
	if resp := s.plain(t, "127.79.67.83", path, "127.0.0.1"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("from this host: %s, want the CA's 400", resp.Status)
	}
}
