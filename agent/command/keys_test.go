package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	const one = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIzqQ3kkUXJsXmAFeuIUpo2ZNpVEeGYrfEGhD9KlNFr"
	const two = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHXGwgYHvCgqyOMqQBzbrHHTEPNj5nAWRPTxSxN4L3Zh"
	f := newFixture(t)
	f.expect("ssh-keys:list", ok(""))
	f.expect("ssh-keys:list --format json", ok("[]\n"))
	f.stdin = one
	added := f.run("ssh-keys:add", "laptop")
	fingerprint := strings.TrimSpace(added.stdout)
	if added.code != 0 || !strings.HasPrefix(fingerprint, "SHA256:") {
		t.Fatalf("%+v", added)
	}
	file := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(file, []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := f.run("ssh-keys:add", "desk", file); got.code != 0 || !strings.HasPrefix(got.stdout, "SHA256:") {
		t.Errorf("%+v", got)
	}
	f.expect("ssh-keys:add other /nonexistent", fails(1, " !     cannot read the key other: open /nonexistent: no such file or directory\n"))

	f.expect("ssh-keys:list laptop", ok(fingerprint+` NAME="laptop" SSHCOMMAND_ALLOWED_KEYS="restrict,pty"`+"\n"))
	f.expect("ssh-keys:list --format json laptop",
		ok(`[{"name":"laptop","fingerprint":"`+fingerprint+`","SSHCOMMAND_ALLOWED_KEYS":"restrict,pty","role":"admin"}]`+"\n"))
	if got := f.run("ssh-keys:list"); strings.Count(got.stdout, "\n") != 2 || got.code != 0 {
		t.Errorf("%+v", got)
	}
	f.expect("ssh-keys:list nobody", fails(1, ""))
	f.expect("ssh-keys:list --format json nobody", ok("[]\n"))
	f.expect("ssh-keys:remove desk", ok(""))
	f.expect("ssh-keys:remove --fingerprint "+fingerprint, ok(""))
	f.expect("ssh-keys:list", ok(""))
	f.expect("ssh-keys:remove desk", result{stderr: " !     cannot remove the key \"desk\": there is no such key: dokku ssh-keys:list shows all\n"})

	// Over ssh a path would name a file of the server's.
	f.user = "laptop"
	f.expect("ssh-keys:add mine /etc/shadow", fails(1, " !     Cannot read \"/etc/shadow\" over ssh: send the key on standard input\n"))
	f.expect("ssh-keys:add mine", ok(fingerprint+"\n"))
}

func TestTrace(t *testing.T) {
	f := newFixture(t)
	got := f.run("--trace", "apps:create", "new")
	if got.code != 0 || got.stdout != "-----> Creating new...\n" || !strings.Contains(got.stderr, `"message":"Creating new..."`) {
		t.Errorf("%+v", got)
	}
}
