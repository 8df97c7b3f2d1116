// Package cgrouptest makes cgroups for tests, which run as root.
package cgrouptest

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"dokku/agent/cgroup"
)

var count atomic.Int64

// Tree makes the cgroups of a server for a test and returns the value of cgroup in server.json.
func Tree(t *testing.T) string {
	t.Helper()
	// At most 20 characters.
	name := "dokku-" + strconv.FormatInt(int64(os.Getpid()), 36) + "-" + strconv.FormatInt(count.Add(1), 36)
	for _, dir := range folders(name) {
		must(t, os.Mkdir(dir, 0o755))
		t.Cleanup(func() { remove(t, dir) })
		if unified() {
			must(t, os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+memory +pids +cpu"), 0))
			must(t, os.Mkdir(filepath.Join(dir, "rest"), 0o755))
		}
	}
	if _, err := cgroup.Open(name); err != nil {
		t.Fatal(err)
	}
	return name
}

// Groups are the names of the cgroups of pushes and clones in a tree.
func Groups(name string) (list []string) {
	for _, dir := range folders(name) {
		found, _ := filepath.Glob(filepath.Join(dir, "git-*"))
		for _, path := range found {
			list = append(list, filepath.Base(path))
		}
	}
	return list
}

// Of returns the cgroup of a process below the tree of a name, such as "/rest"; "" for none.
func Of(t *testing.T, name string, pid int) string {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	must(t, err)
	for line := range strings.Lines(string(data)) {
		_, below, ok := strings.Cut(strings.TrimSpace(line), filepath.Base(folders(name)[0]))
		if ok {
			return below
		}
	}
	return ""
}

// Limit returns a group's limit of memory in bytes.
func Limit(t *testing.T, name, group string) string {
	t.Helper()
	file := "memory.limit_in_bytes"
	if unified() {
		file = "memory.max"
	}
	data, err := os.ReadFile(filepath.Join(folders(name)[0], group, file))
	must(t, err)
	return strings.TrimSpace(string(data))
}

func unified() bool {
	var st unix.Statfs_t
	return unix.Statfs("/sys/fs/cgroup", &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

func folders(name string) (list []string) {
	if unified() {
		return []string{filepath.Join("/sys/fs/cgroup/system.slice", cgroup.Unit(name))}
	}
	for _, c := range []string{"memory", "cpu", "pids"} {
		list = append(list, filepath.Join("/sys/fs/cgroup", c, name))
	}
	return list
}

// remove removes a cgroup and those below it, with the processes in them.
func remove(t *testing.T, dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			remove(t, filepath.Join(dir, e.Name()))
		}
	}
	for {
		err := os.Remove(dir)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		data, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if t.Context().Err() == nil || !errors.Is(err, unix.EBUSY) {
			t.Errorf("cannot remove a cgroup: %v", err)
			return
		}
		for word := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(word); err == nil {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
