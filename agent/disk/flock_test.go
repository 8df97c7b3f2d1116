package disk_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dokku/agent/disk"
)

func openLock(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := disk.OpenLock(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func try(t *testing.T, f *os.File, mode disk.LockMode, want bool) {
	t.Helper()
	if ok, err := disk.TryLock(f, mode); ok != want || err != nil {
		t.Errorf("got the lock: %v, %v; want %v", ok, err, want)
	}
}

func TestTryLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	a, b, c := openLock(t, path), openLock(t, path), openLock(t, path)
	try(t, a, disk.Exclusive, true)
	try(t, a, disk.Exclusive, true)
	try(t, b, disk.Exclusive, false)
	try(t, b, disk.Shared, false)
	try(t, a, disk.Shared, true)
	try(t, b, disk.Shared, true)
	try(t, c, disk.Exclusive, false)
	try(t, a, disk.Exclusive, false)
	a.Close()
	b.Close()
	try(t, c, disk.Exclusive, true)
	if _, err := disk.TryLock(a, disk.Shared); err == nil {
		t.Error("a closed file has been locked")
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 || fi.Size() != 0 {
		t.Errorf("the lock's file is %v, %v", fi, err)
	}
	if _, err := disk.OpenLock(filepath.Join(path, "none"), 0o600); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("a lock below a file: %v", err)
	}
}

// A folder is a lock too.
func TestLockFolder(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	try(t, dir, disk.Exclusive, true)
	try(t, openFolder(t, dir.Name()), disk.Shared, false)
}

func openFolder(t *testing.T, path string) *os.File {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestWaitLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	a, b := openLock(t, path), openLock(t, path)
	gone := errors.New("the client is gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	try(t, a, disk.Exclusive, true)
	got := make(chan error)
	go func() { got <- disk.WaitLock(ctx, b, disk.Exclusive) }()
	cancel(gone)
	if err := <-got; !errors.Is(err, gone) {
		t.Errorf("after the end of its context: %v", err)
	}
	go func() { got <- disk.WaitLock(t.Context(), b, disk.Shared) }()
	a.Close()
	if err := <-got; err != nil {
		t.Error(err)
	}
	try(t, openLock(t, path), disk.Exclusive, false)
	b.Close()
	if err := disk.WaitLock(ctx, openLock(t, path), disk.Exclusive); err != nil {
		t.Errorf("a free lock: %v", err)
	}
	if err := disk.WaitLock(t.Context(), a, disk.Exclusive); !errors.Is(err, fs.ErrClosed) && !errors.Is(err, unix.EBADF) {
		t.Errorf("a closed file: %v", err)
	}
}

// A process that is killed gives its lock back, although a program that it has
// started goes on.
func TestKilledHolder(t *testing.T) {
	if path := os.Getenv("DOKKU_TEST_LOCK"); path != "" {
		holdLock(t, path)
	}
	path := filepath.Join(t.TempDir(), "lock")
	holder := exec.Command(os.Args[0], "-test.run=^TestKilledHolder$")
	holder.Env = append(os.Environ(), "DOKKU_TEST_LOCK="+path)
	out, err := holder.StdoutPipe()
	if err == nil {
		err = holder.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscan(bufio.NewReader(out), &child); err != nil {
		t.Fatal(err)
	}
	f := openLock(t, path)
	try(t, f, disk.Shared, false)
	holder.Process.Kill()
	holder.Wait()
	if err := syscall.Kill(child, 0); err != nil {
		t.Errorf("the child has not survived: %v", err)
	}
	try(t, f, disk.Exclusive, true)
	syscall.Kill(child, syscall.SIGKILL)
}

// holdLock takes a lock, starts a program, prints its process id, and waits for its
// own end.
func holdLock(t *testing.T, path string) {
	try(t, openLock(t, path), disk.Exclusive, true)
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Println(child.Process.Pid)
	child.Wait()
}
