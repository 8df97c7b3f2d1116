package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"dokku/agent/app"
	"dokku/agent/certs"
)

// The files of a certificate, as Dokku names them.
const (
	chainFile = "server.crt"
	keyFile   = "server.key"
)

// TLS returns a path in the folder of the certificates of an app; "": of the server.
func (s *Store) TLS(name string, elem ...string) string {
	elem = append([]string{app.TLSDir}, elem...)
	if name == "" {
		return s.Own(elem...)
	}
	return s.File(name, elem...)
}

// SaveCertificate stores a certificate of an app; "": of the server. It counts once a
// state or the settings name it. Its folder appears by one rename, synced.
func (s *Store) SaveCertificate(name string, p certs.Pair) (*app.Certificate, error) {
	hash := sha256.New()
	hash.Write(p.Chain)
	hash.Write(p.Key)
	c := &app.Certificate{ID: hex.EncodeToString(hash.Sum(nil)[:8]), Names: certs.Names(p.Leaf), NotAfter: p.Leaf.NotAfter.UTC(),
		Responder: p.Responder(nil, time.Now())}
	to := s.TLS(name, c.ID)
	if _, err := os.Stat(to); err == nil {
		return c, nil
	}
	if err := s.saveCertificate(to, p); err != nil {
		return nil, fmt.Errorf("cannot store the certificate: %w", err)
	}
	return c, nil
}

func (s *Store) saveCertificate(to string, p certs.Pair) error {
	if err := s.At("certificate"); err != nil {
		return err
	}
	if err := s.Disk.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return s.Disk.Folder(to, map[string][]byte{chainFile: p.Chain, keyFile: p.Key})
}

// Certificate reads a certificate of an app; "": of the server.
func (s *Store) Certificate(name string, c *app.Certificate) (certs.Pair, error) {
	return ReadCertificate(s.TLS(name, c.ID), c)
}

// ReadCertificate reads a certificate from its folder.
func ReadCertificate(dir string, c *app.Certificate) (certs.Pair, error) {
	if filepath.Base(dir) != c.ID {
		return certs.Pair{}, fmt.Errorf("invalid certificate %.80q", c.ID)
	}
	chain, err := os.ReadFile(filepath.Join(dir, chainFile))
	if err != nil {
		return certs.Pair{}, fmt.Errorf("cannot read the certificate: %w", err)
	}
	key, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return certs.Pair{}, fmt.Errorf("cannot read the certificate's key: %w", err)
	}
	// It may have expired since.
	at := c.NotAfter.Add(-time.Second)
	p, _, err := certs.Parse(chain, key, at)
	return p, err
}

// SweepCertificates removes the certificates of an app ("": of the server) but the given
// one, if any. The proxy has copies of its own.
func (s *Store) SweepCertificates(name string, keep *app.Certificate) {
	entries, _ := os.ReadDir(s.TLS(name))
	for _, e := range entries {
		if keep == nil || e.Name() != keep.ID {
			s.Disk.RemoveAll(s.TLS(name, e.Name()))
		}
	}
}
