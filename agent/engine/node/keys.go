package node

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"dokku/agent/certs"
	"dokku/agent/disk"
)

// Names in the certificates. A name says what its holder may do, see doc.go.
const (
	Name    = "node.dokku"    // the node service, for all nodes
	Door    = "door.dokku"    // proxies: they reach the processes
	Manager = "manager.dokku" // the server that deploys: it reaches the engines, too
)

// Files of a pair. Door's are also those that a proxy.Certificate has.
const (
	chainFile = "server.crt"
	keyFile   = "server.key"
)

// Keys are the certificates by which a server and the nodes of its swarm know each other.
type Keys struct {
	Dir  string
	Disk disk.Disk
}

// Set is what Keys has. The chains of all but the authority end with those of the authorities
// that their holders trust: one, and two while the certificates are changed, see Stage.
type Set struct {
	Authority, Node, Door, Manager certs.Pair
	// DoorDir is the folder of the pair that proxies have.
	DoorDir string
}

// roles are the pairs of a Set by their names, and the folders that they are in.
func (s *Set) roles() map[string]*certs.Pair {
	return map[string]*certs.Pair{Name: &s.Node, Door: &s.Door, Manager: &s.Manager}
}

// Load reads the keys; fs.ErrNotExist if there are none yet.
func (k Keys) Load() (s Set, err error) {
	// Between the two reads, another process may have changed the set and removed this one.
	for try := 0; ; try++ {
		p, err := k.pointer()
		if err == nil {
			s, err = readSet(filepath.Join(k.Dir, p.Set))
		}
		if errors.Is(err, fs.ErrNotExist) && p.Set != "" && try < 3 {
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("cannot read the keys of the nodes in %s: %w", k.Dir, err)
		}
		return s, err
	}
}

// Files are the files of a set, by their paths in its folder.
func (s *Set) Files() map[string][]byte {
	files := map[string][]byte{}
	add := func(name string, p certs.Pair) {
		files[filepath.Join(name, chainFile)], files[filepath.Join(name, keyFile)] = p.Chain, p.Key
	}
	add(authority, s.Authority)
	for name, pair := range s.roles() {
		add(name, *pair)
	}
	return files
}

// ReadSet reads the set in a folder that another server may have written; fs.ErrNotExist if
// there is none. All pairs are of the authority, and for what their names say.
func ReadSet(dir string) (Set, error) {
	s, err := readSet(dir)
	if err != nil {
		return s, err
	}
	for name, p := range s.roles() {
		_, trusted, err := parts(p.Chain, p.Key)
		use := x509.ExtKeyUsageClientAuth
		if name == Name {
			use = x509.ExtKeyUsageServerAuth
		}
		if err == nil {
			_, err = p.Leaf.Verify(x509.VerifyOptions{Roots: trusted, DNSName: name, KeyUsages: []x509.ExtKeyUsage{use}, CurrentTime: p.Leaf.NotBefore})
		}
		if err != nil {
			return s, fmt.Errorf("the certificate of %s: %w", name, err)
		}
	}
	return s, nil
}

// readSet reads the set in a folder.
func readSet(dir string) (s Set, err error) {
	read := func(name string) ([]byte, []byte, error) {
		chain, err := os.ReadFile(filepath.Join(dir, name, chainFile))
		if err != nil {
			return nil, nil, err
		}
		key, err := os.ReadFile(filepath.Join(dir, name, keyFile))
		return chain, key, err
	}
	chain, key, err := read(authority)
	if err == nil {
		if s.Authority, err = certs.ReadAuthority(chain, key); err != nil {
			err = fmt.Errorf("%s: %w", authority, err)
		}
	}
	for name, p := range s.roles() {
		if err == nil {
			if chain, key, err = read(name); err == nil {
				if *p, err = pairOf(chain, key); err != nil {
					err = fmt.Errorf("%s: %w", name, err)
				}
			}
		}
	}
	s.DoorDir = filepath.Join(dir, Door)
	return s, err
}

// authority is the folder of the authority.
const authority = "authority"

// Make is Load, but makes the keys that are missing. If two processes make them at the same
// time, both get the same ones.
func (k Keys) Make(ctx context.Context, now time.Time) (Set, error) {
	s, err := k.Load()
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	s, err = k.make(ctx, now)
	if err != nil {
		return s, fmt.Errorf("cannot make the keys of the nodes: %w", err)
	}
	return s, nil
}

func (k Keys) make(ctx context.Context, now time.Time) (Set, error) {
	if err := k.Disk.MkdirAll(k.Dir, 0o700); err != nil {
		return Set{}, err
	}
	lock, err := disk.OpenLock(filepath.Join(k.Dir, ".lock"), 0o600)
	if err != nil {
		return Set{}, err
	}
	defer lock.Close()
	if err := disk.WaitLock(ctx, lock, disk.Exclusive); err != nil {
		return Set{}, err
	}
	if s, err := k.Load(); !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	made, err := newSet(now)
	if err != nil {
		return Set{}, err
	}
	// The authority comes last: without it, there are no keys.
	for _, name := range []string{Name, Door, Manager} {
		p := made.roles()[name]
		if err := k.put(name, p.Chain, p.Key); err != nil {
			return Set{}, err
		}
	}
	if err := k.put(authority, made.Authority.Chain, made.Authority.Key); err != nil {
		return Set{}, err
	}
	return k.Load()
}

// newSet makes an authority and the certificates that it issues.
func newSet(now time.Time) (s Set, err error) {
	if s.Authority, err = certs.NewAuthority("dokku nodes", now); err != nil {
		return s, err
	}
	for name, p := range s.roles() {
		issue := s.Authority.IssueClient
		if name == Name {
			issue = s.Authority.Issue
		}
		if *p, err = issue([]string{name}, now); err != nil {
			return s, err
		}
		*p = trusting(*p, s.Authority)
	}
	return s, nil
}

// trusting returns a pair whose holder trusts another authority, too.
func trusting(p, ca certs.Pair) certs.Pair {
	p.Chain = slices.Concat(p.Chain, ca.Chain)
	return p
}

// put writes a pair. One that a killed process has left is of another authority.
func (k Keys) put(name string, chain, key []byte) error {
	dir := filepath.Join(k.Dir, name)
	if err := k.Disk.RemoveAll(dir); err != nil {
		return err
	}
	return k.Disk.Folder(dir, map[string][]byte{chainFile: chain, keyFile: key})
}

func pairOf(chain, key []byte) (certs.Pair, error) {
	c, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return certs.Pair{}, err
	}
	return certs.Pair{Chain: chain, Key: key, Leaf: c.Leaf}, nil
}

// ID identifies a pair, in hexadecimal: by its certificate, and by the authorities that its
// holder trusts beside the first one, which has signed it or was signed with it.
func ID(p certs.Pair) string {
	h := sha256.New()
	var ders [][]byte
	for block, rest := pem.Decode(p.Chain); block != nil; block, rest = pem.Decode(rest) {
		ders = append(ders, block.Bytes)
	}
	for n, der := range ders {
		if n != 1 {
			h.Write(der)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// parts splits a pair into what TLS needs.
func parts(chain, key []byte) (tls.Certificate, *x509.CertPool, error) {
	own, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return own, nil, err
	}
	trusted := x509.NewCertPool()
	for _, der := range own.Certificate[1:] {
		ca, err := x509.ParseCertificate(der)
		if err != nil {
			return own, nil, err
		}
		trusted.AddCert(ca)
	}
	own.Certificate = own.Certificate[:1]
	return own, trusted, nil
}

// ClientConfig returns how a client with a pair speaks to nodes.
func ClientConfig(p certs.Pair) (*tls.Config, error) {
	own, trusted, err := parts(p.Chain, p.Key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, RootCAs: trusted, ServerName: Name}, nil
}

// serverConfig returns how a node speaks to clients that have one of the names.
func serverConfig(bundle []byte, names ...string) (*tls.Config, error) {
	own, trusted, err := parts(bundle, bundle)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted,
		VerifyConnection: func(s tls.ConnectionState) error {
			for _, name := range names {
				if slices.Contains(s.PeerCertificates[0].DNSNames, name) {
					return nil
				}
			}
			return fmt.Errorf("the certificate is of %q, and not of %q", s.PeerCertificates[0].DNSNames, names)
		},
	}, nil
}

// Bundle is the node's pair in one text: what a node gets as a secret.
func (s Set) Bundle() []byte { return slices.Concat(s.Node.Chain, s.Node.Key) }

// Expires is when the first of the certificates ends that are in a bundle.
func Expires(bundle []byte) (first time.Time) {
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && (first.IsZero() || c.NotAfter.Before(first)) {
			first = c.NotAfter
		}
	}
	return first
}
