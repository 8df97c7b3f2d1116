package hooks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/repo"
)

// grace is how long the processes of a cancelled push have to clean up. After that they
// are killed, and the next process that locks the app cleans up.
var grace = 10 * time.Second

// gitPush is a running git receive-pack and its child processes.
type gitPush struct {
	cmd    *exec.Cmd
	marks  *marks
	exited <-chan struct{} // git itself has ended; it is not reaped yet
}

// startGit starts git receive-pack on the repository within the bounds (see there). It refuses
// a pack of more than maxPack bytes.
func startGit(dir string, maxPack int64, b *bounds, stdin *os.File, out, errs io.Writer) (*gitPush, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot run git receive-pack: %w", err)
	}
	defer write.Close() // git has its own copy
	cmd := exec.Command("git", "receive-pack", dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, out, errs
	cmd.ExtraFiles = []*os.File{write} // becomes pushFD
	// Not git -c: the hooks find git by its arguments.
	cmd.Env = append(append(os.Environ(), pushFDEnv+"="+strconv.Itoa(pushFD)), repo.ReceiveEnv(maxPack)...)
	// Do not wait for foreign processes that keep git's output open.
	cmd.WaitDelay = time.Second
	if err := b.start(cmd); err != nil {
		read.Close()
		return nil, fmt.Errorf("cannot run git receive-pack on %s: %w", dir, err)
	}
	return &gitPush{cmd: cmd, marks: readMarks(read), exited: unreaped(cmd.Process.Pid)}, nil
}

// unreaped returns a channel that is closed at the end of a child process, which is not reaped
// by that: until it is, no other process group can get its number.
func unreaped(pid int) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return ended
}

// terminate cancels the push: TERM for git and its hooks, KILL for those that are left
// after the grace period. Post-receive is in a group of its own.
func (g *gitPush) terminate() {
	g.signal(unix.SIGTERM)
	select {
	case <-g.marks.ended:
	case <-time.After(grace):
	}
	g.signal(unix.SIGKILL)
}

// wait waits for git and its hooks and returns git's exit code. A hook whose git was
// killed notices it and cleans up.
func (g *gitPush) wait() int {
	<-g.exited
	select {
	case <-g.marks.ended:
	case <-time.After(grace):
		g.signal(unix.SIGKILL)
	}
	g.cmd.Wait()
	if code := g.cmd.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	return 1 // a signal
}

func (g *gitPush) signal(s unix.Signal) { unix.Kill(-g.cmd.Process.Pid, s) }
