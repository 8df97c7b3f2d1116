package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// A process is a command that runs: a git push, mostly.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

// start starts a command in a process group of its own.
func (l *lab) start(cmd *exec.Cmd) *process {
	l.t.Helper()
	c := &process{t: l.t, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = c, c
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second // a process that outlives a killed client may hold its output
	must(l.t, cmd.Start())
	go func() {
		defer close(c.done)
		cmd.Wait()
	}()
	l.t.Cleanup(func() { c.signal(unix.SIGKILL); <-c.done })
	return c
}

// Write keeps what is printed; it is the command's standard output.
func (c *process) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *process) output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

// signal reaches git and the ssh that it has started.
func (c *process) signal(s unix.Signal) { unix.Kill(-c.cmd.Process.Pid, s) }

// prints waits until text has been printed.
func (c *process) prints(text string) {
	c.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(c.output(), text) {
		select {
		case <-c.done:
			if !strings.Contains(c.output(), text) {
				c.t.Fatalf("%v ends without printing %q:\n%s", c.cmd.Args, text, c.output())
			}
			return
		case <-deadline:
			c.t.Fatalf("%v does not print %q:\n%s", c.cmd.Args, text, c.output())
		case <-tick.C:
		}
	}
}

// wait returns what was printed, and its exit code; -1: a signal.
func (c *process) wait() (string, int) {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(2 * patience):
		c.t.Fatalf("%v does not end:\n%s", c.cmd.Args, c.output())
	}
	return c.output(), c.cmd.ProcessState.ExitCode()
}

// succeeds waits for the end and returns what was printed.
func (c *process) succeeds() string {
	c.t.Helper()
	out, code := c.wait()
	if code != 0 {
		c.t.Fatalf("%v ends with %d:\n%s", c.cmd.Args, code, out)
	}
	return out
}

// fails waits for the end, which must be a failure.
func (c *process) fails() string {
	c.t.Helper()
	out, code := c.wait()
	if code == 0 {
		c.t.Fatalf("%v succeeds:\n%s", c.cmd.Args, out)
	}
	return out
}

// contains fails the test unless text has all the parts, in their order.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, found := strings.Cut(rest, p)
		if !found {
			t.Errorf("%q is missing, or in the wrong place, in:\n%s", p, text)
			return
		}
		rest = after
	}
}

// lacks fails the test if text has one of the parts.
func lacks(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(text, p) {
			t.Errorf("%q should not be in:\n%s", p, text)
		}
	}
}
