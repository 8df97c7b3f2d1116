package keys

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxKeys bounds what is imported, in bytes.
const maxKeys = 16 << 20

// A namedKey is a line of an export.
type namedKey struct {
	name string
	pub  ssh.PublicKey
}

// exportKeys prints the keys that Add added.
func exportKeys(root string, w io.Writer) error {
	f, err := readKeys(root)
	if err != nil {
		return err
	}
	for _, l := range f.lines {
		if l.key == nil {
			continue
		}
		pub, _, _, _, err := ssh.ParseAuthorizedKey([]byte(l.text))
		if err != nil {
			return fmt.Errorf("cannot read the key %s: %w", l.key.Name, err)
		}
		if _, err := fmt.Fprintf(w, "%s %s", l.key.Name, ssh.MarshalAuthorizedKey(pub)); err != nil {
			return err
		}
	}
	return nil
}

// importKeys adds the keys of an export in one rename, but for those whose name or
// key is there: what a server lets in is not changed. With check nothing is added.
func importKeys(root string, check bool, r io.Reader, w io.Writer) error {
	keys, err := parseExport(r)
	if err != nil || check {
		return err
	}
	var kept []string
	err = changeKeys(root, func(f *keyFile) error {
		kept = nil
		for _, k := range keys {
			added, why, err := f.adds(root, k)
			if err != nil {
				return err
			}
			if !added && why != "" {
				kept = append(kept, why)
			}
		}
		return nil
	})
	for _, why := range kept {
		fmt.Fprintln(w, why)
	}
	return err
}

// parseExport reads all of an export, or none of it.
func parseExport(r io.Reader) (keys []namedKey, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxKeys))
	if err != nil {
		return nil, fmt.Errorf("cannot read the ssh keys: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !ValidName(name) {
			return nil, fmt.Errorf("cannot add a key named %q", name)
		}
		pub, err := parseKey(text)
		if err != nil {
			return nil, fmt.Errorf("cannot add the key %s: %w", name, err)
		}
		keys = append(keys, namedKey{name, pub})
	}
	return keys, nil
}

// adds adds a key, unless its name or the key itself is there; why says which, of a
// key that is not there already as it is.
func (f *keyFile) adds(root string, k namedKey) (added bool, why string, err error) {
	fingerprint := ssh.FingerprintSHA256(k.pub)
	for i, l := range f.lines {
		same, named := l.fingerprint == fingerprint, l.key != nil && l.key.Name == k.name
		switch {
		case same && named:
			return false, "", nil
		case same:
			return false, fmt.Sprintf("The key %s is not added: %s line %d has the same key (%s)", k.name, f.path, i+1, fingerprint), nil
		case named:
			return false, fmt.Sprintf("The key %s is not added: another key of this name exists (ssh-keys:remove %[1]s removes it)", k.name), nil
		}
	}
	command, err := commandOption(root, k.name)
	if err != nil {
		return false, "", err
	}
	text := keyText(command, k.name, k.pub)
	f.lines = append(f.lines, readKeyLine(text))
	return true, "", nil
}
