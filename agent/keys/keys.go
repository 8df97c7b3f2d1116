package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"dokku/agent/disk"
)

// A Key is an SSH key that may push and run dokku commands.
type Key struct {
	Name        string
	Fingerprint string // SHA256:...
	Options     string // what sshd lets it do, e.g. "restrict,pty"
	Grant       Grant  // with the role "" where the line's is damaged or of a later version
}

// String returns the key as ssh-keys:list prints it: as Dokku, and then what differs from a key
// that may do everything.
func (k Key) String() string {
	return fmt.Sprintf("%s NAME=%q SSHCOMMAND_ALLOWED_KEYS=%q%s", k.Fingerprint, k.Name, k.Options, k.Grant)
}

// keyOptions forbid forwarding and the server's ~/.ssh/rc, which deploys do not
// need. Commands such as enter and run need the terminal.
const keyOptions = "restrict,pty"

// keyName matches valid names of keys. A name becomes a word of a command line.
var keyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$`)

// ValidName reports whether a key may be called name.
func ValidName(name string) bool { return keyName.MatchString(name) }

var (
	// ownLine recognizes the command of a line that Add wrote.
	ownLine = regexp.MustCompile(`^command="(?:FINGERPRINT=\S+ NAME=\S+ )?DOKKU_ROOT=.* shell ([A-Za-z0-9][A-Za-z0-9._@+-]*)((?: --[a-z-]+(?:=[^\s"\\]+)?)*)"$`)
	// waitingLine recognizes the comment that holds what a key that is not there yet will get.
	waitingLine = regexp.MustCompile(`^# dokku: ([A-Za-z0-9][A-Za-z0-9._@+-]*)((?: --[a-z-]+=[^\s"\\]+)+)$`)
)

// keyFile is the parsed authorized_keys: our lines, and those of an administrator.
type keyFile struct {
	path  string
	lines []keyLine
}

type keyLine struct {
	text        string
	fingerprint string // "" where the line holds no key
	key         *Key   // nil where the line is not ours
	waiting     *Key   // what a key of this name will get, without a key
}

// The words of Dokku's sshcommand, for which clients look.
const (
	duplicate  = "Duplicate ssh key name"
	invalidKey = "Key specified in is not a valid ssh public key"
)

// maxLine is the longest line of authorized_keys that every sshd reads, in bytes.
const maxLine = 8000

// Add adds a public key under the name, with a grant, and with what acl:add has granted to
// the name before. It fails if the name or the key exists already.
func Add(root, name, key string, g Grant) error {
	if !ValidName(name) {
		return fmt.Errorf("cannot add a key named %q: a name holds letters, digits and . _ @ + -, 64 at most, and begins with a letter or a digit", name)
	}
	pub, err := parseKey(key)
	if err != nil {
		return fmt.Errorf("%s: cannot add the key %s: %w", invalidKey, name, err)
	}
	if err := g.Check(); err != nil {
		return fmt.Errorf("cannot add the key %s: %w", name, err)
	}
	return changeKeys(root, func(f *keyFile) error {
		fingerprint := ssh.FingerprintSHA256(pub)
		for i, l := range f.lines {
			if l.key != nil && l.key.Name == name {
				return fmt.Errorf("%s: a key named %s exists; dokku ssh-keys:remove %[2]s removes it", duplicate, name)
			}
			if l.fingerprint == fingerprint {
				return fmt.Errorf("cannot add the key %s: %s line %d has the same key (%s)", name, f.path, i+1, fingerprint)
			}
		}
		return f.append(root, name, pub, g)
	})
}

// append adds the line of a key.
func (f *keyFile) append(root, name string, pub ssh.PublicKey, g Grant) error {
	f.lines = slices.DeleteFunc(f.lines, func(l keyLine) bool {
		if l.waiting == nil || l.waiting.Name != name {
			return false
		}
		g.Apps, g.Services = append(g.Apps, l.waiting.Grant.Apps...), append(g.Services, l.waiting.Grant.Services...)
		return true
	})
	text, err := keyText(root, name, pub, g)
	f.lines = append(f.lines, keyLine{text: text})
	return err
}

// keyText returns a key's line of authorized_keys.
func keyText(root, name string, pub ssh.PublicKey, g Grant) (string, error) {
	command, err := commandOption(root, name, ssh.FingerprintSHA256(pub), g)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%s,%s %s %s", command, keyOptions, bytes.TrimSpace(ssh.MarshalAuthorizedKey(pub)), name)
	if len(text) > maxLine {
		return "", fmt.Errorf("cannot store the rights of the key %s: its line of authorized_keys would have %d bytes, and sshd reads %d: name fewer apps", name, len(text), maxLine)
	}
	return text, nil
}

// List returns the keys that Add added, in their order.
func List(root string) ([]Key, error) {
	f, err := readKeys(root)
	if err != nil {
		return nil, err
	}
	var keys []Key
	for _, l := range f.lines {
		if l.key != nil {
			keys = append(keys, *l.key)
		}
	}
	return keys, nil
}

// Deployed returns the apps that deployers' keys are for.
func Deployed(root string) (map[string]bool, error) {
	all, err := List(root)
	apps := map[string]bool{}
	for _, k := range all {
		if k.Grant.Role == Deployer {
			for _, a := range k.Grant.Apps {
				apps[a] = true
			}
		}
	}
	return apps, err
}

// ErrNoKey is the error of Remove for a key that is not there.
var ErrNoKey = errors.New("there is no such key: dokku ssh-keys:list shows all")

// Remove removes the key with that name or fingerprint. Open connections stay open.
func Remove(root, name string) error {
	return changeKeys(root, func(f *keyFile) error {
		for i, l := range f.lines {
			if l.key != nil && (l.key.Name == name || l.key.Fingerprint == name) {
				f.lines = append(f.lines[:i], f.lines[i+1:]...)
				f.forget(l.key.Name)
				return nil
			}
		}
		return fmt.Errorf("cannot remove the key %q: %w", name, ErrNoKey)
	})
}

// parseKey reads one public key as ssh-keygen writes it.
func parseKey(text string) (ssh.PublicKey, error) {
	pub, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	switch {
	case strings.Contains(text, "PRIVATE KEY"):
		return nil, fmt.Errorf("this is a private key: give the file that ends in .pub")
	case err != nil:
		return nil, fmt.Errorf("it is not an OpenSSH public key: give the file that ends in .pub")
	case len(options) > 0:
		return nil, fmt.Errorf("it begins with options (%s): give the key alone", strings.Join(options, ","))
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fmt.Errorf("too many keys: give one")
	case pub.Type() == "ssh-dss":
		return nil, fmt.Errorf("sshd does not accept DSA keys: make one with ssh-keygen -t ed25519")
	case strings.Contains(pub.Type(), "-cert-"):
		return nil, fmt.Errorf("it is a certificate: give the key alone")
	}
	return pub, nil
}

// commandOption returns the option of authorized_keys that makes sshd run this program
// for the key called name. It begins with the fingerprint and the name, as the lines of
// Dokku's sshcommand do, for programs that look there. The grant follows the name.
func commandOption(root, name, fingerprint string, g Grant) (string, error) {
	binary, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot find this program's own file: %w", err)
	}
	command, err := ForcedCommand(root, binary)
	if err != nil {
		return "", err
	}
	command = fmt.Sprintf("FINGERPRINT=%s NAME=%q %s%s", fingerprint, name, command, strings.Join(append([]string{name}, g.words()...), " "))
	return `command="` + strings.ReplaceAll(command, `"`, `\"`) + `"`, nil
}

func readKeys(root string) (*keyFile, error) {
	f := &keyFile{path: filepath.Join(root, ".ssh", "authorized_keys")}
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the ssh keys: %w", err)
	}
	for text := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n"), "\n") {
		f.lines = append(f.lines, readKeyLine(text))
	}
	return f, nil
}

func readKeyLine(text string) keyLine {
	l := keyLine{text: text}
	if m := waitingLine.FindStringSubmatch(text); m != nil {
		if g, err := parseWords(strings.Fields(m[2])); err == nil {
			l.waiting = &Key{Name: m[1], Grant: g}
		}
		return l
	}
	pub, _, options, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return l
	}
	l.fingerprint = ssh.FingerprintSHA256(pub)
	if len(options) == 0 {
		return l
	}
	if m := ownLine.FindStringSubmatch(options[0]); m != nil {
		l.key = &Key{Name: m[1], Fingerprint: l.fingerprint, Options: strings.Join(options[1:], ",")}
		if g, err := ParseGrant(strings.Fields(m[2])); err == nil {
			l.key.Grant = g
		}
	}
	return l
}

// changeKeys replaces authorized_keys with one rename, so that sshd reads the old or
// the new file and a crash loses no key. Lines that are not ours stay the same.
func changeKeys(root string, change func(*keyFile) error) error {
	dir := filepath.Join(root, ".ssh")
	if err := asOwner(root); err != nil {
		return fmt.Errorf("cannot change the ssh keys: %w", err)
	}
	if err := (disk.Disk{}).MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot change the ssh keys: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot change the ssh keys: %w", err)
	}
	defer d.Close()
	if err := disk.WaitLock(context.Background(), d, disk.Exclusive); err != nil {
		return fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	f, err := readKeys(root)
	if err != nil {
		return err
	}
	if err := change(f); err != nil {
		return err
	}
	var b strings.Builder
	for _, l := range f.lines {
		b.WriteString(l.text + "\n")
	}
	if err := (disk.Disk{}).Replace(f.path, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("cannot change the ssh keys: %w", err)
	}
	return d.Sync()
}

// asOwner refuses any user but the owner of root. Where root changed the file, the owner's links
// would lead it to any folder of the host.
func asOwner(root string) error {
	var st unix.Stat_t
	if err := unix.Stat(root, &st); err != nil {
		return err
	}
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("only the owner of %s (user %d) changes them, not user %d", root, st.Uid, os.Geteuid())
	}
	return nil
}
