package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
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
	c := &app.Certificate{ID: hex.EncodeToString(hash.Sum(nil)[:8])}
	c.Describe(p, time.Now())
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
// ones. The proxy has copies of its own.
func (s *Store) SweepCertificates(name string, keep ...*app.Certificate) {
	entries, _ := os.ReadDir(s.TLS(name))
	for _, e := range entries {
		if !slices.ContainsFunc(keep, func(c *app.Certificate) bool { return c != nil && e.Name() == c.ID }) {
			s.Disk.RemoveAll(s.TLS(name, e.Name()))
		}
	}
}

// Orders returns how the orders of an app's certificates went; the zero value if there was
// none.
func (s *Store) Orders(name string) (app.Orders, error) {
	var o app.Orders
	err := ReadJSON(s.ordersFile(name), &o)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return o, err
}

// SaveOrders stores how the orders of an app's certificates went. The caller holds
// OrdersLock.
func (s *Store) SaveOrders(name string, o app.Orders) error {
	o.Version = app.Version
	return s.writeUnlocked(s.ordersFile(name), o)
}

func (s *Store) ordersFile(name string) string { return s.File(name, "letsencrypt.json") }

// OrdersDepend identifies the settings that Orders depends on, those of an app and of the
// server: it differs once one of them was replaced.
func (s *Store) OrdersDepend(name string) string {
	var id string
	for _, path := range []string{s.File(name, "state.json"), s.Own("server.json")} {
		if fi, err := os.Stat(path); err == nil {
			id += fmt.Sprint(fi.ModTime().UnixNano(), fi.Sys().(*syscall.Stat_t).Ino, " ")
		}
	}
	return id
}

// AccountsDir is the folder of the accounts at CAs, among the server's own files.
const AccountsDir = "acme"

// Accounts returns the path of AccountsDir.
func (s *Store) Accounts() string { return s.Own(AccountsDir) }

// account is the name of an account's folder. The program lego has others there, which it
// makes anew.
var account = regexp.MustCompile(`^[0-9a-f]+$`)

// AccountFolders returns the names of the accounts' folders in AccountsDir.
func (s *Store) AccountFolders() ([]string, error) {
	entries, err := os.ReadDir(s.Accounts())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if account.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, err
}
