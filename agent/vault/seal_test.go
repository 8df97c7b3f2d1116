package vault

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"
)

// sshKey returns a key pair of ssh in the forms of ssh-keygen.
func sshKey(t *testing.T) (public string, private []byte) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	p, err := ssh.NewPublicKey(pub)
	check(t, err)
	block, err := ssh.MarshalPrivateKey(priv, "")
	check(t, err)
	return string(ssh.MarshalAuthorizedKey(p)), pem.EncodeToMemory(block)
}

// TestSeal: what is encrypted is decrypted by its own key alone.
func TestSeal(t *testing.T) {
	defer func(old int) { workFactor = old }(workFactor)
	workFactor = 10
	one, err := age.GenerateX25519Identity()
	check(t, err)
	two, err := age.GenerateX25519Identity()
	check(t, err)
	public, private := sshKey(t)
	text := strings.Repeat("secret ", 100_000)
	for name, c := range map[string]struct {
		plan       Plan
		passphrase string
		identity   string
		want       string // an error
	}{
		"age":              {plan: Plan{Keys: []string{one.Recipient().String()}}, identity: one.String()},
		"either of two":    {plan: Plan{Keys: []string{one.Recipient().String(), two.Recipient().String()}}, identity: "# mine\n" + two.String() + "\n"},
		"ssh":              {plan: Plan{Keys: []string{public}}, identity: string(private)},
		"passphrase":       {plan: Plan{Passphrase: "correct horse"}, passphrase: "correct horse"},
		"another key":      {plan: Plan{Keys: []string{one.Recipient().String()}}, identity: two.String(), want: "was encrypted to another key"},
		"wrong passphrase": {plan: Plan{Passphrase: "correct horse"}, passphrase: "battery", want: "with another passphrase"},
		"no key":           {plan: Plan{Keys: []string{public}}, want: "name the file with the secret key"},
	} {
		var b bytes.Buffer
		w, err := c.plan.seal(&b)
		check(t, err)
		_, err = io.WriteString(w, text)
		check(t, err)
		check(t, w.Close())
		if !c.plan.Encrypts() || bytes.Contains(b.Bytes(), []byte("secret secret")) {
			t.Errorf("%s: it is not encrypted", name)
		}
		r, err := Unseal(&b, c.passphrase, []byte(c.identity))
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got the error %v", name, err)
			}
			continue
		}
		check(t, err)
		if got, err := io.ReadAll(r); err != nil || string(got) != text {
			t.Errorf("%s: got %d bytes, %v", name, len(got), err)
		}
	}
}

// TestCheckKey: a secret key given by mistake is refused, and not repeated in the error.
func TestCheckKey(t *testing.T) {
	one, err := age.GenerateX25519Identity()
	check(t, err)
	_, private := sshKey(t)
	for key, want := range map[string]string{
		one.String():                        "this is the secret key of age",
		string(private):                     "this is a private key",
		"age1nonsense":                      "is not a public key of age",
		"x":                                 "is no public key of age (age1...), nor of ssh",
		"":                                  "is no public key",
		one.Recipient().String() + "\nage1": "is not a public key",
	} {
		err := CheckKey(key)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "AGE-SECRET-KEY-1") {
			t.Errorf("%.30q: %v", key, err)
		}
	}
	check(t, CheckKey(one.Recipient().String()))
}
