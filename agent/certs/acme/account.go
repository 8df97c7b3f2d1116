package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"

	"dokku/agent/certs"
	"dokku/agent/disk"
)

// The files of an account.
const (
	accountKey  = "account.key"  // in PEM
	accountFile = "account.json" // an account
)

// lockLimit is how long another process may take to store a new key.
const lockLimit = 10 * time.Second

// account is what is known of an account beside its key.
type account struct {
	Directory string `json:"directory"`       // the CA's
	URL       string `json:"url,omitempty"`   // "": not registered
	Terms     string `json:"terms,omitempty"` // URL of the terms of service that were agreed to
	Email     string `json:"email,omitempty"` // as registered
	KeyID     string `json:"key_id,omitempty"`
	key       *ecdsa.PrivateKey
}

// folder is where the account's files are.
func (c *Client) folder(elem ...string) string {
	hash := sha256.Sum256([]byte(c.Directory))
	return filepath.Join(append([]string{c.Accounts, hex.EncodeToString(hash[:6])}, elem...)...)
}

// account reads the account, and makes its key if there is none. The key is on the disk
// before any CA hears of it: a kill in between loses nothing, because a CA finds an
// account by its key.
func (c *Client) account() (account, error) {
	a, err := c.readAccount()
	if errors.Is(err, fs.ErrNotExist) {
		a, err = c.makeAccount()
	}
	if err != nil {
		return account{}, problemf(TypeSetup, "cannot read the account at the CA: %v: restore %s from a backup, or remove it to register anew", err, c.folder())
	}
	return a, nil
}

func (c *Client) readAccount() (account, error) {
	if _, err := os.Stat(c.folder()); err != nil {
		return account{}, err
	}
	// From here on nothing may be missing: another key would be another account.
	a := account{}
	data, err := os.ReadFile(c.folder(accountFile))
	if err != nil {
		return account{}, errors.New(err.Error())
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return account{}, fmt.Errorf("%s: %w", c.folder(accountFile), err)
	}
	if a.Directory != c.Directory {
		return account{}, fmt.Errorf("%s is of %q, not of %q", c.folder(accountFile), a.Directory, c.Directory)
	}
	if data, err = os.ReadFile(c.folder(accountKey)); err != nil {
		return account{}, errors.New(err.Error())
	}
	a.key, err = parseAccountKey(data)
	if err != nil {
		return account{}, fmt.Errorf("%s: %w", c.folder(accountKey), err)
	}
	return a, nil
}

func parseAccountKey(data []byte) (*ecdsa.PrivateKey, error) {
	b, _ := pem.Decode(data)
	if b == nil {
		return nil, errors.New("it has no PEM block")
	}
	key, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil, err
	}
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok || k.Curve != elliptic.P256() {
		return nil, errors.New("it is no ECDSA key on P-256")
	}
	return k, nil
}

// makeAccount stores a new key, unless another process is faster. The folder appears by
// one rename.
func (c *Client) makeAccount() (account, error) {
	if err := c.Disk.MkdirAll(c.Accounts, 0o700); err != nil {
		return account{}, err
	}
	lock, err := os.Open(c.Accounts)
	if err != nil {
		return account{}, err
	}
	defer lock.Close()
	ctx, cancel := context.WithTimeout(context.Background(), lockLimit)
	defer cancel()
	if err := disk.WaitLock(ctx, lock, disk.Exclusive); err != nil {
		return account{}, fmt.Errorf("%s is locked: %w", c.Accounts, err)
	}
	if a, err := c.readAccount(); !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return account{}, err
	}
	text, err := certs.EncodeKey(key)
	if err != nil {
		return account{}, err
	}
	a := account{Directory: c.Directory, key: key}
	data, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return account{}, err
	}
	return a, c.Disk.Folder(c.folder(), map[string][]byte{accountKey: text, accountFile: data})
}

// save stores all of an account but its key.
func (c *Client) save(a account) error {
	data, err := json.MarshalIndent(a, "", "  ")
	if err == nil {
		err = c.Disk.Replace(c.folder(accountFile), data, 0o600)
	}
	if err != nil {
		return problemf(TypeSetup, "cannot store the account at the CA: %v", err)
	}
	return nil
}

// Thumbprint implements CA.
func (c *Client) Thumbprint() (string, error) {
	a, err := c.account()
	if err != nil {
		return "", err
	}
	sum, err := (&jose.JSONWebKey{Key: a.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", problemf(TypeSetup, "cannot hash the account's key: %v", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
