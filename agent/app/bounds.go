package app

import (
	"cmp"
	"fmt"
	"strings"

	"dokku/build/options"
)

// What an operator's key may let one container take of the server. What an app has already stays, and an
// admin may set more.
const (
	// PropMaxMemory is the property of isolation:set --global for memory, a size as resource:limit
	// takes it. The default is that of a container without a limit of its own.
	PropMaxMemory = "max-memory"
	// mostLog is a file of a process's log, unless the server's own max-size is larger. It keeps some
	// weeks of a chatty process.
	mostLog = "50m"
	// mostLogFiles are those of one process.
	mostLogFiles = 10
)

// MaxMemory returns the most memory, in bytes, that an operator's key may give a container; 0: any, because
// containers of a swarm run on servers that this one does not know.
func (v View) MaxMemory() int64 {
	if n, err := ParseMemory(v.Settings.Isolation[PropMaxMemory]); err == nil {
		return n
	}
	if v.Scheduler() != SchedulerLocal {
		return 0
	}
	return MemoryShare(hostMemory())
}

// CheckMaxMemory refuses an operator's limit or reservation of memory, in bytes. A reservation raises the limit of
// a container that has none.
func (v View) CheckMaxMemory(n int64) error {
	most := v.MaxMemory()
	if most == 0 || n <= most {
		return nil
	}
	return fmt.Errorf("it is more than %dm, the most that an operator's key may give: ask an admin to set it, or to raise that: dokku isolation:set --global %s %s",
		most>>20, PropMaxMemory, shortSize(n))
}

// shortSize is a number of bytes as resource:limit takes it.
func shortSize(n int64) string {
	if n%(1<<30) == 0 {
		return fmt.Sprintf("%dg", n>>30)
	}
	return fmt.Sprintf("%dm", (n+1<<20-1)>>20)
}

// CheckMaxLog refuses an operator's size of a log's file.
func (v View) CheckMaxLog(size string) error {
	server := v.Settings.Logs[LogMaxSize]
	if server == LogUnlimited || server == size {
		return nil
	}
	most := cmp.Or(server, mostLog)
	if logBytes(most) < logBytes(mostLog) {
		most = mostLog
	}
	if size == LogUnlimited || logBytes(size) > logBytes(most) {
		return fmt.Errorf("%s is more than %s, the most that an operator's key may give: ask an admin to run it", size, most)
	}
	return nil
}

// logBytes is the size of a log's file that LogMaxSize or an option has, in bytes.
func logBytes(size string) int64 {
	n, err := parseSize(strings.TrimSpace(size))
	if err != nil {
		return 1 << 62
	}
	return n
}

// CheckMaxOptions refuses an operator's docker options.
func (v View) CheckMaxOptions(c options.Container) error {
	for _, o := range []struct {
		name  string
		bytes int64
	}{{"--memory", c.Memory}, {"--memory-reservation", c.Reservation}} {
		if err := v.CheckMaxMemory(o.bytes); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	if c.LogSize != "" {
		if err := v.CheckMaxLog(c.LogSize); err != nil {
			return fmt.Errorf("--log-opt max-size: %w", err)
		}
	}
	if c.LogFiles > mostLogFiles {
		return fmt.Errorf("--log-opt max-file: %d is more than %d, the most that an operator's key may give: ask an admin to run it", c.LogFiles, mostLogFiles)
	}
	return nil
}
