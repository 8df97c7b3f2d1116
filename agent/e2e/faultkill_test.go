package e2e

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// kill kills all processes of these kinds, of which there has to be one.
func (l *lab) kill(kinds ...string) {
	l.t.Helper()
	var pids []int
	for _, kind := range kinds {
		pids = append(pids, l.processes(kind)...)
	}
	if len(pids) == 0 {
		l.t.Fatalf("none of %v runs", kinds)
	}
	for _, pid := range pids {
		unix.Kill(pid, unix.SIGKILL)
	}
}

// killedAfter kills the command once it has logged n events; it is false when
// the command has ended before.
func (c *process) killedAfter(l *lab, n int) bool {
	mark := fmt.Appendf(nil, `"pid":%d,`, c.cmd.Process.Pid)
	begun := time.Now()
	for {
		log, _ := os.ReadFile(l.log("dokku.log"))
		if bytes.Count(log, mark) >= n {
			c.cmd.Process.Kill()
			<-c.done
			return true
		}
		select {
		case <-c.done:
			return false
		case <-time.After(time.Millisecond):
		}
		if time.Since(begun) > patience {
			c.t.Fatalf("%v does not end", c.cmd.Args)
		}
	}
}

// idle reports whether no process of a push is left.
func (a *app) idle() bool {
	return len(a.processes("shell"))+len(a.processes("receive-pack"))+len(a.processes("pre-receive"))+len(a.processes("post-receive")) == 0
}
