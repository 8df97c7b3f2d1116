package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// MaxSize is the size in bytes of the largest file that Parse reads: a chain has three
// certificates of 2 kB.
const MaxSize = 1 << 20

// Pair is a certificate with its chain and its key.
type Pair struct {
	// Chain is the leaf and the certificates between it and a root, in this order, in PEM.
	Chain []byte
	// Key is the private key, in PEM.
	Key  []byte
	Leaf *x509.Certificate
	// Between are the other certificates of Chain.
	Between []*x509.Certificate
}

// Parse reads a certificate and its key as an admin gives them, in PEM. The notes say
// what was mended.
//
// An error is one sentence that says what to do.
func Parse(chain, key []byte, now time.Time) (p Pair, notes []string, err error) {
	given, err := readCertificates(chain)
	if err != nil {
		return Pair{}, nil, err
	}
	private, err := readKey(key)
	if err != nil {
		return Pair{}, nil, err
	}
	if p, notes, err = order(given, private.Public()); err != nil {
		return Pair{}, nil, err
	}
	if err := p.check(now); err != nil {
		return Pair{}, nil, err
	}
	p.Chain = encode(append([]*x509.Certificate{p.Leaf}, p.Between...))
	p.Key, err = EncodeKey(private)
	return p, notes, err
}

// blocks returns the PEM blocks of a file.
func blocks(data []byte) iter.Seq[*pem.Block] {
	return func(yield func(*pem.Block) bool) {
		for b, rest := pem.Decode(data); b != nil && yield(b); b, rest = pem.Decode(rest) {
		}
	}
}

// readCertificates reads all certificates of a file.
func readCertificates(data []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	key := false
	for b := range blocks(data) {
		switch {
		case strings.HasSuffix(b.Type, "CERTIFICATE"):
			c, err := x509.ParseCertificate(b.Bytes)
			if err != nil {
				return nil, fmt.Errorf("the %s certificate in the certificate file cannot be read (%s): export it again", ordinal(len(list)+1), reason(err))
			}
			list = append(list, c)
		case b.Type == "CERTIFICATE REQUEST", b.Type == "NEW CERTIFICATE REQUEST":
			return nil, errors.New("the certificate file is a signing request (CSR): give it to your CA and use the certificate that comes back")
		case strings.HasSuffix(b.Type, "PRIVATE KEY"):
			key = true
		}
	}
	switch {
	case len(list) > 0:
		return list, nil
	case key:
		return nil, errors.New("the certificate file holds a private key and no certificate: give the certificate first, then the key")
	}
	return nil, fmt.Errorf("the certificate file %s", noPEM(data, "CERTIFICATE", "openssl x509 -inform der -in FILE -out server.crt"))
}

// noPEM says what a file without a wanted PEM block is.
func noPEM(data []byte, block, convert string) string {
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return "is empty"
	case len(data) > 4 && data[0] == 0x30 && data[1]&0x80 != 0:
		return fmt.Sprintf("is binary (DER or PKCS #12), not PEM: convert it with %s (a .p12 or .pfx: openssl pkcs12 -nodes -in FILE)", convert)
	case bytes.Contains(data, []byte("BEGIN PKCS7")):
		return "is PKCS #7, not PEM certificates: convert it with openssl pkcs7 -print_certs -in FILE -out server.crt"
	}
	return fmt.Sprintf("has no PEM block: it should begin with -----BEGIN %s-----", block)
}

// readKey reads the only private key of a file.
func readKey(data []byte) (crypto.Signer, error) {
	var found *pem.Block
	certificates := false
	for b := range blocks(data) {
		switch {
		case strings.HasSuffix(b.Type, "CERTIFICATE"):
			certificates = true
		case !strings.HasSuffix(b.Type, "PRIVATE KEY"): // EC PARAMETERS and the like
		case found != nil:
			return nil, errors.New("the key file holds several private keys: leave only the certificate's own")
		default:
			found = b
		}
	}
	switch {
	case found == nil && certificates:
		return nil, errors.New("the key file holds a certificate and no private key: give the certificate first, then the key")
	case found == nil:
		return nil, fmt.Errorf("the key file %s", noPEM(data, "PRIVATE KEY", "openssl pkey -inform der -in FILE -out server.key"))
	case found.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(found.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, errors.New("the key is encrypted, and nobody could type its passphrase when nginx starts: decrypt it with openssl pkey -in FILE -out server.key")
	}
	return parseKey(found)
}

func parseKey(b *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch b.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(b.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	default:
		return nil, fmt.Errorf("the key file holds %q, which is no key for TLS: give an RSA or ECDSA key", b.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("the key cannot be read (%s): export it again", reason(err))
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, fmt.Errorf("the key is a %T, which TLS does not use: give an RSA or ECDSA key", key)
}

// EncodeKey returns a private key in PEM.
func EncodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot write the key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func encode(list []*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, c := range list {
		pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return out.Bytes()
}

// order finds the leaf, which is the certificate of the key, and the chain from it.
func order(given []*x509.Certificate, public crypto.PublicKey) (p Pair, notes []string, err error) {
	own := slices.IndexFunc(given, func(c *x509.Certificate) bool { return samePublic(c.PublicKey, public) })
	if own < 0 {
		return Pair{}, nil, fmt.Errorf("the key does not belong to the certificate of %s: give the key that its request was made with", subject(given[0]))
	}
	p.Leaf = given[own]
	rest := slices.DeleteFunc(slices.Clone(given), func(c *x509.Certificate) bool { return c.Equal(p.Leaf) })
	for at := p.Leaf; !selfSigned(at); {
		next := slices.IndexFunc(rest, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, at.RawIssuer) && at.CheckSignatureFrom(c) == nil
		})
		if next < 0 {
			break
		}
		at = rest[next]
		rest = slices.DeleteFunc(rest, func(c *x509.Certificate) bool { return c.Equal(at) })
		if !selfSigned(at) {
			p.Between = append(p.Between, at)
		}
	}
	// What was given, without roots, in the order in which it was given.
	wanted := slices.DeleteFunc(slices.Clone(given[1:]), selfSigned)
	if own != 0 || !slices.EqualFunc(wanted, p.Between, (*x509.Certificate).Equal) && inChain(wanted, p.Between) {
		notes = append(notes, "the certificates were in another order: put the one of the key first, then each one's issuer")
	}
	for _, c := range rest {
		if !selfSigned(c) {
			notes = append(notes, fmt.Sprintf("left out the certificate of %s, which is no part of the chain", subject(c)))
		}
	}
	return p, notes, nil
}

// inChain reports whether all of list are in the chain.
func inChain(list, chain []*x509.Certificate) bool {
	return !slices.ContainsFunc(list, func(c *x509.Certificate) bool { return !slices.ContainsFunc(chain, c.Equal) })
}

func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// selfSigned also holds for a root that is signed with what is not accepted any more.
func selfSigned(c *x509.Certificate) bool {
	if !bytes.Equal(c.RawSubject, c.RawIssuer) {
		return false
	}
	err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var old x509.InsecureAlgorithmError
	return err == nil || errors.As(err, &old)
}

// check refuses what a browser or OpenSSL refuses whatever it trusts. OpenSSL's limits
// are those of its security level 2, Debian's default (SSL_CTX_set_security_level(3)).
func (p Pair) check(now time.Time) error {
	c := p.Leaf
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("the certificate of %s expired on %s: get a new one", subject(c), day(c.NotAfter))
	case now.Before(c.NotBefore):
		return fmt.Errorf("the certificate of %s is valid from %s only, and this server's clock says %s: wait, or set the clock", subject(c), minute(c.NotBefore), minute(now))
	case len(Names(c)) == 0:
		return fmt.Errorf("the certificate of %s has no names in its subjectAltName, so no browser accepts it: make a new request with -addext subjectAltName=DNS:example.com", subject(c))
	case len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny):
		return fmt.Errorf("the certificate of %s is not for servers: its extended key usage lacks serverAuth", subject(c))
	}
	for _, c := range append([]*x509.Certificate{c}, p.Between...) {
		if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < 2048 {
			return fmt.Errorf("the key of %s has %d bits, and OpenSSL refuses RSA keys below 2048: make a new key and certificate", subject(c), k.N.BitLen())
		}
		switch c.SignatureAlgorithm {
		case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
			if !selfSigned(c) {
				return fmt.Errorf("the certificate of %s is signed with %s, which OpenSSL refuses: have it signed with SHA-256", subject(c), c.SignatureAlgorithm)
			}
		}
	}
	return nil
}

// Names are the DNS names and IP addresses of a certificate, in lower case.
func Names(c *x509.Certificate) []string {
	var names []string
	for _, n := range c.DNSNames {
		names = append(names, strings.ToLower(n))
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// Covers reports whether a certificate with these names is valid for a domain of an app,
// as RFC 9525 says: a wildcard stands for one label. A wildcard domain needs the same
// wildcard.
func Covers(names []string, domain string) bool {
	if slices.Contains(names, domain) {
		return true
	}
	_, parent, ok := strings.Cut(domain, ".")
	_, err := netip.ParseAddr(domain)
	return ok && err != nil && !strings.HasPrefix(domain, "*.") && slices.Contains(names, "*."+parent)
}

// Trusted reports whether the roots lead to the certificate at a time; nil roots are those
// of this server.
func (p Pair) Trusted(roots *x509.CertPool, now time.Time) bool {
	between := x509.NewCertPool()
	for _, c := range p.Between {
		between.AddCert(c)
	}
	_, err := p.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now})
	return err == nil
}

// SelfSigned reports whether the certificate is its own issuer.
func (p Pair) SelfSigned() bool { return selfSigned(p.Leaf) }

// subject names a certificate for a person.
func subject(c *x509.Certificate) string {
	switch names := Names(c); {
	case len(names) == 1:
		return names[0]
	case len(names) > 1:
		return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	}
	return c.Subject.String()
}

func day(t time.Time) string    { return t.UTC().Format(time.DateOnly) }
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// reason is an error of package x509 without its prefix.
func reason(err error) string {
	text := err.Error()
	for _, prefix := range []string{"x509: ", "asn1: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}

func ordinal(n int) string {
	switch n {
	case 1:
		return "first"
	case 2:
		return "second"
	case 3:
		return "third"
	}
	return fmt.Sprintf("%dth", n)
}
