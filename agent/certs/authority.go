package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// AuthorityLife is how long the certificates of an authority of our own are valid, and those
// that it issues: only servers trust it that were told to by hand, and nobody renews that.
const AuthorityLife = 10 * 365 * 24 * time.Hour

// NewAuthority makes a certificate authority with a name for people.
func NewAuthority(name string, now time.Time) (Pair, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	return sign(template, nil, AuthorityLife, now)
}

// Issue makes a key and a certificate of the authority p for names, which are DNS names and
// IP addresses.
func (p Pair) Issue(names []string, now time.Time) (Pair, error) {
	return sign(serverTemplate(names), &p, AuthorityLife, now)
}

// IssueClient is Issue for a client, which shows the certificate to servers.
func (p Pair) IssueClient(names []string, now time.Time) (Pair, error) {
	template := serverTemplate(names)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return sign(template, &p, AuthorityLife, now)
}

// sign makes a key and the certificate of a template, signed by an authority or by itself,
// and valid for a life from now on.
func sign(template *x509.Certificate, by *Pair, life time.Duration, now time.Time) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("cannot make a key: %w", err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128)); err != nil {
		return Pair{}, fmt.Errorf("cannot make a serial number: %w", err)
	}
	template.NotBefore, template.NotAfter = now.Add(-backdate), now.Add(life)
	parent, signer := template, any(key)
	if by != nil {
		parent = by.Leaf
		if signer, err = readKey(by.Key); err != nil {
			return Pair{}, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return Pair{}, fmt.Errorf("cannot make a certificate: %w", err)
	}
	private, err := EncodeKey(key)
	if err != nil {
		return Pair{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return Pair{Chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: private, Leaf: leaf}, err
}

// ReadAuthority reads an authority that NewAuthority made.
func ReadAuthority(chain, key []byte) (Pair, error) {
	given, err := readCertificates(chain)
	if err != nil {
		return Pair{}, err
	}
	private, err := readKey(key)
	if err != nil {
		return Pair{}, err
	}
	if leaf := given[0]; !leaf.IsCA || !samePublic(leaf.PublicKey, private.Public()) {
		return Pair{}, fmt.Errorf("the key does not belong to the authority %s", leaf.Subject.CommonName)
	}
	return Pair{Chain: chain, Key: key, Leaf: given[0]}, nil
}
