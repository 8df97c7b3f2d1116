package sources

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jdx/go-netrc"
	"golang.org/x/crypto/ssh"

	"dokku/agent/event"
	"dokku/agent/remote"
	"dokku/agent/store"
)

// scanTime bounds the question for a host's keys.
const scanTime = 30 * time.Second

// hostName is the name or the address of a git server.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$`)

func checkHost(host string) error {
	if len(host) > 253 || !hostName.MatchString(host) {
		return fmt.Errorf("cannot use %q as a git server: give its host name, such as github.com", event.OneLine(host))
	}
	return nil
}

// SetAuth stores the user and the password with which git fetches from a server by https
// or http; without a user, it removes them. Git reads them from .netrc in the server's
// home. host may be http://HOST:PORT: then they go there by http for submodules and Git LFS too.
func SetAuth(ctx context.Context, st *store.Store, host, user, password string) error {
	machines := remote.Machines(host)
	if err := checkHost(machines[0]); err != nil {
		return err
	}
	if strings.ContainsAny(user+password, " \t\r\n\x00\"\\") {
		return errors.New("cannot store these credentials: .netrc allows neither white space nor quotes nor backslashes in them")
	}
	return changeCredentials(ctx, st, ".netrc", func(data []byte) ([]byte, error) {
		n, err := netrc.ParseString(string(data))
		if err != nil {
			return nil, fmt.Errorf("cannot read it: %w", err)
		}
		for _, m := range slices.Clone(n.Machines()) { // without a password for the host, none for its ports
			if user == "" && strings.HasPrefix(m.Name, "http://") && remote.Machines(m.Name)[0] == host {
				n.RemoveMachine(m.Name)
			}
		}
		for _, name := range machines {
			n.RemoveMachine(name)
			if user != "" {
				n.AddMachine(name, user, password)
			}
		}
		return []byte(n.Render()), nil
	})
}

// HasAuth reports whether exactly these credentials are stored for a server; without a
// user, whether none are.
func HasAuth(st *store.Store, host, user, password string) (bool, error) {
	machines := remote.Machines(host)
	if err := checkHost(machines[0]); err != nil {
		return false, err
	}
	data, err := os.ReadFile(filepath.Join(st.Root, ".netrc"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	n, err := netrc.ParseString(string(data))
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", filepath.Join(st.Root, ".netrc"), err)
	}
	m := n.Machine(machines[len(machines)-1])
	if user == "" || m == nil {
		return user == "" && m == nil, nil
	}
	return m.Get("login") == user && m.Get("password") == password, nil
}

// AllowHost asks an ssh server for its keys and trusts them from now on. It returns a line
// for each key, to compare with what the server's owner publishes. host may have a port.
func AllowHost(ctx context.Context, st *store.Store, host string) (keys []string, err error) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "22"
	}
	if err := checkHost(name); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, scanTime, fmt.Errorf("it took longer than %s", scanTime))
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh-keyscan", "-T", "10", "-p", port, "-t", "rsa,ecdsa,ed25519", "--", name)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err == nil && len(bytes.TrimSpace(out)) == 0 {
		err = errors.New("no ssh server answers there")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s for its keys: %w", host, err)
	}
	err = changeCredentials(ctx, st, ".ssh/known_hosts", func(data []byte) ([]byte, error) {
		keys = nil
		for line := range strings.Lines(string(out)) {
			_, names, key, _, _, err := ssh.ParseKnownHosts([]byte(line))
			if err != nil || len(names) == 0 {
				continue
			}
			keys = append(keys, fmt.Sprintf("%s %s", key.Type(), ssh.FingerprintSHA256(key)))
			if !bytes.Contains(data, []byte(strings.TrimSpace(line)+"\n")) {
				data = append(withNewline(data), strings.TrimSpace(line)+"\n"...)
			}
		}
		if keys == nil {
			return nil, fmt.Errorf("ssh-keyscan answers %q", event.OneLine(string(out)))
		}
		return data, nil
	})
	return keys, err
}

func withNewline(data []byte) []byte {
	if len(data) > 0 && data[len(data)-1] != '\n' {
		return append(data, '\n')
	}
	return data
}

// deployKeys are the files of the server's own key, the first that exists.
var deployKeys = []string{"id_ed25519", "id_rsa"}

// ErrNoKey has Dokku's text.
//
//lint:ignore ST1005 Dokku's own message
var ErrNoKey = errors.New("There is no deploy key associated with the dokku user.\n" +
	"Generate an ssh key with the following command:\n" +
	"  dokku git:generate-deploy-key\n" +
	"As an alternative, configure the netrc authentication via the git:auth command")

// PublicKey returns the public key that other servers have to accept.
func PublicKey(st *store.Store) (string, error) {
	key, _, err := PublicKeyFile(st)
	return key, err
}

// PublicKeyFile is PublicKey, and the path of its file.
func PublicKeyFile(st *store.Store) (key, path string, err error) {
	for _, name := range deployKeys {
		path = filepath.Join(st.Root, ".ssh", name+".pub")
		data, err := os.ReadFile(path)
		if err == nil {
			return string(data), path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", "", fmt.Errorf("cannot read the deploy key: %w", err)
		}
	}
	return "", "", ErrNoKey
}

// ErrKeyExists has Dokku's text.
//
//lint:ignore ST1005 Dokku's own message
var ErrKeyExists = errors.New("A deploy key already exists for this host")

// GenerateKey makes the server's own key, without a passphrase. The private key gets its
// place first, so that a crash in between leaves one whose public half is made the next
// time.
func GenerateKey(ctx context.Context, st *store.Store, comment string) error {
	if _, err := PublicKey(st); err == nil {
		return ErrKeyExists
	}
	private := filepath.Join(".ssh", deployKeys[0])
	path := filepath.Join(st.Root, private)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		data, err := newKey(ctx, st, comment)
		if err == nil {
			err = changeCredentials(ctx, st, private, func([]byte) ([]byte, error) { return data, nil })
		}
		if err != nil {
			return err
		}
	}
	public, err := exec.CommandContext(ctx, "ssh-keygen", "-y", "-P", "", "-f", path).Output()
	if err != nil {
		return fmt.Errorf("cannot read the key %s: %w: is it one without a passphrase?", path, err)
	}
	return changeCredentials(ctx, st, private+".pub", func([]byte) ([]byte, error) { return public, nil })
}

// newKey returns a private key.
func newKey(ctx context.Context, st *store.Store, comment string) ([]byte, error) {
	dir, done, err := st.Staging("source-")
	if err != nil {
		return nil, err
	}
	defer done()
	path := filepath.Join(dir, deployKeys[0])
	if out, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-C", comment, "-N", "", "-f", path).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot make a key: %w: %s", err, lastLine(string(out)))
	}
	return os.ReadFile(path)
}

// changeCredentials replaces a file below DOKKU_ROOT under the lock of the server's
// settings. Only its owner can read it, whoever made it before.
func changeCredentials(ctx context.Context, st *store.Store, name string, change func([]byte) ([]byte, error)) error {
	err := st.ChangeFile(ctx, filepath.Join(st.Root, name), change)
	if err != nil {
		return fmt.Errorf("cannot change %s: %w", filepath.Join(st.Root, name), err)
	}
	return nil
}
