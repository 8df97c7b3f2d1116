package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Owner names the process that a staged release waits for: the git receive-pack
// that is about to move the ref. The start time tells it from a later process
// with the same number, the boot id from one before the last reboot.
type Owner struct {
	Boot  string `json:"boot"`
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot, /proc/<pid>/stat field 22
}

// BootID is read once: it does not change while this process lives.
var BootID = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
})

// ReceivePack returns the nearest ancestor that is git receive-pack. It need not
// be the parent: an administrator's hook may call ours.
func ReceivePack() (Owner, error) {
	return OwnerAbove(os.Getpid())
}

func OwnerAbove(pid int) (Owner, error) {
	boot, err := BootID()
	if err != nil {
		return Owner{}, fmt.Errorf("cannot tell which git this push belongs to: %w", err)
	}
	p, err := ReadProcess(pid)
	for err == nil && p.Parent > 0 {
		if p, err = ReadProcess(p.Parent); err == nil && GitCommand(p.Args) == "receive-pack" {
			return Owner{Boot: boot, PID: p.Pid, Start: p.Start}, nil
		}
	}
	return Owner{}, fmt.Errorf("cannot tell which git this push belongs to: no git receive-pack above process %d: "+
		"hooks run only as part of a push that is still under way", pid)
}

// This is the owner of what this process starts.
func This() (Owner, error) {
	boot, err := BootID()
	if err != nil {
		return Owner{}, fmt.Errorf("cannot tell which process this is: %w", err)
	}
	p, err := ReadProcess(os.Getpid())
	if err != nil {
		return Owner{}, fmt.Errorf("cannot tell which process this is: %w", err)
	}
	return Owner{Boot: boot, PID: p.Pid, Start: p.Start}, nil
}

// Label is the owner as a container's label holds it.
func (o Owner) Label() string { return fmt.Sprintf("%s/%d/%d", o.Boot, o.PID, o.Start) }

// ParseOwner reads a label; anything else is an owner who does not live.
func ParseOwner(label string) (o Owner) {
	boot, rest, _ := strings.Cut(label, "/")
	pid, start, _ := strings.Cut(rest, "/")
	o.Boot = boot
	var errs [2]error
	o.PID, errs[0] = strconv.Atoi(pid)
	o.Start, errs[1] = strconv.ParseUint(start, 10, 64)
	if errors.Join(errs[:]...) != nil {
		return Owner{}
	}
	return o
}

// Alive reports whether the owner may still move the ref. A zombie cannot.
func (o Owner) Alive() bool {
	if boot, err := BootID(); err != nil || boot != o.Boot {
		return false
	}
	p, err := ReadProcess(o.PID)
	return err == nil && p.Start == o.Start && !p.dead()
}

// Terminate asks the owner to end. An owner that has ended already is left
// alone, and so is a process that got its number since.
func (o Owner) Terminate() error {
	fd, err := o.open()
	if fd < 0 || err != nil {
		return err
	}
	defer unix.Close(fd)
	err = unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot end git receive-pack (process %d): %w", o.PID, err)
	}
	return nil
}

// open returns a file descriptor of the process, which no other process can
// take the place of any more; -1 when it has ended.
func (o Owner) open() (int, error) {
	if o.PID <= 0 {
		return -1, nil
	}
	fd, err := unix.PidfdOpen(o.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("cannot look at git receive-pack (process %d): %w", o.PID, err)
	}
	// Asked for only now: the descriptor may be of a later process.
	if !o.Alive() {
		unix.Close(fd)
		return -1, nil
	}
	return fd, nil
}

// WatchOwner returns a channel that is closed when the git receive-pack above
// this process has ended, or when ctx is done. A hook that outlives its git
// works on a release whose ref nobody will move.
func WatchOwner(ctx context.Context) (<-chan struct{}, error) {
	o, err := ReceivePack()
	if err != nil {
		return nil, err
	}
	fd, err := o.open()
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	if fd < 0 {
		close(ended)
		return ended, nil
	}
	go func() {
		defer close(ended)
		defer unix.Close(fd)
		for ctx.Err() == nil {
			// The timeout is how late a done ctx may be noticed; the end of the
			// process wakes poll at once.
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
			if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return ended, nil
}

// Process is what /proc tells about one.
type Process struct {
	Pid, Parent int
	State       byte
	Start       uint64
	Args        []string
}

// dead reports whether the process only waits for its parent to notice its end.
func (p Process) dead() bool { return p.State == 'Z' || p.State == 'X' || p.State == 'x' }

func ReadProcess(pid int) (Process, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Process{}, err
	}
	p, err := ParseStat(string(stat))
	if err != nil {
		return Process{}, fmt.Errorf("cannot read %s/stat: %w", dir, err)
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return Process{}, err
	}
	for arg := range bytes.SplitSeq(bytes.TrimSuffix(line, []byte{0}), []byte{0}) {
		p.Args = append(p.Args, string(arg))
	}
	return p, nil
}

// ParseStat reads /proc/<pid>/stat, proc(5). The second field is the program's
// name in parentheses, and the name may hold spaces and parentheses itself.
func ParseStat(stat string) (Process, error) {
	head, tail, ok := cutLast(stat, ")")
	fields := strings.Fields(tail)
	number, _, _ := strings.Cut(head, " ")
	if !ok || len(fields) < 20 {
		return Process{}, fmt.Errorf("%q is not a process's state", stat)
	}
	var p Process
	var errs [3]error
	p.State = fields[0][0]
	p.Pid, errs[0] = strconv.Atoi(number)
	p.Parent, errs[1] = strconv.Atoi(fields[1])
	p.Start, errs[2] = strconv.ParseUint(fields[19], 10, 64)
	return p, errors.Join(errs[:]...)
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// GitCommand returns the git command that args run: "receive-pack" for
// git-receive-pack as well as for git -c a=b receive-pack; "" for anything else.
func GitCommand(args []string) string {
	if len(args) == 0 {
		return ""
	}
	name := filepath.Base(args[0])
	if command, ok := strings.CutPrefix(name, "git-"); ok {
		return command
	}
	if name != "git" {
		return ""
	}
	for i := 1; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-c" || a == "-C" || a == "--git-dir" || a == "--work-tree" || a == "--namespace" || a == "--config-env":
			i++
		case !strings.HasPrefix(a, "-"):
			return a
		}
	}
	return ""
}
