package lab

import (
	"os"
	"os/exec"
	"path/filepath"

	"dokku/hooks/sshtest"
)

// Front is the lab's sshd, with a client's key and addresses.
type Front struct {
	Home string   // the client's
	URL  string   // ssh://user@host:port
	Dest string   // user@host
	SSH  []string // the client's ssh command, without a destination
}

// start starts an sshd whose one key is the client's, added as an administrator
// would.
func (f *Front) start(l *Lab, base string) {
	l.T.Helper()
	f.Home = filepath.Join(base, "home")
	Must(l.T, os.MkdirAll(f.Home, 0o700))
	key := sshtest.Key(l.T, filepath.Join(f.Home, "key"))
	l.Dokku("ssh-keys:add", "alice", key+".pub")
	// The account's shell would run the start-up files of its own home for each command.
	sshd := sshtest.Start(l.T, base, filepath.Join(l.Root, ".ssh", "authorized_keys"), "SetEnv HOME="+l.Root)
	f.Dest, f.URL, f.SSH = sshd.Dest, sshd.URL, sshd.Client(key)
}

// OverSSH runs a dokku command as the client, and returns its output and exit code.
func (l *Lab) OverSSH(line string) (out string, code int) {
	l.T.Helper()
	return l.Start(exec.Command(l.Front.SSH[0], append(l.Front.SSH[1:], l.Front.Dest, line)...)).Wait()
}
