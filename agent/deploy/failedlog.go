package deploy

import (
	"context"
	"fmt"
	"os"
	"strings"

	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/agent/event"
)

const (
	// failedLines is the number of lines that logs:failed has of each process.
	failedLines = 1000
	// failedBytes is the most that it has of each process, in bytes.
	failedBytes = 1 << 20
)

// keepFailed stores the logs of the processes that failed a deploy, for logs:failed,
// because undo removes their containers. A log that cannot be written changes no
// decision.
func (o *rollout) keepFailed(ctx context.Context, f *checks.Failure) {
	x := o.session
	var b strings.Builder
	seen := map[string]bool{}
	for _, one := range append([]*checks.Failure{f}, f.Also...) {
		t := one.Target
		if t.ID == "" || seen[t.ID] {
			continue
		}
		seen[t.ID] = true
		for _, line := range o.lastLines(ctx, t.ID, engine.LogOptions{Tail: failedLines, Timestamps: true}, failedBytes) {
			fmt.Fprintf(&b, "%s %s\n", t.Name, line)
		}
	}
	if err := os.WriteFile(x.Env.Store.FailedLog(x.Name), []byte(b.String()), 0o600); err != nil {
		x.Log.Warn("Cannot keep the log of the failed processes for logs:failed: %s", err)
	}
}

// lastLines returns the end of a container's log: the lines that the options select, and
// of those the last ones that most bytes hold.
func (o *rollout) lastLines(ctx context.Context, id string, options engine.LogOptions, most int) []string {
	var lines []string
	size := 0
	w := &event.Lines{Longest: maxLine, Line: func(l string) {
		if l == "" {
			return
		}
		stamp := ""
		if options.Timestamps { // not a part of what the app drew
			before, rest, _ := strings.Cut(l, " ")
			stamp, l = before+" ", rest
		}
		l = stamp + event.Printable(event.Drawn(l))
		lines, size = append(lines, l), size+len(l)
		for size > most && len(lines) > 1 {
			size -= len(lines[0])
			lines = lines[1:]
		}
	}}
	err := o.host.Logs(ctx, id, options, w)
	w.Flush()
	if err != nil {
		lines = append(lines, "(its log cannot be read: "+strings.TrimSpace(err.Error())+")")
	}
	return lines
}
