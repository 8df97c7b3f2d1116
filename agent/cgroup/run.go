package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The words by which the program is called.
const (
	// RunCommand runs a command in a group: see Group.Command.
	RunCommand = "cgroup:run"
	// MakeCommand and RemoveCommand are root's: they make and remove the tree of a name.
	MakeCommand   = "cgroup:make"
	RemoveCommand = "cgroup:remove"
	// KeepCommand is the process of a tree's unit.
	KeepCommand = "cgroup:keep"
)

// Run enters a group and becomes a command, with the words of Group.Command. Without a command it tells
// whether it could enter.
func Run(words []string) error {
	if len(words) < 3 {
		return errors.New(RunCommand + " has the arguments NAME GROUP BYTES [COMMAND [ARGUMENT]]")
	}
	memory, err := strconv.ParseInt(words[2], 10, 64)
	maker := groupName.FindStringSubmatch(words[1])
	if err != nil || maker == nil {
		return fmt.Errorf("%s %s %s: no name of a group and number of bytes", RunCommand, words[1], words[2])
	}
	t, err := named(words[0])
	if err == nil {
		err = t.join(words[1])
	}
	if len(words) == 3 {
		return err
	}
	if err != nil {
		// What a server without cgroups does.
		if err := limitData(uint64(memory)); err != nil {
			return fmt.Errorf("cannot limit git's memory: %w", err)
		}
	}
	path, err := exec.LookPath(words[3])
	if err != nil {
		return err
	}
	// The signal at the end of the parent belongs to a thread, and becomes that of the command
	// with the thread that calls exec. The parent may have ended before.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0); err != nil {
		return err
	}
	if strconv.Itoa(os.Getppid()) != maker[1] {
		return errors.New("the process that runs git has ended")
	}
	return syscall.Exec(path, words[3:], os.Environ())
}

// Try tells why gits of this user cannot be in a cgroup of a tree: an ErrNone if there is none, and
// another error if it does not work. program is this program's file.
func Try(ctx context.Context, name, program string) error {
	t, err := Open(name)
	if err != nil {
		return err
	}
	g, err := t.Group(64 << 20)
	if err != nil {
		return err
	}
	defer g.Remove()
	cmd := exec.CommandContext(ctx, program, g.Command()[1:]...)
	if out, err := cmd.CombinedOutput(); err != nil {
		if said := strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(string(out)), "!")); said != "" {
			return errors.New(said)
		}
		return fmt.Errorf("cannot run %s: %w", program, err)
	}
	return nil
}

// limitData limits the private memory of this process, which a hook takes back.
func limitData(bytes uint64) error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &l); err != nil {
		return err
	}
	l.Cur = min(bytes, l.Max)
	return unix.Setrlimit(unix.RLIMIT_DATA, &l)
}

// join moves this process into a group.
func (t Tree) join(group string) error {
	err := enter(t.folders(group))
	if err == nil || !t.unified {
		return err
	}
	// It is outside of the unit, in a session of sshd for example.
	return attach(Unit(t.Name), "/"+group, os.Getpid())
}

// busctl is systemd's own client of its bus; tests replace it.
var busctl = "/usr/bin/busctl"

// attach has systemd put a process into a cgroup of a unit. The unit runs as the same user
// and has Delegate.
func attach(unit, below string, pid int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, busctl, "--system", "--quiet", "--timeout=5", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
		"org.freedesktop.systemd1.Manager", "AttachProcessesToUnit", "ssau", unit, below, "1", strconv.Itoa(pid))
	cmd.Env, cmd.Dir = []string{"LC_ALL=C"}, "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("systemd does not take the process into %s: %s (%w)", unit, strings.TrimSpace(string(out)), err)
	}
	return nil
}

// Make makes the tree of a name and gives it to the user of this name. In version 2 systemd's
// unit does that, and there is nothing to do.
func Make(name string) error {
	t, err := named(name)
	if err != nil || t.unified {
		return err
	}
	owner, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("cannot make a cgroup for git: %w", err)
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return fmt.Errorf("cannot make a cgroup for git: %w", err)
	}
	return t.give(uid)
}

// give makes the tree of version 1.
func (t Tree) give(uid int) error {
	for _, dir := range t.folders("") {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("cannot make a cgroup for git: %w", err)
		}
		if err := os.Lchown(dir, uid, -1); err != nil {
			return fmt.Errorf("cannot make a cgroup for git: %w", err)
		}
	}
	return write(filepath.Join(t.root, "cpu", t.Name), "cpu.shares", shares)
}

// Remove removes the tree of a name, in which no process is left.
func Remove(name string) error {
	t, err := named(name)
	if err != nil || t.unified {
		return err
	}
	for _, dir := range t.folders("") {
		below, _ := os.ReadDir(dir)
		for _, e := range below {
			if e.IsDir() {
				err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
			}
		}
		if e := os.Remove(dir); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Keep is the process of the tree's unit: without one, systemd removes the cgroup. It makes way for the
// groups, which need a cgroup without processes above them, and waits until ctx is done.
func Keep(ctx context.Context, name string) error {
	t, err := named(name)
	if err != nil {
		return err
	}
	if t.unified {
		if err := t.clear(); err != nil {
			return fmt.Errorf("cannot use the cgroup of %s: %w", Unit(name), err)
		}
	}
	<-ctx.Done()
	return nil
}

func (t Tree) clear() error {
	top := t.folders("")[0]
	for _, name := range []string{keep, rest} {
		if err := os.Mkdir(filepath.Join(top, name), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if err := enter(t.folders(keep)); err != nil {
		return err
	}
	return write(top, "cgroup.subtree_control", "+memory +pids +cpu")
}
