package proc

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// AsOwner calls f, in which root opens, makes and removes files with the rights of the owner
// of DOKKU_ROOT, and returns f's error. For a command that needs root's rights for something
// else: below DOKKU_ROOT, its owner may put a link to any file in root's way. f may neither
// start goroutines that use files nor programs: these have root's rights.
func AsOwner(root string, f func() error) error {
	if os.Geteuid() != 0 {
		return f()
	}
	info, err := os.Stat(root)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	if owner.Uid == 0 {
		return f()
	}
	done := make(chan error)
	go func() {
		// The thread ends with this goroutine, which never unlocks it: no other one gets its rights.
		runtime.LockOSThread()
		err := takeFiles(owner.Uid, owner.Gid)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// takeFiles gives this thread the rights of a user for files (setfsuid(2)). With the user id,
// the kernel takes root's capabilities for files away.
func takeFiles(uid, gid uint32) error {
	if _, _, code := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); code != 0 {
		return fmt.Errorf("cannot give up root's groups: %w", code)
	}
	for call, id := range map[uintptr]uint32{unix.SYS_SETFSGID: gid, unix.SYS_SETFSUID: uid} {
		unix.RawSyscall(call, uintptr(id), 0, 0)
		// It reports no errors, and returns the id that held before the call.
		if now, _, _ := unix.RawSyscall(call, ^uintptr(0), 0, 0); uint32(now) != id {
			return errors.New("cannot take the rights of the owner of DOKKU_ROOT")
		}
	}
	return nil
}
