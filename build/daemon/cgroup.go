package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The two cgroups below the service's own: a memory limit that a step meets must not kill the
// daemon, and with version 2 only the lowest cgroups may have processes.
const (
	cgroupDaemon = "daemon"
	cgroupSteps  = "steps"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	// period is that of a limit of processors, in microseconds.
	period = 100_000
	// kept is the share of the memory that steps leave to the daemon: one fourth, but no
	// more than mostKept bytes.
	kept     = 4
	mostKept = 512 << 20
)

// cgroup is the service's own, on a host with either version of cgroups.
type cgroup struct {
	unified bool
	name    string
}

func (c Config) cgroup() cgroup {
	var st unix.Statfs_t
	unified := unix.Statfs(cgroupRoot, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
	return cgroup{unified, c.Name}
}

// accounting is the hierarchy of version 1 that measures processor time. Often it is that of cpu.
const accounting = "cpuacct"

// controllers are the hierarchies that version 1 has for the limits.
var controllers = []string{"memory", "cpu", "pids", accounting}

// folders are the folders of a cgroup below the service's own; "" is that one.
func (g cgroup) folders(below string) (list []string) {
	if g.unified {
		return []string{filepath.Join(cgroupRoot, g.name, below)}
	}
	for _, c := range controllers {
		if _, err := os.Stat(filepath.Join(cgroupRoot, c)); c == accounting && err != nil {
			continue
		}
		list = append(list, filepath.Join(cgroupRoot, c, g.name, below))
	}
	return list
}

// limit makes the cgroups with their limits.
func (g cgroup) limit(s Settings) error {
	if g.unified {
		// "+cpu +memory +pids" from the root down.
		for _, dir := range []string{"", g.name} {
			if dir != "" {
				if err := os.MkdirAll(filepath.Join(cgroupRoot, dir), 0o755); err != nil {
					return err
				}
			}
			if err := os.WriteFile(filepath.Join(cgroupRoot, dir, "cgroup.subtree_control"), []byte("+cpu +memory +pids"), 0); err != nil {
				return fmt.Errorf("cannot limit builds: %w", err)
			}
		}
	}
	for _, below := range []string{"", cgroupDaemon, cgroupSteps} {
		for _, dir := range g.folders(below) {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("cannot limit builds: %w", err)
			}
		}
	}
	_ = g.yield(false) // a service that was killed may have left it so, and no weight could be set
	for path, value := range g.values(s) {
		if err := os.WriteFile(filepath.Join(cgroupRoot, path), []byte(value), 0); err != nil {
			if errors.Is(err, fs.ErrNotExist) && strings.Contains(path, "swap") {
				continue // the kernel does not count swap
			}
			return fmt.Errorf("cannot limit builds: %w", err)
		}
	}
	return nil
}

// values are what the files of the cgroups get. The processes are those of steps alone: the
// daemon has to start some for the steps of others while one takes all.
func (g cgroup) values(s Settings) map[string]string {
	v := map[string]string{}
	number := func(n int64, none string) string {
		if n <= 0 {
			return none
		}
		return strconv.FormatInt(n, 10)
	}
	steps := s.Memory - min(s.Memory/kept, mostKept)
	quota := int64(s.CPUs * period)
	file, weight := g.weight()
	v[file] = weight
	if g.unified {
		v[filepath.Join(g.name, "memory.max")] = number(s.Memory, "max")
		v[filepath.Join(g.name, cgroupSteps, "memory.max")] = number(steps, "max")
		if s.Memory > 0 {
			v[filepath.Join(g.name, "memory.swap.max")] = "0"
		}
		v[filepath.Join(g.name, "cpu.max")] = number(quota, "max") + " " + strconv.Itoa(period)
		v[filepath.Join(g.name, cgroupSteps, "pids.max")] = number(s.Processes, "max")
		return v
	}
	v[filepath.Join("memory", g.name, "memory.limit_in_bytes")] = number(s.Memory, "-1")
	v[filepath.Join("memory", g.name, cgroupSteps, "memory.limit_in_bytes")] = number(steps, "-1")
	v[filepath.Join("cpu", g.name, "cpu.cfs_quota_us")] = number(quota, "-1")
	v[filepath.Join("pids", g.name, cgroupSteps, "pids.max")] = number(s.Processes, "max")
	return v
}

// weight is half of what others get.
func (g cgroup) weight() (file, value string) {
	if g.unified {
		return filepath.Join(g.name, "cpu.weight"), "50"
	}
	return filepath.Join("cpu", g.name, "cpu.shares"), "512"
}

// enter puts a process into the daemon's cgroup.
func (g cgroup) enter(pid int) error {
	for _, dir := range g.folders(cgroupDaemon) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("cannot limit builds: %w", err)
		}
	}
	return nil
}

// remove removes the cgroups once their processes have ended, for which it waits a while.
func (g cgroup) remove() error {
	var err error
	for range 50 {
		err = nil
		dirs := g.folders("")
		if !g.unified { // runc makes those of steps in all hierarchies
			dirs, _ = filepath.Glob(filepath.Join(cgroupRoot, "*", g.name))
		}
		for _, dir := range dirs {
			err = errors.Join(err, removeTree(dir))
		}
		if err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// removeTree removes a cgroup and those below it: their files cannot be removed.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeTree(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(err, os.Remove(dir))
}
