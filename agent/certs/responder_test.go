package certs_test

import (
	"crypto/x509"
	"testing"

	"dokku/agent/certs"
)

// TestResponder: a server staples only what a CA that everybody trusts says.
func TestResponder(t *testing.T) {
	root := (*made)(nil).sign(t, "root", newKey(t), ca)
	between := root.sign(t, "between", newKey(t), ca)
	trusted, other := x509.NewCertPool(), x509.NewCertPool()
	trusted.AddCert(root.cert)
	for _, c := range []struct {
		name  string
		urls  []string
		chain string
		roots *x509.CertPool
		want  string
	}{
		{"with a responder", []string{"http://ocsp.example.com"}, between.pem(), trusted, "http://ocsp.example.com"},
		{"with a path", []string{"http://OCSP.example.com:8080/a/B-1/"}, between.pem(), trusted, "http://ocsp.example.com:8080/a/B-1"},
		{"the second one", []string{"ldap://a", "https://a", "http://a/"}, between.pem(), trusted, "http://a"},
		{"without", nil, between.pem(), trusted, ""},
		{"without its issuer", []string{"http://ocsp.example.com"}, "", trusted, ""},
		{"of an unknown CA", []string{"http://ocsp.example.com"}, between.pem(), other, ""},
		{"a user", []string{"http://a@b/"}, between.pem(), trusted, ""},
		{"a query", []string{"http://b/?a=b"}, between.pem(), trusted, ""},
		{"nginx's syntax", []string{"http://b/;}", "http://b/$uri", "http://b/a b", "http://b/\n", "http://b/{", "http://[::1]/"}, between.pem(), trusted, ""},
	} {
		leaf := between.sign(t, "a.example.com", newKey(t), func(x *x509.Certificate) { x.DNSNames, x.OCSPServer = []string{"a.example.com"}, c.urls })
		p, _, err := certs.Parse([]byte(leaf.pem()+c.chain), []byte(leaf.private(t)), now)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Responder(c.roots, now); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
