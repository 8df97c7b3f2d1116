package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// LockMode is how a lock is held.
type LockMode int

// The modes. Several holders can share a lock; an exclusive holder is alone.
const (
	Exclusive LockMode = unix.LOCK_EX
	Shared    LockMode = unix.LOCK_SH
)

// maxPoll is how long WaitLock sleeps between two attempts at most.
const maxPoll = 20 * time.Millisecond

// OpenLock opens a lock's file, and creates it with perm if it is missing. Closing the
// file releases the lock. So does the end of the process, because programs that it
// starts do not inherit the file. Never remove a lock's file,
// unless everybody who takes the lock asks Linked afterwards: a process that waits for a
// removed file gets a lock that no other process can see.
func OpenLock(path string, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, perm)
}

// Linked reports whether the path still leads to an open file. Who takes a lock whose file
// somebody may remove asks for it once the lock is taken, and begins again if it does not.
func Linked(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(open, there)
}

// TryLock takes the flock(2) of an open file or folder, unless another open file
// holds it. It never waits. It also changes the mode of a lock that f already holds, but
// not in one step: another process may get the lock in between.
func TryLock(f *os.File, mode LockMode) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), int(mode)|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}

// WaitLock is TryLock until it gets the lock, or until ctx is done; the error is then
// the cause of ctx. If the lock is free, WaitLock takes it even when ctx is done. It
// polls, because a blocking flock(2) cannot be cancelled together with a context.
func WaitLock(ctx context.Context, f *os.File, mode LockMode) error {
	_, err := WaitAny(ctx, []*os.File{f}, mode)
	return err
}

// WaitAny is WaitLock for the first of several locks that is free, and returns its index.
func WaitAny(ctx context.Context, files []*os.File, mode LockMode) (int, error) {
	for wait := time.Millisecond; ; wait = min(2*wait, maxPoll) {
		for n, f := range files {
			if ok, err := TryLock(f, mode); ok || err != nil {
				return n, err
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return 0, context.Cause(ctx)
		case <-timer.C:
		}
	}
}
