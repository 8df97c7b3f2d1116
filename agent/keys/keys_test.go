package keys

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newKey makes a key and returns its public half.
func newKey(t *testing.T, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", append([]string{"-q", "-N", "", "-C", "a comment", "-f", path}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	pub, err := os.ReadFile(path + ".pub")
	must(t, err)
	return string(pub)
}

func TestKeys(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, ".ssh", "authorized_keys")
	foreign := "# mine\n\nno-pty,command=\"/bin/date shell x\" " + newKey(t, "-t", "ed25519") + "not a key at all\n"
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(strings.TrimSuffix(foreign, "\n")), 0o644)) // no final newline

	a, b := newKey(t, "-t", "ed25519"), newKey(t, "-t", "ecdsa")
	must(t, Add(root, "admin", a, Grant{Role: Admin}))
	must(t, Add(root, "deploy-1", b, Grant{Role: Admin}))

	text, err := os.ReadFile(path)
	must(t, err)
	binary, _ := os.Executable()
	list, err := List(root)
	must(t, err)
	want := foreign + `command="FINGERPRINT=` + list[0].Fingerprint + ` NAME=\"admin\" DOKKU_ROOT=` + root + " " + binary + ` shell admin",restrict,pty ` + strings.TrimSuffix(a, "a comment\n") + "admin\n"
	if !strings.HasPrefix(string(text), want) || strings.Count(string(text), "\n") != strings.Count(want, "\n")+1 {
		t.Errorf("authorized_keys is\n%s\nwant it to begin\n%s", text, want)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("authorized_keys has mode %v, want 0600", fi.Mode())
	}

	if len(list) != 2 || list[0].Name != "admin" || list[1].Name != "deploy-1" || !strings.HasPrefix(list[0].Fingerprint, "SHA256:") {
		t.Errorf("the keys are %v", list)
	}
	if want := list[0].Fingerprint + ` NAME="admin" SSHCOMMAND_ALLOWED_KEYS="restrict,pty"`; list[0].String() != want {
		t.Errorf("a key is shown as %q, want %q", list[0], want)
	}

	must(t, Remove(root, "admin"))
	must(t, Remove(root, "deploy-1"))
	if text, _ := os.ReadFile(path); string(text) != foreign {
		t.Errorf("the lines of others are now\n%s\nthey were\n%s", text, foreign)
	}
}

func TestKeysRefused(t *testing.T) {
	root := t.TempDir()
	a, b := newKey(t, "-t", "ed25519"), newKey(t, "-t", "ed25519")
	must(t, Add(root, "admin", a, Grant{Role: Admin}))
	path := filepath.Join(root, ".ssh", "authorized_keys")
	before, err := os.ReadFile(path)
	must(t, err)
	for _, c := range []struct{ name, key, want string }{
		{"admin", b, "Duplicate ssh key name: a key named admin exists"},
		{"other", a, "line 1 has the same key"},
		{"", b, "cannot add a key named"},
		{"a b", b, "cannot add a key named"},
		{"-x", b, "cannot add a key named"},
		{"a;id", b, "cannot add a key named"},
		{`a"b`, b, "cannot add a key named"},
		{"a\nb", b, "cannot add a key named"},
		{"other", "", "not an OpenSSH public key"},
		{"other", "hello", "Key specified in is not a valid ssh public key: cannot add the key other: it is not an OpenSSH public key"},
		{"other", b[:len(b)/2], "not an OpenSSH public key"},
		{"other", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "private key"},
		{"other", `command="id" ` + b, "begins with options"},
		{"other", b + a, "too many keys"},
	} {
		err := Add(root, c.name, c.key, Grant{Role: Admin})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Add(%q, %q, Grant{Role: Admin}): error %v, want one with %q", c.name, c.key, err, c.want)
		}
	}
	if err := Remove(root, "nobody"); err == nil {
		t.Error("a key that is not there is removed")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Errorf("refused commands changed authorized_keys to\n%s", after)
	}
}

func TestKeysRemoveByFingerprint(t *testing.T) {
	root := t.TempDir()
	must(t, Add(root, "admin", newKey(t, "-t", "ed25519"), Grant{Role: Admin}))
	list, err := List(root)
	must(t, err)
	must(t, Remove(root, list[0].Fingerprint))
	if list, _ := List(root); len(list) != 0 {
		t.Errorf("%v is left", list)
	}
}

// Paths with blanks and quotes pass sshd's quoting and the login shell's.
func TestKeyCommandIsQuoted(t *testing.T) {
	root := filepath.Join(t.TempDir(), `a "b" 'c' $d`)
	must(t, os.Mkdir(root, 0o700))
	must(t, Add(root, "admin", newKey(t, "-t", "ed25519"), Grant{Role: Admin}))
	list, err := List(root)
	must(t, err)
	if len(list) != 1 || list[0].Name != "admin" {
		t.Fatalf("the key is not found again: %v", list)
	}
	command, err := commandOption(root, "admin", "SHA256:x", Grant{Role: Admin})
	must(t, err)
	command = strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(command, `command="`), `"`), `\"`, `"`)
	assignment, _, _ := strings.Cut(command, " /")
	out, err := exec.Command("dash", "-c", assignment+`; printf %s "$DOKKU_ROOT"`).Output()
	if err != nil || string(out) != root {
		t.Errorf("a shell reads %s as the root %q (%v), want %q", assignment, out, err, root)
	}
}

func TestKeysAddedAtTheSameTime(t *testing.T) {
	root := t.TempDir()
	names := []string{"a", "b", "c", "d", "e"}
	var wg sync.WaitGroup
	for _, name := range names {
		key := newKey(t, "-t", "ed25519")
		wg.Go(func() {
			if err := Add(root, name, key, Grant{Role: Admin}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list, _ := List(root); len(list) != len(names) {
		t.Errorf("of %v only %v were added", names, list)
	}
}

// TestKeysOfAnotherOwner: user dokku makes .ssh a link to a folder of root, and waits until root
// changes a key. Root gave him the folder.
func TestKeysOfAnotherOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root has other users' folders")
		return
	}
	root, target, a := t.TempDir(), t.TempDir(), newKey(t)
	must(t, os.Chown(root, 65534, 65534))
	must(t, os.Symlink(target, filepath.Join(root, ".ssh")))
	must(t, os.WriteFile(filepath.Join(target, "authorized_keys"), []byte("kept\n"), 0o600))
	for name, change := range map[string]func() error{
		"Add":    func() error { return Add(root, "admin", a, Grant{Role: Admin}) },
		"Set":    func() error { return Set(root, "admin", func(*Grant) error { return nil }) },
		"Remove": func() error { return Remove(root, "admin") },
	} {
		if err := change(); err == nil || !strings.Contains(err.Error(), "only the owner of "+root+" (user 65534) changes them, not user 0") {
			t.Errorf("%s: %v", name, err)
		}
	}
	var st unix.Stat_t
	must(t, unix.Stat(target, &st))
	if kept, err := os.ReadFile(filepath.Join(target, "authorized_keys")); st.Uid != 0 || err != nil || string(kept) != "kept\n" {
		t.Errorf("the folder is that of user %d, its file %q, %v", st.Uid, kept, err)
	}
}
