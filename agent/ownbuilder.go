package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"dokku/agent/app"
	"dokku/agent/proc"
	"dokku/agent/store"
	"dokku/build/daemon"
)

// The commands of the service of the server's own builder: BuilderCommand NAME PROGRAMS runs it,
// and BuilderEnterCommand is what it calls itself with.
const (
	BuilderCommand      = "builder:daemon"
	BuilderEnterCommand = "builder:enter"
)

// builderState is the folder of the builder's own folder.
const builderState = "/var/lib"

// ServeBuilder runs the server's own builder until ctx is done. name is that of its service,
// programs the folder of its programs. It needs root.
func ServeBuilder(ctx context.Context, root, name, programs string, log func(format string, args ...any)) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the builder of a server needs root: its service %s starts it", name)
	}
	config := func() (daemon.Config, error) { return builderConfig(root, name, programs) }
	if _, err := config(); err != nil {
		return err
	}
	return daemon.Service{Config: config, Enter: []string{BuilderEnterCommand}, Log: log}.Serve(ctx)
}

// builderConfig is what the server's settings say of its builder.
func builderConfig(root, name, programs string) (c daemon.Config, err error) {
	s := &store.Store{Root: root}
	var set app.Settings
	err = proc.AsOwner(root, func() (err error) {
		set, err = s.Settings()
		return err
	})
	if err != nil {
		return c, err
	}
	info, err := os.Stat(root)
	if err != nil {
		return c, err
	}
	owner := info.Sys().(*syscall.Stat_t)
	c = daemon.Config{Name: name, Programs: programs, Runtime: runtimeProgram(), State: filepath.Join(builderState, name),
		Run: filepath.Dir(daemon.Socket(name)), UID: int(owner.Uid), GID: int(owner.Gid)}
	var host unix.Sysinfo_t
	if err := unix.Sysinfo(&host); err != nil {
		return c, err
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(builderState, &disk); err != nil {
		return c, err
	}
	c.Settings, err = set.BuilderLimits(int64(host.Totalram)*int64(host.Unit), int64(disk.Blocks)*disk.Bsize, runtime.NumCPU())
	return c, err
}

// runtimeProgram is the path of runc. The service's PATH is not asked: a folder that others may
// write could come first.
func runtimeProgram() string {
	for _, path := range []string{"/usr/sbin/runc", "/usr/bin/runc"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return "/usr/local/sbin/runc"
}
