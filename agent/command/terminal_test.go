package command_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// sgr is an escape sequence that changes the colour or the weight of a text.
var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// terminal [-type TEXT] COMMAND... runs a command in front of a person: its
// streams are a terminal, on which TEXT is typed. The file coloured gets what the
// terminal gets, and the file screen its text: nothing but colours may be missing there.
// With NO_COLOR or TERM set in the script, there may be none.
func terminal(ts *testscript.TestScript, neg bool, args []string) {
	typed := ""
	if len(args) > 1 && args[0] == "-type" {
		typed, args = args[1]+"\n", args[2:]
	}
	if len(args) == 0 {
		ts.Fatalf("usage: terminal [-type TEXT] COMMAND...")
	}
	cmd := exec.Command("env", args...) // which finds the command by the script's PATH
	cmd.Env = []string{"TERM=xterm-256color"}
	for _, key := range []string{"DOKKU_ROOT", "PATH", "HOME", "NO_COLOR", "TERM"} {
		if ts.Getenv(key) == "" {
			continue
		}
		cmd.Env = append(cmd.Env, key+"="+ts.Getenv(key))
	}
	shown, err := onTerminal(cmd, typed)
	ts.Logf("[terminal]\n%s", shown)
	text := sgr.ReplaceAllString(shown, "")
	if strings.Contains(text, "\x1b") {
		ts.Fatalf("%v prints more than text and colours: %q", args, shown)
	}
	if text != shown && (ts.Getenv("NO_COLOR") != "" || ts.Getenv("TERM") != "") {
		ts.Fatalf("%v prints colours: %q", args, shown)
	}
	ts.Check(os.WriteFile(ts.MkAbs("coloured"), []byte(shown), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("screen"), []byte(text), 0o600))
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		ts.Check(err)
	}
	if neg == (err == nil) {
		ts.Fatalf("%v on a terminal: %v", args, err)
	}
}

// onTerminal runs a command on a terminal of its own, which neither echoes what
// is typed nor translates what is printed.
func onTerminal(cmd *exec.Cmd, typed string) (string, error) {
	person, tty, err := openTerminal()
	if err != nil {
		return "", err
	}
	defer person.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	tty.Close()
	if err != nil {
		return "", err
	}
	io.WriteString(person, typed)
	var shown strings.Builder
	io.Copy(&shown, person) // ends with EIO, once the last program has closed it
	return shown.String(), cmd.Wait()
}

// openTerminal opens both sides of a new terminal: a person's and a program's.
func openTerminal() (person, tty *os.File, err error) {
	if person, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err == nil {
		err = plain(int(tty.Fd()))
	}
	if err != nil {
		person.Close()
		return nil, nil, err
	}
	return person, tty, nil
}

func plain(fd int) error {
	mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	mode.Lflag &^= unix.ECHO
	mode.Oflag &^= unix.OPOST
	return unix.IoctlSetTermios(fd, unix.TCSETS, mode)
}
