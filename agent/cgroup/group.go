package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/proc"
)

// A Group is the cgroup of the gits of one push or clone.
type Group struct {
	tree   Tree
	name   string
	memory int64
}

// groupName is the form of a group's name: the process that made it, when that was started,
// and a number.
var groupName = regexp.MustCompile(`^git-([0-9]+)-([0-9]+)-[0-9]+$`)

var made atomic.Int64

// Group makes a cgroup whose processes may have so many bytes of resident memory together. The
// caller removes it.
func (t Tree) Group(memory int64) (*Group, error) {
	me, err := proc.This()
	if err != nil {
		return nil, err
	}
	g := &Group{tree: t, name: fmt.Sprintf("git-%d-%d-%d", me.PID, me.Start, made.Add(1)), memory: memory}
	for _, dir := range t.folders(g.name) {
		if err == nil {
			err = os.Mkdir(dir, 0o755)
		}
	}
	if err == nil {
		err = g.bound()
	}
	if err != nil {
		g.Remove()
		return nil, fmt.Errorf("cannot make a cgroup for git: %w", err)
	}
	return g, nil
}

// bound sets the bounds. Not every kernel counts what is swapped out.
func (g *Group) bound() error {
	dirs, bytes := g.tree.folders(g.name), strconv.FormatInt(g.memory, 10)
	limit, swap, noSwap, pids := "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", bytes, dirs[len(dirs)-1]
	if g.tree.unified {
		limit, swap, noSwap = "memory.max", "memory.swap.max", "0"
	}
	if err := write(dirs[0], limit, bytes); err != nil {
		return err
	}
	if err := write(dirs[0], swap, noSwap); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return write(pids, "pids.max", processes)
}

// Command returns the words that run a command in the group: those of this program, which
// becomes it. Only a child of this process can be that.
func (g *Group) Command(command ...string) []string {
	return append([]string{"dokku", RunCommand, g.tree.Name, g.name, strconv.FormatInt(g.memory, 10)}, command...)
}

// OutOfMemory reports whether the kernel has ended a process of the group for its memory.
func (g *Group) OutOfMemory() bool {
	file := "memory.oom_control"
	if g.tree.unified {
		file = "memory.events"
	}
	data, _ := os.ReadFile(filepath.Join(g.tree.folders(g.name)[0], file))
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "oom_kill" {
			return f[1] != "0"
		}
	}
	return false
}

// removal is how long Remove waits for processes that are about to end. Sweep removes the rest.
const removal = time.Second

// Remove removes the group. Its processes have ended.
func (g *Group) Remove() {
	for end := time.Now().Add(removal); ; time.Sleep(5 * time.Millisecond) {
		busy := false
		for _, dir := range g.tree.folders(g.name) {
			busy = errors.Is(os.Remove(dir), unix.EBUSY) || busy
		}
		if !busy || time.Now().After(end) {
			return
		}
	}
}

// A Sweeper removes the groups of processes that were killed.
type Sweeper struct {
	told map[string]bool // their processes were told to end
}

// Sweep removes the groups whose makers are gone. Processes in them are told to end, and
// killed at the next call.
func (s *Sweeper) Sweep(t Tree) {
	told := map[string]bool{}
	for _, name := range t.orphans() {
		g := &Group{tree: t, name: name}
		sig := unix.SIGTERM
		if s.told[name] {
			sig = unix.SIGKILL
		}
		if g.signal(sig) {
			told[name] = true
			continue
		}
		for _, dir := range t.folders(name) {
			_ = os.Remove(dir) // the next call tries again
		}
	}
	s.told = told
}

// orphans are the names of the groups whose makers are gone, in whatever hierarchy.
func (t Tree) orphans() (list []string) {
	seen := map[string]bool{}
	for _, dir := range t.folders("") {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			m := groupName.FindStringSubmatch(e.Name())
			if m == nil || seen[e.Name()] {
				continue
			}
			seen[e.Name()] = true
			pid, _ := strconv.Atoi(m[1])
			if o, err := proc.OwnerOf(pid); err == nil && strconv.FormatUint(o.Start, 10) == m[2] && o.Alive() {
				continue
			}
			list = append(list, e.Name())
		}
	}
	return list
}

// signal sends a signal to the processes of the group, and reports whether there are any.
func (g *Group) signal(sig syscall.Signal) (any bool) {
	for _, dir := range g.tree.folders(g.name) {
		for _, pid := range members(dir) {
			any = true
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				continue
			}
			// Opened first: the number is still that of a member, and so is the process.
			for _, still := range members(dir) {
				if still == pid {
					_ = unix.PidfdSendSignal(fd, sig, nil, 0)
				}
			}
			unix.Close(fd)
		}
	}
	return any
}

// members are the processes of a cgroup.
func members(dir string) (list []int) {
	data, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	for word := range strings.FieldsSeq(string(data)) {
		if pid, err := strconv.Atoi(word); err == nil {
			list = append(list, pid)
		}
	}
	return list
}
