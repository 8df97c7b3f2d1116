package keys

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// A namedKey is a line of an export.
type namedKey struct {
	name string
	pub  ssh.PublicKey
}

// Export returns the keys that Add added, one line each: a name and a public key.
func Export(root string) ([]byte, error) {
	f, err := readKeys(root)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, l := range f.lines {
		if l.key == nil {
			continue
		}
		pub, _, _, _, err := ssh.ParseAuthorizedKey([]byte(l.text))
		if err != nil {
			return nil, fmt.Errorf("cannot read the key %s: %w", l.key.Name, err)
		}
		fmt.Fprintf(&b, "%s %s", l.key.Name, ssh.MarshalAuthorizedKey(pub))
	}
	return b.Bytes(), nil
}

// Check reports whether Import can read an export. It changes nothing.
func Check(export []byte) error {
	_, err := parseExport(export)
	return err
}

// Import adds the keys of an export with one rename. It skips a key if the server has
// its name or public key already, so existing keys stay the same. notes has a line for
// each skipped key that differs.
func Import(root string, export []byte) (notes string, err error) {
	list, err := parseExport(export)
	if err != nil {
		return "", err
	}
	err = changeKeys(root, func(f *keyFile) error {
		notes = ""
		for _, k := range list {
			added, why, err := f.add(root, k)
			if err != nil {
				return err
			}
			if !added && why != "" {
				notes += why + "\n"
			}
		}
		return nil
	})
	return notes, err
}

// parseExport reads all of an export, or none of it.
func parseExport(export []byte) (list []namedKey, err error) {
	for line := range bytes.Lines(export) {
		name, text, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if !ValidName(name) {
			return nil, fmt.Errorf("cannot add a key named %q", name)
		}
		pub, err := parseKey(text)
		if err != nil {
			return nil, fmt.Errorf("cannot add the key %s: %w", name, err)
		}
		list = append(list, namedKey{name, pub})
	}
	return list, nil
}

// add adds a key, unless its name or its public key exists. why says which of the two
// exists; it is "" if the same key exists under the same name.
func (f *keyFile) add(root string, k namedKey) (added bool, why string, err error) {
	fingerprint := ssh.FingerprintSHA256(k.pub)
	for i, l := range f.lines {
		same, named := l.fingerprint == fingerprint, l.key != nil && l.key.Name == k.name
		switch {
		case same && named:
			return false, "", nil
		case same:
			return false, fmt.Sprintf("The key %s is not added: %s line %d has the same key (%s)", k.name, f.path, i+1, fingerprint), nil
		case named:
			return false, fmt.Sprintf("The key %s is not added: another key of this name exists (dokku ssh-keys:remove %[1]s removes it)", k.name), nil
		}
	}
	command, err := commandOption(root, k.name, fingerprint)
	if err != nil {
		return false, "", err
	}
	text := keyText(command, k.name, k.pub)
	f.lines = append(f.lines, readKeyLine(text))
	return true, "", nil
}
