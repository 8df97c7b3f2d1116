package vault

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
)

// Sealed ends the name of an encrypted backup.
const Sealed = ".age"

// workFactor is the logarithm of the work that a guess of a passphrase costs: a second, in 2023.
var workFactor = 18

// CheckKey returns an error unless key is a public key to which backups can be encrypted: of
// age (age1...) or of ssh (ssh-ed25519, ssh-rsa).
func CheckKey(key string) error {
	_, err := recipient(key)
	return err
}

func recipient(key string) (age.Recipient, error) {
	key = strings.TrimSpace(key)
	switch {
	case strings.HasPrefix(key, "AGE-SECRET-KEY-"):
		return nil, errors.New("this is the secret key of age: keep it elsewhere, and give the public one here, which begins with age1 (age-keygen -y FILE prints it)")
	case strings.Contains(key, "PRIVATE KEY"):
		return nil, errors.New("this is a private key: keep it elsewhere, and give the public one here")
	case strings.HasPrefix(key, "age1"):
		r, err := age.ParseX25519Recipient(key)
		if err != nil {
			return nil, fmt.Errorf("%.80q is not a public key of age: %w", key, err)
		}
		return r, nil
	}
	r, err := agessh.ParseRecipient(key)
	if err != nil {
		return nil, fmt.Errorf("%.40q is no public key of age (age1...), nor of ssh (ssh-ed25519 or ssh-rsa)", key)
	}
	return r, nil
}

// Encrypts reports whether the plan's backups are encrypted.
func (p Plan) Encrypts() bool { return len(p.Keys) > 0 || p.Passphrase != "" }

// seal returns a writer that encrypts to w. Closing it completes the file, and leaves w open.
func (p Plan) seal(w io.Writer) (io.WriteCloser, error) {
	if !p.Encrypts() {
		return unsealed{w}, nil
	}
	if p.Passphrase != "" {
		r, err := age.NewScryptRecipient(p.Passphrase)
		if err != nil {
			return nil, err
		}
		r.SetWorkFactor(workFactor)
		return age.Encrypt(w, r)
	}
	var all []age.Recipient
	for _, key := range p.Keys {
		r, err := recipient(key)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return age.Encrypt(w, all...)
}

type unsealed struct{ io.Writer }

func (unsealed) Close() error { return nil }

// Unseal decrypts a backup. identities are the lines of a file of age's, or a private key of
// ssh without a passphrase; with a passphrase it is not needed.
func Unseal(r io.Reader, passphrase string, identities []byte) (io.Reader, error) {
	var all []age.Identity
	if passphrase != "" {
		i, err := age.NewScryptIdentity(passphrase)
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	if text := string(identities); strings.Contains(text, "PRIVATE KEY") {
		i, err := agessh.ParseIdentity(identities)
		if err != nil {
			return nil, fmt.Errorf("cannot read the private key: %w", err)
		}
		all = append(all, i)
	} else if strings.TrimSpace(text) != "" {
		list, err := age.ParseIdentities(strings.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("cannot read the secret key of age: %w", err)
		}
		all = append(all, list...)
	}
	if len(all) == 0 {
		return nil, errors.New("the backup is encrypted: name the file with the secret key that belongs to its public key")
	}
	out, err := age.Decrypt(r, all...)
	if errors.As(err, new(*age.NoIdentityMatchError)) {
		err = errors.New("the backup was encrypted to another key than this, or with another passphrase")
	}
	return out, err
}
