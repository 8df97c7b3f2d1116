package certs_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/certs"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// made is a certificate with its key, and its issuer.
type made struct {
	cert   *x509.Certificate
	key    crypto.Signer
	issuer *made
}

// sign makes a certificate with a change of its template; a nil issuer: it signs itself.
func (issuer *made) sign(t *testing.T, name string, key crypto.Signer, change func(*x509.Certificate)) *made {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(0, 2, 0), BasicConstraintsValid: true}
	change(template)
	m := &made{key: key, issuer: issuer}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if m.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return m
}

func ca(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

func names(list ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = list }
}

func (m *made) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.cert.Raw}))
}

func (m *made) private(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(m.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// chain is a root, two certificates below it and one of a server.
type chain struct{ root, upper, lower, leaf *made }

func newChain(t *testing.T) chain {
	t.Helper()
	var c chain
	var none *made
	c.root = none.sign(t, "Root", newKey(t), ca)
	c.upper = c.root.sign(t, "Upper", newKey(t), ca)
	c.lower = c.upper.sign(t, "Lower", newKey(t), ca)
	c.leaf = c.lower.sign(t, "shop", newKey(t), names("shop.example.com", "www.example.com"))
	return c
}

func TestParse(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	stranger := (*made)(nil).sign(t, "Stranger", newKey(t), names("other.example.com"))
	foreign := c.upper.sign(t, "Foreign", newKey(t), ca)
	right := c.leaf.pem() + c.lower.pem() + c.upper.pem()
	const reordered = "the certificates were in another order: put the one of the key first, then each one's issuer"
	for name, test := range map[string]struct{ given, want, note string }{
		"right":           {right, right, ""},
		"leaf alone":      {c.leaf.pem(), c.leaf.pem(), ""},
		"with the root":   {right + c.root.pem(), right, ""},
		"leaf last":       {c.upper.pem() + c.lower.pem() + c.leaf.pem(), right, reordered},
		"issuers swapped": {c.leaf.pem() + c.upper.pem() + c.lower.pem(), right, reordered},
		"root first":      {c.root.pem() + c.leaf.pem() + c.lower.pem() + c.upper.pem(), right, reordered},
		"twice":           {c.leaf.pem() + right, right, ""},
		"no part of it":   {right + foreign.pem(), right, "left out the certificate of Foreign, which is no part of the chain"},
		"text around":     {"Certificate:\r\n    Data:\r\n" + strings.ReplaceAll(right, "\n", "\r\n") + "trailing\r\n", right, ""},
		"a trusted one":   {strings.ReplaceAll(right, "CERTIFICATE-", "TRUSTED CERTIFICATE-"), right, ""},
		"another root":    {right + stranger.pem(), right, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, notes, err := certs.Parse([]byte(test.given), []byte(c.leaf.private(t)), now)
			if err != nil {
				t.Fatal(err)
			}
			if string(p.Chain) != test.want {
				t.Errorf("chain:\n%s\nwant:\n%s", p.Chain, test.want)
			}
			if got := strings.Join(notes, "\n"); got != test.note {
				t.Errorf("notes %q, want %q", got, test.note)
			}
			if got := certs.Names(p.Leaf); !slices.Equal(got, []string{"shop.example.com", "www.example.com"}) {
				t.Errorf("names %q", got)
			}
			again, notes, err := certs.Parse(p.Chain, p.Key, now)
			if err != nil || len(notes) > 0 || !bytes.Equal(again.Chain, p.Chain) {
				t.Errorf("its own result is read with %q, %v", notes, err)
			}
		})
	}
}

func TestParseKeyForms(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	small := newKey(t)
	sec1, err := x509.MarshalECPrivateKey(small.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	var none *made
	for name, test := range map[string]struct {
		owner crypto.Signer
		key   []byte
	}{
		"PKCS #1": {key, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})},
		"PKCS #8": {key, []byte((&made{key: key}).private(t))},
		"SEC 1 with parameters": {small, append(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8}}),
			pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...)},
	} {
		leaf := none.sign(t, "a", test.owner, names("a.example.com"))
		if _, _, err := certs.Parse([]byte(leaf.pem()), test.key, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	key := c.leaf.private(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	one := func(name string, key crypto.Signer, change func(*x509.Certificate)) *made {
		return c.lower.sign(t, name, key, func(c *x509.Certificate) { names("a.example.com")(c); change(c) })
	}
	old := one("old", newKey(t), func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) })
	early := one("early", newKey(t), func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) })
	nameless := one("a.example.com", newKey(t), func(c *x509.Certificate) { c.DNSNames = nil })
	client := one("client", newKey(t), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	short := one("short", weak, func(*x509.Certificate) {})
	encrypted := "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
	for name, test := range map[string]struct{ chain, key, want string }{
		"empty":            {"", key, "the certificate file is empty"},
		"no PEM":           {"hello", key, "the certificate file has no PEM block: it should begin with -----BEGIN CERTIFICATE-----"},
		"DER":              {string(c.leaf.cert.Raw), key, "the certificate file is binary (DER or PKCS #12), not PEM: convert it with openssl x509 -inform der"},
		"PKCS 7":           {"-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n", key, "the certificate file is PKCS #7, not PEM certificates"},
		"request":          {"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n", key, "the certificate file is a signing request (CSR)"},
		"damaged":          {"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", key, "the first certificate in the certificate file cannot be read"},
		"swapped":          {key, c.leaf.pem(), "the certificate file holds a private key and no certificate: give the certificate first, then the key"},
		"key is a chain":   {c.leaf.pem(), c.leaf.pem(), "the key file holds a certificate and no private key"},
		"no key":           {c.leaf.pem(), " \n", "the key file is empty"},
		"another's key":    {c.leaf.pem(), c.lower.private(t), "the key does not belong to the certificate of shop.example.com and 1 more: give the key that its request was made with"},
		"two keys":         {c.leaf.pem(), key + c.lower.private(t), "the key file holds several private keys: leave only the certificate's own"},
		"encrypted":        {c.leaf.pem(), encrypted, "the key is encrypted, and nobody could type its passphrase when nginx starts: decrypt it with openssl pkey -in FILE -out server.key"},
		"encrypted PKCS 8": {c.leaf.pem(), "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n", "the key is encrypted"},
		"OpenSSH":          {c.leaf.pem(), "-----BEGIN OPENSSH PRIVATE KEY-----\nMAA=\n-----END OPENSSH PRIVATE KEY-----\n", `the key file holds "OPENSSH PRIVATE KEY", which is no key for TLS`},
		"expired":          {old.pem(), old.private(t), "the certificate of a.example.com expired on 2026-05-31: get a new one"},
		"not valid yet":    {early.pem(), early.private(t), "is valid from 2026-06-01 13:00 UTC only, and this server's clock says 2026-06-01 12:00 UTC"},
		"without names":    {nameless.pem(), nameless.private(t), "the certificate of a.example.com has no names in its subjectAltName"},
		"for clients":      {client.pem(), client.private(t), "is not for servers: its extended key usage lacks serverAuth"},
		"short RSA":        {short.pem(), short.private(t), "the key of a.example.com has 1024 bits, and OpenSSL refuses RSA keys below 2048"},
	} {
		_, _, err := certs.Parse([]byte(test.chain), []byte(test.key), now)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", name, err, test.want)
		}
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	c := (*made)(nil).sign(t, "x", newKey(t), func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"Example.com", "*.example.com"}, []net.IP{net.ParseIP("192.0.2.7"), net.ParseIP("2001:db8::1")}
	}).cert
	for domain, want := range map[string]bool{"example.com": true, "a.example.com": true, "*.example.com": true, "a.b.example.com": false,
		"*.a.example.com": false, "example.org": false, "192.0.2.7": true, "192.0.2.8": false, "2001:db8::1": true, "_": false} {
		if got := certs.Covers(certs.Names(c), domain); got != want {
			t.Errorf("%s is covered: %t, want %t", domain, got, want)
		}
	}
}

func TestTrusted(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	roots := x509.NewCertPool()
	roots.AddCert(c.root.cert)
	full, _, err := certs.Parse([]byte(c.leaf.pem()+c.lower.pem()+c.upper.pem()), []byte(c.leaf.private(t)), now)
	if err != nil {
		t.Fatal(err)
	}
	part, _, err := certs.Parse([]byte(c.leaf.pem()+c.upper.pem()), []byte(c.leaf.private(t)), now)
	if err != nil {
		t.Fatal(err)
	}
	if !full.Trusted(roots, now) || full.Trusted(x509.NewCertPool(), now) || full.Trusted(roots, now.AddDate(1, 0, 0)) || part.Trusted(roots, now) {
		t.Error("trust is wrong: want that of the root, as long as the certificate is valid, by a whole chain")
	}
	if full.SelfSigned() {
		t.Error("a certificate of a CA counts as self-signed")
	}
}

func TestSelfSigned(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 62) + "." + "example.com"
	p, err := certs.SelfSigned([]string{long, "shop.example.com", "192.0.2.7"}, now)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{long, "shop.example.com", "192.0.2.7"}
	if got := certs.Names(p.Leaf); !slices.Equal(got, want) || !p.SelfSigned() || p.Leaf.Subject.CommonName != "shop.example.com" {
		t.Errorf("names %q, self-signed %t, common name %q", got, p.SelfSigned(), p.Leaf.Subject.CommonName)
	}
	if life := p.Leaf.NotAfter.Sub(now); life != certs.SelfSignedLife {
		t.Errorf("it is valid for %s", life)
	}
	text, err := p.Request()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := pem.Decode(text)
	csr, err := x509.ParseCertificateRequest(b.Bytes)
	if err != nil || csr.CheckSignature() != nil || len(csr.DNSNames) != 2 || len(csr.IPAddresses) != 1 {
		t.Errorf("request %+v, %v", csr, err)
	}
}
