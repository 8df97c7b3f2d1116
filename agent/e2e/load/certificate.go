package load

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"dokku/agent/certs"
	"dokku/agent/e2e/lab"
)

// An Issuer makes certificates. The load accepts those of no other.
type Issuer struct {
	roots string // the file of its own certificate
	root  *x509.Certificate
	key   *ecdsa.PrivateKey
}

// NewIssuer makes an issuer whose certificate is in a file.
func NewIssuer(t *testing.T) *Issuer {
	t.Helper()
	i := &Issuer{roots: filepath.Join(t.TempDir(), "roots.crt")}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "load"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	i.root, i.key = i.sign(t, template)
	writePEM(t, i.roots, "CERTIFICATE", i.root.Raw)
	return i
}

// sign makes a new key and a certificate for it, valid from now on.
func (i *Issuer) sign(t *testing.T, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	lab.Must(t, err)
	c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	lab.Must(t, err)
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(24*time.Hour)
	issuer, signer := i.root, i.key
	if c.IsCA {
		issuer, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), signer)
	lab.Must(t, err)
	signed, err := x509.ParseCertificate(der)
	lab.Must(t, err)
	return signed, key
}

// issue makes a certificate for a name, as two files in a folder.
func (i *Issuer) issue(t *testing.T, dir, name string) (crt, key, serial string) {
	t.Helper()
	leaf, private := i.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "load"}, DNSNames: []string{name},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	crt, key = filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	writePEM(t, crt, "CERTIFICATE", leaf.Raw)
	text, err := certs.EncodeKey(private)
	lab.Must(t, err)
	lab.Must(t, os.WriteFile(key, text, 0o600))
	return crt, key, leaf.SerialNumber.Text(16)
}

func writePEM(t *testing.T, path, block string, der []byte) {
	t.Helper()
	lab.Must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: block, Bytes: der}), 0o600))
}

// An issued certificate is one that an app was given.
type issued struct {
	serial string
	begun  time.Time // when nobody had it yet
	live   time.Time // when no other was to be seen any more
}

// A certificateReport is a certificate that an app's name has got.
type certificateReport struct {
	App, Serial string
	Handshakes  int
	First, Last time.Time
}

// wrong returns the problem of an app's name having had this certificate; "" for none.
func (c certificateReport) wrong(list []issued) (n int, text string) {
	n = slices.IndexFunc(list, func(i issued) bool { return i.serial == c.Serial })
	if n < 0 {
		return n, fmt.Sprintf("certificate %s was never the app's", c.Serial)
	}
	if early := list[n].begun.Sub(c.First); early > 0 {
		return n, fmt.Sprintf("certificate %d was served %s before it was the app's", n, early)
	}
	if n+1 < len(list) && c.Last.After(list[n+1].live) {
		return n, fmt.Sprintf("certificate %d was served %s after the next one was live", n, c.Last.Sub(list[n+1].live))
	}
	return n, ""
}

// judgeCertificates compares the certificates of an app's handshakes with those that it
// was given at that time.
func (a *App) judgeCertificates(t *testing.T, r *Report) {
	t.Helper()
	seen := make([]bool, len(a.certificates))
	for _, c := range r.Certificates {
		if c.App != a.App.Name {
			continue
		}
		n, text := c.wrong(a.certificates)
		if text != "" {
			t.Errorf("%s: %d handshakes: %s", a.App.Name, c.Handshakes, text)
		}
		if n >= 0 {
			seen[n] = true
		}
	}
	for n, s := range seen {
		if !s && n > 0 { // the first one may be replaced before the load begins
			t.Errorf("no handshake with %s got certificate %d: the load proves nothing about it", a.App.Name, n)
		}
	}
}
