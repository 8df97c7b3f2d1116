package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"time"
)

// SelfSignedLife is how long a self-signed certificate is valid: browsers refuse one of
// more than 398 days even where somebody has accepted its issuer.
const SelfSignedLife = 397 * 24 * time.Hour

// backdate covers a client whose clock is behind.
const backdate = time.Hour

// SelfSigned makes a key and a certificate that is its own issuer, valid for names from
// now on. Names are DNS names and IP addresses.
func SelfSigned(names []string, now time.Time) (Pair, error) {
	made, err := sign(serverTemplate(names), nil, SelfSignedLife, now)
	if err != nil {
		return Pair{}, err
	}
	p, _, err := Parse(made.Chain, made.Key, now)
	return p, err
}

// serverTemplate describes the certificate of a server for names.
func serverTemplate(names []string) *x509.Certificate {
	hosts, addresses := split(names)
	return &x509.Certificate{
		Subject: commonName(names), DNSNames: hosts, IPAddresses: addresses, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// Request returns a signing request (CSR) in PEM for the pair's key and the names of its
// certificate.
func (p Pair) Request() ([]byte, error) {
	key, err := readKey(p.Key)
	if err != nil {
		return nil, err
	}
	return request(Names(p.Leaf), key)
}

func request(names []string, key crypto.Signer) ([]byte, error) {
	hosts, addresses := split(names)
	der, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: commonName(names), DNSNames: hosts, IPAddresses: addresses}, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a signing request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// commonName is for people: no client reads it where there are names. It has 64
// characters at most (RFC 5280, appendix A).
func commonName(names []string) pkix.Name {
	for _, n := range names {
		if len(n) <= 64 {
			return pkix.Name{CommonName: n}
		}
	}
	return pkix.Name{}
}

func split(names []string) (hosts []string, addresses []net.IP) {
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			addresses = append(addresses, ip)
		} else {
			hosts = append(hosts, n)
		}
	}
	return hosts, addresses
}
