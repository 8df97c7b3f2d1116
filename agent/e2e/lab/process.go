package lab

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Process is a command that runs, for example a git push.
type Process struct {
	T    *testing.T
	Cmd  *exec.Cmd
	Done chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

// Start starts a command in a process group of its own, which is killed at the test's
// end.
func (l *Lab) Start(cmd *exec.Cmd) *Process {
	l.T.Helper()
	c := &Process{T: l.T, Cmd: cmd, Done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = c, c
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second // a process that outlives a killed client may hold its output
	Must(l.T, cmd.Start())
	go func() {
		defer close(c.Done)
		cmd.Wait()
	}()
	l.T.Cleanup(func() { c.Signal(unix.SIGKILL); <-c.Done })
	return c
}

// Write keeps the command's output.
func (c *Process) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

// Output is the output so far.
func (c *Process) Output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

// Signal signals the process group: git, and the ssh that it has started. The number of one that
// has ended may be another's by now.
func (c *Process) Signal(s unix.Signal) {
	select {
	case <-c.Done:
	default:
		unix.Kill(-c.Cmd.Process.Pid, s)
	}
}

// Prints waits until the output contains text.
func (c *Process) Prints(text string) {
	c.T.Helper()
	deadline := time.After(Patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(c.Output(), text) {
		select {
		case <-c.Done:
			if !strings.Contains(c.Output(), text) {
				c.T.Fatalf("%v ends without printing %q:\n%s", c.Cmd.Args, text, c.Output())
			}
			return
		case <-deadline:
			c.T.Fatalf("%v does not print %q:\n%s", c.Cmd.Args, text, c.Output())
		case <-tick.C:
		}
	}
}

// Wait waits for the end, and returns the output and the exit code; -1 is a signal.
func (c *Process) Wait() (string, int) {
	c.T.Helper()
	select {
	case <-c.Done:
	case <-time.After(2 * Patience):
		c.T.Fatalf("%v does not end:\n%s", c.Cmd.Args, c.Output())
	}
	return c.Output(), c.Cmd.ProcessState.ExitCode()
}

// Succeeds waits for the end, which must be a success, and returns the output.
func (c *Process) Succeeds() string {
	c.T.Helper()
	out, code := c.Wait()
	if code != 0 {
		c.T.Fatalf("%v ends with %d:\n%s", c.Cmd.Args, code, out)
	}
	return out
}

// Fails waits for the end, which must be a failure, and returns the output.
func (c *Process) Fails() string {
	c.T.Helper()
	out, code := c.Wait()
	if code == 0 {
		c.T.Fatalf("%v succeeds:\n%s", c.Cmd.Args, out)
	}
	return out
}

// Ended reports whether the process has ended.
func (c *Process) Ended() bool {
	select {
	case <-c.Done:
		return true
	default:
		return false
	}
}
