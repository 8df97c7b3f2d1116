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

// Owner identifies a process, such as the git receive-pack that is about to move the
// ref of a staged release. The start time tells it from a later process with the same
// number, and the boot id from a process before the last reboot.
type Owner struct {
	Boot  string `json:"boot"`
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot, /proc/<pid>/stat field 22
}

// BootID returns the kernel's random id of this boot.
var BootID = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
})

// ReceivePack returns the nearest ancestor of this process that is git receive-pack. It
// may not be the parent, because an administrator's hook may call ours.
func ReceivePack() (Owner, error) {
	return ReceivePackAbove(os.Getpid())
}

// ReceivePackAbove is ReceivePack for another process.
func ReceivePackAbove(pid int) (Owner, error) {
	boot, err := BootID()
	if err != nil {
		return Owner{}, fmt.Errorf("cannot tell which git this push belongs to: %w", err)
	}
	p, err := readProcess(pid)
	for err == nil && p.Parent > 0 {
		if p, err = readProcess(p.Parent); err == nil && gitCommand(p.Args) == "receive-pack" {
			return Owner{Boot: boot, PID: p.Pid, Start: p.Start}, nil
		}
	}
	return Owner{}, fmt.Errorf("cannot tell which git this push belongs to: no git receive-pack above process %d: "+
		"hooks run only as part of a push that is still under way", pid)
}

// This returns the Owner that identifies this process.
func This() (Owner, error) { return OwnerOf(os.Getpid()) }

// OwnerOf returns the Owner that identifies a running process.
func OwnerOf(pid int) (Owner, error) {
	boot, err := BootID()
	if err != nil {
		return Owner{}, fmt.Errorf("cannot identify process %d: %w", pid, err)
	}
	p, err := readProcess(pid)
	if err != nil {
		return Owner{}, fmt.Errorf("cannot identify process %d: %w", pid, err)
	}
	return Owner{Boot: boot, PID: p.Pid, Start: p.Start}, nil
}

// Label returns the owner as the value of a container's label.
func (o Owner) Label() string { return fmt.Sprintf("%s/%d/%d", o.Boot, o.PID, o.Start) }

// ParseOwner reads the value of a label. For invalid text it returns the zero Owner,
// which is never alive.
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

// Alive reports whether the process runs. A zombie does not.
func (o Owner) Alive() bool {
	if boot, err := BootID(); err != nil || boot != o.Boot {
		return false
	}
	p, err := readProcess(o.PID)
	return err == nil && p.Start == o.Start && !p.dead()
}

// Terminate sends SIGTERM to the process. It does nothing if the process has ended, even
// if another process has its number now.
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

// open returns a pidfd of the process, or -1 if it has ended.
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
	// Check after opening: the descriptor may belong to a later process.
	if !o.Alive() {
		unix.Close(fd)
		return -1, nil
	}
	return fd, nil
}

// WatchOwner returns a channel that is closed when the git receive-pack above this
// process has ended, or when ctx is done. A hook that outlives its git works on a
// release whose ref will never move.
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
			// The end of the process wakes poll at once; the end of ctx is noticed
			// after the timeout.
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
			if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return ended, nil
}

// process is a process as /proc describes it.
type process struct {
	Pid, Parent int
	State       byte
	Start       uint64
	Args        []string
}

// dead reports whether the process has ended and waits to be reaped.
func (p process) dead() bool { return p.State == 'Z' || p.State == 'X' || p.State == 'x' }

func readProcess(pid int) (process, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return process{}, err
	}
	p, err := parseStat(string(stat))
	if err != nil {
		return process{}, fmt.Errorf("cannot read %s/stat: %w", dir, err)
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return process{}, err
	}
	for arg := range bytes.SplitSeq(bytes.TrimSuffix(line, []byte{0}), []byte{0}) {
		p.Args = append(p.Args, string(arg))
	}
	return p, nil
}

// parseStat reads /proc/<pid>/stat, proc(5). The second field is the program's
// name in parentheses, and the name may contain spaces and parentheses.
func parseStat(stat string) (process, error) {
	number, _, _ := strings.Cut(stat, " ")
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < 20 {
		return process{}, fmt.Errorf("%q is not a process's state", stat)
	}
	var p process
	var errs [3]error
	p.State = fields[0][0]
	p.Pid, errs[0] = strconv.Atoi(number)
	p.Parent, errs[1] = strconv.Atoi(fields[1])
	p.Start, errs[2] = strconv.ParseUint(fields[19], 10, 64)
	return p, errors.Join(errs[:]...)
}

// gitCommand returns the git command that args run, or "" if they run another program.
// It is "receive-pack" for git-receive-pack as well as for git -c a=b receive-pack.
func gitCommand(args []string) string {
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
