package move

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dokku/agent/event"
	"dokku/agent/remote"
)

// A Host is a Dokku server that apps come from.
type Host interface {
	// Run runs a program there and writes its standard output to out. The error is a
	// *Failed if it ended with another exit code than 0.
	Run(ctx context.Context, out io.Writer, words ...string) error
	// Hold connects now for a program that runs later, or never: by then, this process may
	// be a user whom the server does not let in.
	Hold(words ...string) (Held, error)
	// String is the server's address, for messages.
	String() string
}

// A Held is a program on a Host that is ready to run.
type Held interface {
	// Run runs it with an input and writes its standard output to out. said is the end of
	// what it wrote to standard error. It is called once, or Drop is.
	Run(ctx context.Context, in string, out io.Writer) (said string, err error)
	Drop()
}

// Failed is the error of a program on a Host that ended with another exit code than 0.
type Failed struct {
	Code int
	Text string // the end of its standard error, printable; may be empty
}

func (f *Failed) Error() string {
	if f.Text == "" {
		return fmt.Sprintf("exit code %d", f.Code)
	}
	return f.Text
}

// SSH is a Host that the system's ssh reaches, with the person's own keys, known hosts and
// configuration. Nothing is ever asked for.
type SSH struct {
	User, Name string
	Port       int    // 0: ssh's own
	Identity   string // the file of a key; "": ssh's own

	control string // where ssh keeps its connection; "": each command has its own
}

var address = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.-]*)@([A-Za-z0-9\[][A-Za-z0-9.:%_\]-]*)$`)

// ParseSSH reads USER@HOST.
func ParseSSH(text string) (SSH, error) {
	m := address.FindStringSubmatch(text)
	if m == nil {
		return SSH{}, fmt.Errorf("cannot import from %q: write USER@HOST, such as root@old.example.com (--port N, --identity FILE)", event.OneLine(text))
	}
	return SSH{User: m[1], Name: m[2]}, nil
}

func (h SSH) String() string { return h.User + "@" + h.Name }

// maxSocket is the length of a socket's name that leaves room for what ssh adds to it.
const maxSocket = 80

// Connect lets all commands share one connection, until done is called. What is held then
// goes on.
func (h *SSH) Connect() (done func(held bool), err error) {
	dir, err := os.MkdirTemp("", "dokku-import-")
	if err != nil {
		return nil, fmt.Errorf("cannot keep a connection to %s: %w", h, err)
	}
	if h.control = filepath.Join(dir, "c"); len(h.control) > maxSocket {
		h.control = ""
	}
	return func(held bool) {
		if h.control != "" {
			how := map[bool]string{true: "stop", false: "exit"}[held]
			exec.Command("ssh", append([]string{"-O", how}, h.words()...)...).Run() // it ends by itself later
		}
		os.RemoveAll(dir)
	}, nil
}

// words is the command line of ssh up to the remote command.
func (h SSH) words() []string {
	words := []string{"-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"}
	if h.control != "" {
		words = append(words, "-o", "ControlMaster=auto", "-o", "ControlPersist=30", "-o", "ControlPath="+h.control)
	}
	if h.Port != 0 {
		words = append(words, "-p", strconv.Itoa(h.Port))
	}
	if h.Identity != "" {
		words = append(words, "-o", "IdentitiesOnly=yes", "-i", h.Identity)
	}
	return append(words, "-l", h.User, "--", strings.Trim(h.Name, "[]"))
}

// line is the command line of ssh that runs a program. Another user than root needs sudo
// without a password.
func (h SSH) line(words []string) []string {
	if h.User != "root" {
		words = append([]string{"sudo", "-n", "--"}, words...)
	}
	var command []string
	for _, w := range words {
		command = append(command, remote.ShellWord(w))
	}
	return append(h.words(), strings.Join(command, " "))
}

// Run runs a program.
func (h SSH) Run(ctx context.Context, out io.Writer, words ...string) error {
	cmd := exec.CommandContext(ctx, "ssh", h.line(words)...)
	// The process that keeps the connection keeps standard error too: a pipe would not end.
	errs, err := os.CreateTemp("", "dokku-import-")
	if err != nil {
		return fmt.Errorf("cannot run ssh: %w", err)
	}
	defer errs.Close()
	os.Remove(errs.Name())
	cmd.Stdout, cmd.Stderr = out, errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return h.outcome(ctx, cmd.Run(), errs)
}

// outcome is the error of an ssh that has ended.
func (h SSH) outcome(ctx context.Context, err error, errs *os.File) error {
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &ended) && ended.ExitCode() == sshFailed:
		return h.unreachable(tail(errs))
	case errors.As(err, &ended):
		return &Failed{Code: ended.ExitCode(), Text: tail(errs)}
	case err != nil:
		return fmt.Errorf("cannot run ssh: %w", err)
	}
	return nil
}

// sshFailed is the exit code of an ssh that reached nothing.
const sshFailed = 255

// unreachable says what helps.
func (h SSH) unreachable(said string) error {
	help := "check the address, and --port"
	switch {
	case said == "":
		said, help = "the connection was lost", "run the import again once it is back"
	case strings.Contains(said, "REMOTE HOST IDENTIFICATION HAS CHANGED"):
		said, help = "its host key is another one than before", "if that is expected: ssh-keygen -R "+h.Name+", then ssh "+h.String()
	case strings.Contains(said, "Host key verification failed"), strings.Contains(said, "host key is known for"):
		said, help = "its host key is unknown", "check and accept it once, as this user: ssh "+h.String()
	case strings.Contains(said, "Permission denied"):
		said, help = "it accepts none of your keys", "add yours there, or name another one with --identity FILE; a key with a passphrase needs an ssh agent"
	}
	return fmt.Errorf("cannot reach %s: %s: %s", h, said, help)
}

const tailBytes = 4 << 10

// tail is the end of what ssh and the program said, on one line and without ssh's frames.
func tail(f *os.File) string {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	text := make([]byte, min(size, tailBytes))
	f.ReadAt(text, size-int64(len(text)))
	var said []string
	for line := range strings.Lines(string(text)) {
		if line = strings.Trim(event.Printable(strings.TrimSpace(line)), "@! "); line != "" {
			said = append(said, line)
		}
	}
	return strings.Join(said, "; ")
}

// output returns what a program prints.
func output(ctx context.Context, h Host, words ...string) (string, error) {
	var out bytes.Buffer
	err := h.Run(ctx, &out, words...)
	return out.String(), err
}
