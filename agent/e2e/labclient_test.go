package e2e

import (
	"os"
	"os/exec"
	"path/filepath"

	"dokku/hooks/sshtest"
)

// front is the lab's sshd, and what a client needs to come in.
type front struct {
	home string // the client's
	url  string // ssh://user@host:port
	dest string // user@host
	ssh  []string
}

// start starts an sshd whose one key is the client's, added as an administrator
// would.
func (f *front) start(l *lab, base string) {
	l.t.Helper()
	f.home = filepath.Join(base, "home")
	must(l.t, os.MkdirAll(f.home, 0o700))
	key := sshtest.Key(l.t, filepath.Join(f.home, "key"))
	l.dokku("ssh-keys:add", "alice", key+".pub")
	sshd := sshtest.Start(l.t, base, filepath.Join(l.root, ".ssh", "authorized_keys"))
	f.dest, f.url, f.ssh = sshd.Dest, sshd.URL, sshd.Client(key)
}

// overSSH runs a dokku command as the client.
func (l *lab) overSSH(line string) (out string, code int) {
	l.t.Helper()
	return l.start(exec.Command(l.front.ssh[0], append(l.front.ssh[1:], l.front.dest, line)...)).wait()
}
