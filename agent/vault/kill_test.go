package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"dokku/agent/disk"
	"dokku/agent/event"
)

// TestKilledBackup kills a backup after each of its file operations. The next one leaves one
// file for each backup of the log, and nothing of the killed one.
func TestKilledBackup(t *testing.T) {
	if at := os.Getenv("VAULT_KILL_AT"); at != "" {
		killedBackup(t, os.Getenv("VAULT_DIR"), at)
		return
	}
	t.Parallel()
	killed := 0
	for n := 1; ; n++ {
		dir := t.TempDir()
		v, p := Vault{Dir: filepath.Join(dir, "db")}, Plan{Place: filepath.Join(dir, "kept"), Keep: 1}
		old, err := v.Run(t.Context(), p, source("old"), Options{}, event.Log{}) // the killed one may replace it
		check(t, err)
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledBackup$")
		cmd.Env = append(os.Environ(), "VAULT_KILL_AT="+strconv.Itoa(n), "VAULT_DIR="+dir)
		out, err := cmd.CombinedOutput()
		if err == nil {
			break // it came to its end
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%v\n%s", err, out)
		}
		killed++
		if names := stored(t, p); len(names) == 0 || len(names) > 2 {
			t.Errorf("after operation %d %v are stored", n, names)
		}
		v.consistent(t, p, fmt.Sprintf("after operation %d", n), old.ID)
	}
	t.Logf("killed %d times", killed)
	if killed < 8 {
		t.Errorf("killed only %d times", killed)
	}
}

func killedBackup(t *testing.T, dir, at string) {
	n, err := strconv.ParseInt(at, 10, 64)
	check(t, err)
	var count atomic.Int64
	v := Vault{Dir: filepath.Join(dir, "db"), Disk: disk.Disk{Watch: func(disk.Op) {
		if count.Add(1) == n {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}}}
	_, err = v.Run(t.Context(), Plan{Place: filepath.Join(dir, "kept"), Keep: 1}, source("new"), Options{}, event.Log{})
	check(t, err)
}

// consistent makes one more backup, after which the place and the log agree.
func (v Vault) consistent(t *testing.T, p Plan, when, old string) {
	t.Helper()
	last, err := v.Run(t.Context(), p, source("last"), Options{}, event.Log{})
	check(t, err)
	l, err := v.Log()
	check(t, err)
	want := map[string]bool{}
	for _, b := range l.Backups {
		if !b.Over || b.ID == old && b.Stored {
			t.Errorf("%s: the log has %+v", when, b)
		}
		if b.Stored {
			want[b.Name] = true
		}
	}
	if !want[last.Name] {
		t.Errorf("%s: the log lacks the last backup", when)
	}
	err = filepath.WalkDir(p.Place, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(p.Place, path)
		if err == nil && !e.IsDir() && !want[name] {
			t.Errorf("%s: %s is left", when, name)
		}
		delete(want, name)
		return err
	})
	check(t, err)
	for name := range want {
		t.Errorf("%s: %s is missing", when, name)
	}
	if strings.Contains(strings.Join(stored(t, p), " "), old) {
		t.Errorf("%s: the old backup is still there", when)
	}
}
