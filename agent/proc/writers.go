package proc

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"dokku/agent/disk"
)

// writing lists the git commands that create the files that a sweep removes.
var writing = map[string]bool{
	"receive-pack": true, "index-pack": true, "unpack-objects": true, "update-ref": true, "fetch": true, "gc": true,
	"maintenance": true, "repack": true, "pack-refs": true, "prune": true, "symbolic-ref": true, "branch": true,
	"tag": true, "config": true,
}

// WritersOf lists the git processes that may write to the repository at dir, except
// own and its descendants.
func WritersOf(dir string, own Owner) ([]int, error) {
	pids, err := processIDs()
	if err != nil {
		return nil, err
	}
	var writers []int
	for _, pid := range pids {
		p, err := readProcess(pid)
		if err != nil || p.dead() || !writing[gitCommand(p.Args)] {
			continue // it has ended in the meantime, or is harmless
		}
		if worksIn(p, dir) && !descends(p, own) {
			writers = append(writers, pid)
		}
	}
	return writers, nil
}

func processIDs() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// worksIn reports whether the working folder or an argument of the process lies in dir.
// The working folder of another user's process cannot be read; such a process counts
// unless it has the path of another folder as an argument.
func worksIn(p process, dir string) bool {
	cwd, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(p.Pid), "cwd"))
	if err == nil && disk.Within(cwd, dir) {
		return true
	}
	elsewhere := false
	for _, arg := range p.Args[1:] {
		_, value, ok := strings.Cut(arg, "=") // --git-dir=/path
		if !ok {
			value = arg
		}
		if !filepath.IsAbs(value) {
			continue
		}
		elsewhere = true
		if real, err := filepath.EvalSymlinks(value); err == nil && disk.Within(real, dir) {
			return true
		}
	}
	return errors.Is(err, fs.ErrPermission) && !elsewhere
}

// descends reports whether p is the owner or its descendant.
func descends(p process, own Owner) bool {
	for err := error(nil); own.PID > 0 && err == nil && p.Pid > 1; p, err = readProcess(p.Parent) {
		if p.Pid == own.PID {
			return p.Start == own.Start
		}
	}
	return false
}
