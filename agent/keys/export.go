package keys

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// A namedKey is a line of an export.
type namedKey struct {
	name  string
	pub   ssh.PublicKey // nil: the rights wait for a key
	grant Grant
}

// rights begins the option of an export's line that has a grant. A server of a version without
// roles refuses a key with options, where it would make the key an admin's.
const rights = `dokku-rights="`

// Export returns the keys that Add added, one line each: a name, its rights unless it is
// an admin's, and a public key. What waits for a key has no key. A line that is damaged, or of
// a later version, is left out.
func Export(root string) ([]byte, error) {
	f, err := readKeys(root)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, l := range f.lines {
		if l.waiting != nil {
			fmt.Fprintf(&b, "%s %s%s\"\n", l.waiting.Name, rights, strings.Join(l.waiting.Grant.words(), " "))
		}
		if l.key == nil || l.key.Grant.Role == "" {
			continue
		}
		pub, _, _, _, err := ssh.ParseAuthorizedKey([]byte(l.text))
		if err != nil {
			return nil, fmt.Errorf("cannot read the key %s: %w", l.key.Name, err)
		}
		given := ""
		if words := l.key.Grant.words(); len(words) > 0 {
			given = rights + strings.Join(words, " ") + `" `
		}
		fmt.Fprintf(&b, "%s %s%s", l.key.Name, given, ssh.MarshalAuthorizedKey(pub))
	}
	return b.Bytes(), nil
}

// Check reports whether Import can read an export. It changes nothing.
func Check(export []byte) error {
	_, err := parseExport(export)
	return err
}

// Import adds the keys of an export with one rename, with their rights. It skips a key if the
// server has its name or public key already, so existing keys stay the same, with the rights
// that they have here. Unless all is set, it adds none: who restores over ssh may not be who
// decides whose keys this server has. notes has a line for each skipped key that differs.
func Import(root string, export []byte, all bool) (notes string, err error) {
	list, err := parseExport(export)
	if err != nil {
		return "", err
	}
	err = changeKeys(root, func(f *keyFile) error {
		notes = ""
		var left []string
		for _, k := range list {
			if !all && !f.has(k) {
				left = append(left, k.name)
				continue
			}
			added, why, err := f.add(root, k)
			if err != nil {
				return err
			}
			if !added && why != "" {
				notes += why + "\n"
			}
		}
		if len(left) > 0 {
			notes += fmt.Sprintf("Keys are not added over ssh: %s. On the server: restore there, or dokku ssh-keys:add NAME < KEY.pub\n", strings.Join(left, ", "))
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
		k := namedKey{name: name, grant: Grant{Role: Admin}}
		if given, rest, ok := cutRights(text); ok {
			k.grant, err = parseWords(strings.Fields(given))
			if err == nil && rest != "" {
				err = k.grant.Check()
			}
			if err != nil {
				return nil, fmt.Errorf("cannot add the key %s: %w", name, err)
			}
			if text = rest; text == "" {
				list = append(list, k)
				continue
			}
		}
		if k.pub, err = parseKey(text); err != nil {
			return nil, fmt.Errorf("cannot add the key %s: %w", name, err)
		}
		list = append(list, k)
	}
	return list, nil
}

// cutRights cuts the rights off the front of a line.
func cutRights(text string) (given, rest string, ok bool) {
	if text, ok = strings.CutPrefix(text, rights); !ok {
		return "", "", false
	}
	given, rest, ok = strings.Cut(text, `"`)
	return given, strings.TrimSpace(rest), ok
}

// has reports whether the server has the key, or another one of its name.
func (f *keyFile) has(k namedKey) bool {
	for _, l := range f.lines {
		if l.key != nil && l.key.Name == k.name || k.pub != nil && l.fingerprint == ssh.FingerprintSHA256(k.pub) {
			return true
		}
	}
	return false
}

// add adds a key, unless its name or its public key exists. why says which of the two
// exists; it is "" if the same key exists under the same name.
func (f *keyFile) add(root string, k namedKey) (added bool, why string, err error) {
	if k.pub == nil {
		waits := slices.ContainsFunc(f.lines, func(l keyLine) bool {
			return l.key != nil && l.key.Name == k.name || l.waiting != nil && l.waiting.Name == k.name
		})
		if waits {
			return false, "", nil
		}
		return true, "", f.wait(k.name, Grant{Apps: k.grant.Apps, Services: k.grant.Services})
	}
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
	if err := f.append(root, k.name, k.pub, k.grant); err != nil {
		return false, "", err
	}
	f.lines[len(f.lines)-1] = readKeyLine(f.lines[len(f.lines)-1].text)
	return true, "", nil
}
