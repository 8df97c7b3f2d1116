package fault

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/e2e/lab"
)

// Kill kills all processes of these kinds. At least one has to run.
func Kill(l *lab.Lab, kinds ...string) {
	l.T.Helper()
	var pids []int
	for _, kind := range kinds {
		pids = append(pids, l.Processes(kind)...)
	}
	if len(pids) == 0 {
		l.T.Fatalf("none of %v runs", kinds)
	}
	for _, pid := range pids {
		unix.Kill(pid, unix.SIGKILL)
	}
}

// KilledAfter kills the command once it has logged n events. It returns false when the
// command has ended before.
func KilledAfter(c *lab.Process, l *lab.Lab, n int) bool {
	mark := fmt.Appendf(nil, `"pid":%d,`, c.Cmd.Process.Pid)
	begun := time.Now()
	for {
		log, _ := os.ReadFile(l.Log("dokku.log"))
		if bytes.Count(log, mark) >= n {
			c.Cmd.Process.Kill()
			<-c.Done
			return true
		}
		select {
		case <-c.Done:
			return false
		case <-time.After(time.Millisecond):
		}
		if time.Since(begun) > lab.Patience {
			c.T.Fatalf("%v does not end", c.Cmd.Args)
		}
	}
}

// Idle reports whether no process of a push is left.
func Idle(a *lab.App) bool {
	return len(a.Lab.Processes("shell"))+len(a.Lab.Processes("receive-pack"))+len(a.Lab.Processes("pre-receive"))+len(a.Lab.Processes("post-receive")) == 0
}
