package lab

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Typist is a person at a terminal on which a command runs.
type Typist struct {
	*Process
	master *os.File
}

// OnTerminal starts a command on a terminal of its own, of 24 lines of 80 columns.
func (l *Lab) OnTerminal(cmd *exec.Cmd) *Typist {
	l.T.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	Must(l.T, err)
	master := os.NewFile(uintptr(fd), "/dev/ptmx")
	Must(l.T, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	Must(l.T, err)
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	Must(l.T, err)
	p := &Typist{Process: &Process{T: l.T, Cmd: cmd, Done: make(chan struct{})}, master: master}
	p.Resize(80, 24)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	Must(l.T, cmd.Start())
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, err := io.Copy(p.Process, master)
		if err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, fs.ErrClosed) {
			l.T.Errorf("reading the terminal: %v", err)
		}
	}()
	go func() {
		defer close(p.Done)
		cmd.Wait()
		screen.Close() // the reading ends with the last byte, unless another process has the terminal
		select {
		case <-read:
		case <-time.After(5 * time.Second):
		}
	}()
	l.T.Cleanup(func() {
		p.Signal(unix.SIGKILL)
		<-p.Done
		<-read
		master.Close()
	})
	return p
}

// Resize changes the size of the terminal.
func (p *Typist) Resize(width, height uint16) {
	p.T.Helper()
	Must(p.T, unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width}))
}

// Types sends keys to the terminal.
func (p *Typist) Types(line string) {
	p.T.Helper()
	_, err := io.WriteString(p.master, line)
	Must(p.T, err)
}

// Settings are the terminal's modes.
func (p *Typist) Settings() unix.Termios {
	p.T.Helper()
	s, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
	Must(p.T, err)
	return *s
}

// SSH prepares a call of the client's ssh.
func (l *Lab) SSH(args ...string) *exec.Cmd {
	return exec.Command(l.Front.SSH[0], append(l.Front.SSH[1:], args...)...)
}

// WithShell are files of an app whose image has a shell.
func WithShell(t *testing.T, l *Lab) Files {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	Must(t, err)
	return Files{"sh": string(busybox), "Procfile": "web: /server\nworker: /server -port=\nconsole: /bin/sh\n",
		"Dockerfile": "FROM " + l.Tools.Base + "\nCOPY --chmod=755 sh /bin/sh\nRUN [\"/bin/sh\", \"-c\", \"for n in env printf echo true sleep; do ln -s sh /bin/$n; done\"]\nEXPOSE 5000\nENV PATH=/bin\nCMD [\"/server\"]\n"}
}

// OneOffs are the names of the one-off containers that exist.
func (a *App) OneOffs() (names []string) {
	a.Lab.T.Helper()
	for _, c := range a.Containers() {
		if c.Labels["com.dokku.container-type"] == "run" {
			names = append(names, strings.TrimPrefix(c.Names[0], "/"))
		}
	}
	return names
}

// NoOneOffs waits until no one-off container is left.
func (a *App) NoOneOffs() {
	a.Lab.T.Helper()
	WaitFor(a.Lab.T, "no one-off container is left", func() bool { return len(a.OneOffs()) == 0 })
}

// Split runs a command and returns its standard output and standard error apart.
func Split(t *testing.T, cmd *exec.Cmd, stdin string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
