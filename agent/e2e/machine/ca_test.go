package machine

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"dokku/agent/certs"
	"dokku/agent/certs/acme"
)

// thumbprint is that of the account's key at the fake CA.
const thumbprint = "0123456789012345678901234567890123456789012"

// A fakeCA issues certificates at once. It is the one thing of a machine that no fault of
// the machine changes.
type fakeCA struct {
	mu     sync.Mutex
	step   func(what string) error // called before each question
	life   time.Duration
	fails  map[string]acme.Problem // by name; "": every order
	window acme.Window
	orders []string // the names of each order that was made
	same   bool     // the same names get the same certificate again, of any machine's CA
	during func()   // called while an order is being made
}

func newFakeCA() *fakeCA {
	return &fakeCA{life: 90 * 24 * time.Hour, fails: map[string]acme.Problem{}}
}

// issued are the certificates of the CAs whose same is set, by their names.
var issued = struct {
	sync.Mutex
	pairs map[string]certs.Pair
}{pairs: map[string]certs.Pair{}}

func (c *fakeCA) at(what string) error {
	if c.step == nil {
		return nil
	}
	return c.step(what)
}

func (c *fakeCA) Thumbprint() (string, error) { return thumbprint, c.at("account") }

func (c *fakeCA) Terms(context.Context) (string, error) {
	return "https://ca.test/terms", c.at("terms")
}

func (c *fakeCA) Renewal(context.Context, certs.Pair) (acme.Window, error) {
	if err := c.at("renewal"); err != nil {
		return acme.Window{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.window.Start.IsZero() {
		return c.window, acme.ErrNoRenewalInfo
	}
	return c.window, nil
}

func (c *fakeCA) Revoke(_ context.Context, p certs.Pair) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders = append(c.orders, "revoke "+strings.Join(certs.Names(p.Leaf), " "))
	return nil
}

func (c *fakeCA) Obtain(_ context.Context, o acme.Order) (certs.Pair, []*acme.Problem, error) {
	if err := c.at("order"); err != nil {
		return certs.Pair{}, nil, err
	}
	if c.during != nil {
		c.during()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders = append(c.orders, strings.Join(o.Names, " "))
	if p, ok := c.fails[""]; ok {
		return certs.Pair{}, nil, &p
	}
	var problems []*acme.Problem
	good := slices.Clone(o.Names)
	for name, p := range c.fails {
		if slices.Contains(o.Names, name) {
			p.Name = name
			problems = append(problems, &p)
			good = slices.DeleteFunc(good, func(n string) bool { return n == name })
		}
	}
	if len(problems) > 0 && (o.Whole || len(good) == 0) {
		return certs.Pair{}, nil, problems[0]
	}
	if !c.same {
		p, err := issue(good, c.life)
		return p, problems, err
	}
	issued.Lock()
	defer issued.Unlock()
	key := strings.Join(good, " ")
	p, ok := issued.pairs[key]
	var err error
	if !ok {
		p, err = issue(good, c.life)
		issued.pairs[key] = p
	}
	return p, problems, err
}

// made returns the names of the orders since the last call.
func (c *fakeCA) made() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := strings.Join(c.orders, "; ")
	c.orders = nil
	return list
}

// issue makes a certificate that is not its own issuer.
func issue(names []string, life time.Duration) (certs.Pair, error) {
	root, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certs.Pair{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certs.Pair{}, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(life),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, &x509.Certificate{Subject: pkix.Name{CommonName: "Fake CA"}}, key.Public(), root)
	if err != nil {
		return certs.Pair{}, err
	}
	private, err := certs.EncodeKey(key)
	if err != nil {
		return certs.Pair{}, err
	}
	p, _, err := certs.Parse(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), private, time.Now())
	return p, err
}
