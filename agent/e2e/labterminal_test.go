package e2e

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

	"golang.org/x/sys/unix"
)

// A typist is a person at a terminal on which a command runs.
type typist struct {
	*process
	master *os.File
	screen *os.File // the terminal's other end, which the command has
}

// onTerminal starts a command on a terminal of its own, of 24 lines of 80 columns.
func (l *lab) onTerminal(cmd *exec.Cmd) *typist {
	l.t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	must(l.t, err)
	master := os.NewFile(uintptr(fd), "/dev/ptmx")
	must(l.t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(l.t, err)
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(l.t, err)
	p := &typist{process: &process{t: l.t, cmd: cmd, done: make(chan struct{})}, master: master, screen: screen}
	p.resize(80, 24)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	must(l.t, cmd.Start())
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, err := io.Copy(p.process, master)
		if err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, fs.ErrClosed) {
			l.t.Errorf("reading the terminal: %v", err)
		}
	}()
	go func() {
		defer close(p.done)
		cmd.Wait()
	}()
	l.t.Cleanup(func() {
		p.signal(unix.SIGKILL)
		<-p.done
		screen.Close()
		<-read
		master.Close()
	})
	return p
}

func (p *typist) resize(width, height uint16) {
	p.t.Helper()
	must(p.t, unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width}))
}

// types types keys.
func (p *typist) types(line string) {
	p.t.Helper()
	_, err := io.WriteString(p.master, line)
	must(p.t, err)
}

// settings are what the terminal does with keys.
func (p *typist) settings() unix.Termios {
	p.t.Helper()
	s, err := unix.IoctlGetTermios(int(p.screen.Fd()), unix.TCGETS)
	must(p.t, err)
	return *s
}

// ssh prepares a client.
func (l *lab) ssh(args ...string) *exec.Cmd {
	return exec.Command(l.front.ssh[0], append(l.front.ssh[1:], args...)...)
}

// withShell are files of an app whose image has a shell.
func withShell(t *testing.T, l *lab) files {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	must(t, err)
	return files{"sh": string(busybox), "Procfile": "web: /server\nworker: /server -port=\nconsole: /bin/sh\n",
		"Dockerfile": "FROM " + l.tools.base + "\nCOPY --chmod=755 sh /bin/sh\nRUN [\"/bin/sh\", \"-c\", \"for n in env printf echo true sleep; do ln -s sh /bin/$n; done\"]\nEXPOSE 5000\nENV PATH=/bin\nCMD [\"/server\"]\n"}
}

// oneOffs are the names of the one-off containers that exist.
func (a *app) oneOffs() (names []string) {
	a.t.Helper()
	for _, c := range a.containers() {
		if c.Labels["com.dokku.container-type"] == "run" {
			names = append(names, strings.TrimPrefix(c.Names[0], "/"))
		}
	}
	return names
}

func (a *app) noOneOffs() {
	a.t.Helper()
	waitFor(a.t, "no one-off container is left", func() bool { return len(a.oneOffs()) == 0 })
}

// split runs a command whose streams stay apart.
func split(t *testing.T, cmd *exec.Cmd, stdin string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
