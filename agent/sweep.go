package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/failpoint"
)

// sweepRepository removes what git leaves in a bare repository when it is
// killed: quarantines of pushes that never ended, and the lock files of refs,
// which block every later push. The caller holds the app's lock; own is the push
// that it works for, the zero Owner outside of a push.
//
// Nothing is removed while another git writes to the repository: a push that
// waits for the app's lock has a quarantine too. The order matters. What is
// listed first belongs to a process that exists by then, so the look at the
// processes afterwards must find it. A crash in between leaves the rest for the
// next sweep.
func sweepRepository(dir string, own Owner) error {
	if err := failpoint.Count("git", "clear away what a killed git left"); err != nil {
		return err
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("cannot clean up after git: %w", err)
	}
	left, err := leftovers(dir)
	if err != nil {
		return fmt.Errorf("cannot clean up after git in %s: %w", dir, err)
	}
	// A push always has its own quarantine: only what else is left is worth a look
	// at every process of the host.
	left = slices.DeleteFunc(left, func(path string) bool { return own.PID != 0 && isOwnQuarantine(path) })
	if len(left) == 0 {
		return nil
	}
	writers, err := writersOf(dir, own)
	if err != nil {
		return fmt.Errorf("cannot clean up after git in %s: %w", dir, err)
	}
	if len(writers) > 0 {
		return nil
	}
	var errs []error
	for _, path := range left {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// isOwnQuarantine reports whether path is where git keeps the objects of the
// push that this process is a hook of.
func isOwnQuarantine(path string) bool {
	for _, name := range []string{"GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY"} {
		if own, err := filepath.EvalSymlinks(os.Getenv(name)); err == nil && own == path {
			return true
		}
	}
	return false
}

// leftovers lists what a killed git may have left. No ref ends in .lock
// (git-check-ref-format), so that below refs/ the suffix alone decides.
func leftovers(dir string) ([]string, error) {
	var left []string
	for _, pattern := range []string{
		"objects/tmp_objdir-incoming-*", "objects/incoming-*", // git >= 2.35, older
		"packed-refs.lock", "packed-refs.new", "shallow.lock", "HEAD.lock", "config.lock",
	} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		left = append(left, found...)
	}
	err := filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // git removes empty folders of refs
		case err != nil:
			return err
		case !d.IsDir() && strings.HasSuffix(path, ".lock"):
			left = append(left, path)
		}
		return nil
	})
	return left, err
}

// writing holds the git commands that make what a sweep removes.
var writing = map[string]bool{
	"receive-pack": true, "index-pack": true, "unpack-objects": true, "update-ref": true, "fetch": true, "gc": true,
	"maintenance": true, "repack": true, "pack-refs": true, "prune": true, "symbolic-ref": true, "branch": true,
	"tag": true, "config": true,
}

// writersOf lists the processes that write to the repository at dir as git,
// except own and what own started.
func writersOf(dir string, own Owner) ([]int, error) {
	pids, err := processIDs()
	if err != nil {
		return nil, err
	}
	var writers []int
	for _, pid := range pids {
		p, err := readProcess(pid)
		if err != nil || p.dead() || !writing[gitCommand(p.args)] {
			continue // ended since it was listed, or harmless
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

// worksIn reports whether the process works in dir, or was told to. Another
// user's working folder cannot be read: such a process counts unless it was
// told of another place.
func worksIn(p process, dir string) bool {
	cwd, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(p.pid), "cwd"))
	if err == nil && within(cwd, dir) {
		return true
	}
	elsewhere := false
	for _, arg := range p.args[1:] {
		_, value, ok := strings.Cut(arg, "=") // --git-dir=/path
		if !ok {
			value = arg
		}
		if !filepath.IsAbs(value) {
			continue
		}
		elsewhere = true
		if real, err := filepath.EvalSymlinks(value); err == nil && within(real, dir) {
			return true
		}
	}
	return errors.Is(err, fs.ErrPermission) && !elsewhere
}

func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator))
}

// descends reports whether p is the owner or was started below it.
func descends(p process, own Owner) bool {
	for err := error(nil); own.PID > 0 && err == nil && p.pid > 1; p, err = readProcess(p.parent) {
		if p.pid == own.PID {
			return p.start == own.Start
		}
	}
	return false
}
