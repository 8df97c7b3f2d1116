package e2e

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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

// ended reports whether the process has.
func (c *process) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
