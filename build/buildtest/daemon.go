package buildtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"dokku/build/daemon"
)

// enterDaemon is the word with which a test binary calls itself to become a daemon.
const enterDaemon = "buildtest-enter-daemon"

func init() {
	if len(os.Args) == 2 && os.Args[1] == enterDaemon {
		fmt.Fprintln(os.Stderr, daemon.Enter())
		os.Exit(1)
	}
}

// Daemon is a BuildKit of a test's own.
type Daemon struct {
	Socket string
	Config daemon.Config

	mu   sync.Mutex
	said []string
}

// Change changes the settings, for which the daemon starts again.
func (d *Daemon) Change(t testing.TB, change func(*daemon.Settings)) {
	t.Helper()
	before := d.PID(t)
	d.mu.Lock()
	change(&d.Config.Settings)
	d.mu.Unlock()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(2 * time.Minute); ; {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the daemon does not start again: %q", d.Said())
		}
		if syscall.Kill(before, 0) != nil {
			d.Wait(t)
			return
		}
	}
}

// PID is the id of the daemon's process.
func (d *Daemon) PID(t testing.TB) int {
	t.Helper()
	for _, hierarchy := range []string{"pids", ""} {
		b, _ := os.ReadFile(filepath.Join("/sys/fs/cgroup", hierarchy, d.Config.Name, "daemon", "cgroup.procs"))
		var pid int
		if _, err := fmt.Sscan(string(b), &pid); err == nil {
			return pid
		}
	}
	t.Fatal("the daemon does not run")
	return 0
}

// NewDaemon starts a BuildKit as a server has it beside its engine, for one test, and waits
// until it answers. change may change its settings; nil: it does not. Only root can.
func NewDaemon(t testing.TB, change func(*daemon.Settings)) *Daemon {
	t.Helper()
	programs := DaemonPrograms(t)
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Fatalf("these tests need runc, which comes with docker.io: %v", err)
	}
	dir, err := os.MkdirTemp("", "daemon") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	d := &Daemon{Socket: filepath.Join(dir, "run", "buildkitd.sock")}
	d.Config = daemon.Config{Name: filepath.Base(dir), Programs: programs, Runtime: runc, State: filepath.Join(dir, "state"), Run: filepath.Join(dir, "run"),
		Settings: daemon.Settings{Memory: 2 << 30, Processes: 1000, CPUs: 2, Cache: 1 << 30, Frontends: []string{"docker/dockerfile"}}}
	if change != nil {
		change(&d.Config.Settings)
	}
	service := daemon.Service{Enter: []string{enterDaemon}, Log: d.say, Config: func() (daemon.Config, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.Config, nil
	}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- service.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	d.Wait(t)
	return d
}

func (d *Daemon) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, fmt.Sprintf(format, args...))
}

// Said returns what the service has told its administrator.
func (d *Daemon) Said() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string{}, d.said...)
}

// Wait waits until the daemon answers.
func (d *Daemon) Wait(t testing.TB) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for {
		if conn, err := net.Dial("unix", d.Socket); err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the daemon does not start: %q", d.Said())
		}
	}
}

// DaemonPrograms returns the folder of the daemon and of the programs of CNI. It builds
// them once for all tests of this machine.
func DaemonPrograms(t testing.TB) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	module := filepath.Join(filepath.Dir(filepath.Dir(file)), "daemon", "buildkitd")
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(b)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "dokku-test")
	dir := filepath.Join(cache, fmt.Sprintf("buildkitd-%x", sum.Sum(nil)[:8]))
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(dir + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	t.Log("building BuildKit's daemon, which takes some minutes")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+".new/", "tool")
	cmd.Dir, cmd.Env = module, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build BuildKit's daemon: %v\n%s", err, out)
	}
	if err := os.Rename(dir+".new", dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
