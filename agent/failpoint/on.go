//go:build failpoints

package failpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrLost makes the caller carry a call out and lose its answer.
var ErrLost = errors.New("failpoint: the answer was lost")

// holdFor limits a hold, so that a dead test leaves no process waiting forever.
const holdFor = time.Minute

var (
	mu      sync.Mutex
	counted = map[string]int{}
	// disk is the error of every change of a file; call is that of the next call of the
	// engine.
	disk, call error
)

// Reach is a moment at which a test can strike.
func Reach(name Name) error { return visit(string(name)) }

// Count is Reach before a change of a file, a call of the engine or a step of git.
func Count(kind, what string) error {
	err := visit("any")
	if err == nil {
		err = visit(kind + ": " + what)
	}
	if err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	switch {
	case kind == "file":
		return disk
	case kind == "engine" && call != nil:
		err, call = call, nil
	}
	return err
}

// visit records that the process has reached a point, and carries out the plan.
func visit(what string) error {
	root := os.Getenv("DOKKU_ROOT")
	if root == "" {
		return nil
	}
	dir := filepath.Join(root, ".dokku", "failpoints")
	mu.Lock()
	counted[what]++
	point := fmt.Sprintf("%s/%s#%d", role(os.Args), what, counted[what])
	mu.Unlock()
	record(dir, point)
	plan := filepath.Join(dir, "plan")
	action := planned(plan, point)
	if action == "" || !claim(dir, point) {
		return nil
	}
	return act(action, point, plan)
}

// role returns the name of the process in points.
func role(args []string) string {
	if name := filepath.Base(args[0]); strings.HasSuffix(name, "-receive") {
		return name
	}
	if n := slices.IndexFunc(args[1:], func(a string) bool { return !strings.HasPrefix(a, "-") }); n >= 0 {
		return args[1+n]
	}
	return "help"
}

func record(dir, point string) {
	f, err := os.OpenFile(filepath.Join(dir, "reached"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return // no test records points
	}
	defer f.Close()
	fmt.Fprintf(f, "%d %s\n", os.Getpid(), point)
}

// planned is the action at a point, or "".
func planned(plan, point string) string {
	data, _ := os.ReadFile(plan)
	for line := range strings.Lines(string(data)) {
		if action, ok := strings.CutPrefix(strings.TrimSpace(line), point+" "); ok {
			return action
		}
	}
	return ""
}

// claim makes sure that an action happens once.
func claim(dir, point string) bool {
	f, err := os.OpenFile(filepath.Join(dir, "struck"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "%d %s\n", os.Getpid(), point)
	return err == nil
}

func act(action, point, plan string) error {
	mu.Lock()
	defer mu.Unlock()
	switch action {
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "hold":
		mu.Unlock()
		hold(plan)
		mu.Lock()
		return nil
	case "error":
		return fmt.Errorf("failpoint: %s fails", point)
	case "full":
		disk = syscall.ENOSPC
	case "io":
		disk = syscall.EIO
	case "timeout":
		call = fmt.Errorf("failpoint: %w", context.DeadlineExceeded)
	case "lost":
		call = ErrLost
	default:
		return fmt.Errorf("failpoint: no such action: %q", action)
	}
	return nil
}

func hold(plan string) {
	for end := time.Now().Add(holdFor); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if _, err := os.Stat(plan); err != nil {
			return
		}
	}
}
