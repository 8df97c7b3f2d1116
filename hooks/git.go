package hooks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long the processes of a cancelled push have to clean up. After
// it they are killed, and the next one to lock the app cleans up for them.
var grace = 10 * time.Second

// gitPush is a running git receive-pack with everything below it.
type gitPush struct {
	cmd    *exec.Cmd
	marks  *marks
	exited chan struct{} // git itself has ended; it is not reaped yet
}

// startGit runs git receive-pack on the repository, in a process group of its
// own and bound to the life of the calling thread.
func startGit(dir string, stdin *os.File, out, errs io.Writer) (*gitPush, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot run git receive-pack: %w", err)
	}
	defer write.Close() // git has its own by then
	cmd := exec.Command("git", "receive-pack", dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, out, errs
	cmd.ExtraFiles = []*os.File{write} // becomes pushFD
	cmd.Env = append(os.Environ(), pushFDEnv+"="+strconv.Itoa(pushFD))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	// A process that holds git's output open after git has ended is none of ours.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		read.Close()
		return nil, fmt.Errorf("cannot run git receive-pack on %s: %w", dir, err)
	}
	g := &gitPush{cmd: cmd, marks: readMarks(read), exited: make(chan struct{})}
	go g.watch()
	return g, nil
}

// watch waits for git's end without reaping it: until it is, no other process
// group can get its number.
func (g *gitPush) watch() {
	defer close(g.exited)
	for {
		err := unix.Waitid(unix.P_PID, g.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// terminate cancels the push: TERM for git and its hooks, KILL for those that
// are there after the grace. Post-receive has left the group by then.
func (g *gitPush) terminate() {
	g.signal(unix.SIGTERM)
	select {
	case <-g.marks.ended:
	case <-time.After(grace):
	}
	g.signal(unix.SIGKILL)
}

// wait returns git's exit code once no hook is left either. A hook whose git was
// killed notices and cleans up.
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
