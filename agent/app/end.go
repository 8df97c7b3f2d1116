package app

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An End is one end of a process that should run. The agent records it in dokku/ends.json,
// and the command logs shows it among the lines of the process.
type End struct {
	At        time.Time `json:"at"`
	Container string    `json:"container"` // id
	Process   string    `json:"process"`   // "web.1"
	ExitCode  int       `json:"exit_code"`
	// OOMKilled: the kernel killed it because its memory ran out. Survived: it killed another
	// process of the container, and the container has not ended.
	OOMKilled bool  `json:"oom_killed,omitempty"`
	Survived  bool  `json:"survived,omitempty"`
	Memory    int64 `json:"memory,omitempty"` // limit in bytes; 0: none
	// Restarted: the engine restarts it, for the time that Restarts counts.
	Restarted bool `json:"restarted,omitempty"`
	Restarts  int  `json:"restarts,omitempty"`
	// Policy is its restart policy; "" if it is not known.
	Policy string `json:"policy,omitempty"`
}

// Ends is the content of dokku/ends.json, in order of time.
type Ends struct {
	Version int   `json:"version"`
	Ends    []End `json:"ends"`
}

// Text says why the process of an app ended, and what follows.
func (e End) Text(app string) string {
	name, count, _ := strings.Cut(e.Policy, ":")
	limit, _ := strconv.Atoi(count)
	switch {
	case e.Survived:
		return "one of its processes was killed: " + e.memory()
	case e.Restarted && limit > 0:
		return fmt.Sprintf("%s, restarted (%d of %d)", e.cause(), e.Restarts, limit)
	case e.Restarted:
		return fmt.Sprintf("%s, restarted (%d)", e.cause(), e.Restarts)
	case e.Policy == "":
		return e.cause()
	case limit > 0 && e.ExitCode != 0 && e.Restarts >= limit:
		return fmt.Sprintf("%s; restarts used up (%d): dokku ps:restart %s starts it again", e.cause(), limit, app)
	case name == "no" || name == "on-failure" && e.ExitCode == 0:
		return fmt.Sprintf("%s; not restarted (restart policy %s): dokku ps:restart %s starts it again", e.cause(), e.Policy, app)
	}
	return fmt.Sprintf("%s; not restarted, since the engine was told to end it: dokku ps:restart %s starts it again", e.cause(), app)
}

// cause says how it ended. A shell, and the engine, report a signal as 128 and its number.
func (e End) cause() string {
	switch signal := unix.SignalName(syscall.Signal(e.ExitCode - 128)); {
	case e.OOMKilled:
		return "killed: " + e.memory()
	case e.ExitCode == 128+int(unix.SIGKILL):
		return "killed (exit code 137)"
	case signal != "":
		return fmt.Sprintf("exited with %d (%s)", e.ExitCode, signal)
	}
	return fmt.Sprintf("exited with %d", e.ExitCode)
}

func (e End) memory() string {
	if e.Memory == 0 {
		return "out of memory (it has no limit: the server's memory ran out)"
	}
	size := float64(e.Memory) / (1 << 20)
	if size >= 1000 {
		return fmt.Sprintf("out of memory (limit %.0f MB)", size)
	}
	return fmt.Sprintf("out of memory (limit %.4g MB)", size)
}
