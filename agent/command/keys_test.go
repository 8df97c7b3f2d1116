package command

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	f := newFixture(t)
	f.stdin = "ssh-ed25519 AAAA"
	f.keys = func(_ context.Context, root string, args []string, stdin io.Reader, stdout io.Writer) error {
		if root != f.root {
			t.Errorf("root is %s", root)
		}
		key, err := io.ReadAll(stdin)
		fmt.Fprintf(stdout, "%s: %s\n", strings.Join(args, ","), key)
		return err
	}
	f.expect("ssh-keys:add laptop", ok("ssh-keys:add,laptop: ssh-ed25519 AAAA\n"))
	f.expect("ssh-keys:add laptop key.pub", ok("ssh-keys:add,laptop,key.pub: ssh-ed25519 AAAA\n"))
	f.expect("ssh-keys:list --format json laptop", ok("ssh-keys:list,--format,json,laptop: ssh-ed25519 AAAA\n"))
	f.expect("ssh-keys:remove laptop", ok("ssh-keys:remove,laptop: ssh-ed25519 AAAA\n"))
	f.expect("ssh-keys:remove --fingerprint SHA256:x", ok("ssh-keys:remove,--fingerprint,SHA256:x: ssh-ed25519 AAAA\n"))

	// Over ssh a path would name a file of the server's.
	f.user = "laptop"
	f.expect("ssh-keys:add mine /etc/shadow", fails(1, " !     Cannot read \"/etc/shadow\" over ssh: send the key on standard input\n"))
	f.expect("ssh-keys:add mine", ok("ssh-keys:add,mine: ssh-ed25519 AAAA\n"))
}

func TestTrace(t *testing.T) {
	f := newFixture(t)
	got := f.run("--trace", "apps:create", "new")
	if got.code != 0 || got.stdout != "-----> Creating new...\n" || !strings.Contains(got.stderr, `"message":"Creating new..."`) {
		t.Errorf("%+v", got)
	}
}
