package hooks

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/repo"
	"dokku/build/source"
)

// serve runs git upload-pack for a client and returns its exit code. git and what it has
// started end with the client: git itself notices that the client is gone when it writes,
// and may compute for long before that.
func serve(ctx context.Context, env Env, req request) (int, error) {
	srv, err := env.Open(env.Root)
	if err != nil {
		return 1, err
	}
	a, err := srv.Load(req.app)
	if err != nil {
		return 1, err
	}
	set, err := srv.Settings()
	if err != nil {
		return 1, err
	}
	b, err := newBounds(set)
	if err != nil {
		return 1, err
	}
	defer b.close()
	// See runGit.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("git", req.service, a.Dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = env.Stdin, env.Stdout, env.Stderr
	cmd.Env = append(os.Environ(), repo.FrugalEnv()...)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	hung := hangup(ctx, env.Stdout)
	if err := b.start(cmd); err != nil {
		return 1, fmt.Errorf("cannot serve git %s: %w: install git", req.service, err)
	}
	select {
	case <-unreaped(cmd.Process.Pid):
	case <-hung:
		endGroup(cmd.Process.Pid)
	case <-signals:
		endGroup(cmd.Process.Pid)
	}
	cmd.Wait()
	if b.exceeded() {
		return 1, fmt.Errorf("cannot serve git %s of %s: git needs more memory for it than it may have (%s); clone a part of it (git clone --depth 1), or on the server: %s",
			req.service, req.app, source.Bytes(b.memory), setMemory)
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return 1, nil // a signal
}

// endGroup ends a git that is not reaped yet, and what it has started, which is in its process
// group.
func endGroup(pid int) {
	unix.Kill(-pid, unix.SIGTERM)
	select {
	case <-unreaped(pid):
	case <-time.After(grace):
	}
	unix.Kill(-pid, unix.SIGKILL)
}
