// Package acmetest runs real ACME servers, Let's Encrypt's pebble, with the DNS that they
// ask. They run in a process of their own, because pebble has data races, at which the race
// detector would fail the tests.
package acmetest

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
)

// A CA issues certificates for names that it reaches.
type CA struct {
	*httptest.Server
	// Bundle is the path of a file with the root of the CA's own web server.
	Bundle string
	// Zone is the DNS of all CAs. Every name leads to 127.0.0.1 unless a test says otherwise.
	Zone *challtestsrv.ChallSrv
	// Root is the certificate that clients of the apps trust.
	Root *x509.Certificate

	mu    sync.Mutex
	front http.HandlerFunc
}

var quiet = log.New(io.Discard, "", 0)

// New starts a CA that asks for HTTP-01 on a port of 127.0.0.1, and whose certificates are
// valid for a time, in whole seconds.
func New(t *testing.T, port int, life time.Duration) *CA {
	t.Helper()
	zone, err := StartZone()
	if err != nil {
		t.Fatal(err)
	}
	c := &CA{Zone: zone.ChallSrv}
	acme, admin := Hosted(t, Options{RejectNonces: 20, Zone: zone.Address, Port: port, Life: life})
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		h := c.front
		c.mu.Unlock()
		if h == nil {
			h = acme.ServeHTTP
		}
		h(w, r)
	}))
	c.Config.ErrorLog = quiet
	c.StartTLS()
	t.Cleanup(c.Close)
	c.Bundle = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(c.Bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	c.Root = root(t, admin)
	return c
}

// Instead answers all requests in the CA's place; nil lets it answer again.
func (c *CA) Instead(h http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.front = h
}

// root asks the CA for its root certificate.
func root(t *testing.T, management http.Handler) *x509.Certificate {
	t.Helper()
	answer := httptest.NewRecorder()
	management.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/roots/0", nil))
	block, _ := pem.Decode(answer.Body.Bytes())
	if block == nil {
		t.Fatalf("the CA has no root: %s", answer.Body)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// A Zone is the DNS of all CAs of the process: its server takes the place of any other.
type Zone struct {
	*challtestsrv.ChallSrv
	Address string
}

// StartZone starts the DNS at the first call, and returns it. Every name leads to
// 127.0.0.1.
var StartZone = sync.OnceValues(func() (Zone, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Zone{}, err
	}
	z := Zone{Address: l.Addr().String()}
	l.Close()
	z.ChallSrv, err = challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{z.Address}, Log: quiet})
	if err != nil {
		return Zone{}, err
	}
	z.SetDefaultDNSIPv4("127.0.0.1")
	z.SetDefaultDNSIPv6("")
	go z.Run()
	for conn := net.Conn(nil); conn == nil; {
		conn, _ = net.Dial("tcp", z.Address)
	}
	return z, nil
})
