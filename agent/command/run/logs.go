package run

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
	"dokku/agent/event"
)

var logCommands = []cli.Spec{
	{
		Use: "logs APP", Role: cli.Deployer, Short: "Show the logs of the app's processes",
		Long: "It merges the lines of all processes by time. With -t it shows new lines, also of later deploys, until\nyou interrupt it. " +
			"logs:failed shows the processes of the last failed deploy, deploys:log what a deploy printed.\n\n" +
			"A line that begins with dokku: says why a process ended, and whether it was restarted.",
		Example: "dokku logs hello -t -p worker",
		Flags: func(f *pflag.FlagSet) {
			f.BoolP("tail", "t", false, "show new lines until interrupted")
			f.StringP("num", "n", "100", "number of lines of each process, or all; 0 with -t means new lines only")
			f.StringP("ps", "p", "", "only this process type (web) or process (web.1)")
			f.BoolP("quiet", "q", false, "only the lines, without times and names")
		},
		Values: map[string]func(*cli.Call) []string{"ps": (*cli.Call).Types},
		Run:    runLogs,
	},
}

func runLogs(c *cli.Call) error {
	tail, err := parseTail(c.Value("num"))
	if err != nil {
		return err
	}
	if err := c.Deployed(); err != nil {
		return err
	}
	if p := c.Value("ps"); p != "" {
		kind, _, _ := strings.Cut(p, ".")
		if types := c.Types(); !slices.Contains(types, kind) {
			return cli.Refuse("App %s has no process type %q, it has: %s", c.App.Name, event.OneLine(kind), strings.Join(types, ", "))
		}
	}
	host, err := c.Engine()
	if err != nil {
		return err
	}
	l := &logReader{Call: c, console: host, find: func(_ context.Context, a *app.App) ([]engine.Instance, error) { return c.Instances(a) },
		process: c.Value("ps"), raw: c.Flag("quiet"), read: map[string]time.Time{}}
	if !l.raw {
		l.ends = newEndReader(c)
	}
	if err := l.history(tail); err != nil {
		return err
	}
	if !c.Flag("tail") {
		return nil
	}
	err = l.follow()
	if c.Ctx.Err() != nil {
		return nil // the client has gone, which is the normal end
	}
	return err
}

// A logReader reads the logs of an app's containers.
type logReader struct {
	Call    *cli.Call
	console engine.Prober
	find    func(context.Context, *app.App) ([]engine.Instance, error)
	process string     // a type or a process; "" means all
	raw     bool       // print the lines without their times and processes
	tinted  []string   // the processes that have a colour, see tint
	ends    *endReader // nil: the ends of processes are not shown

	mu   sync.Mutex
	read map[string]time.Time // time of the newest line that was read, by container
}

// A logLine is a line of a process's log.
type logLine struct {
	process string // "web.1", or "web.1@node2"
	stamp   string // as the engine wrote it
	at      time.Time
	text    string
}

// instances returns the containers whose lines are shown.
func (l *logReader) instances(app *app.App) ([]engine.Instance, error) {
	all, err := l.find(l.Call.Ctx, app)
	return slices.DeleteFunc(all, func(i engine.Instance) bool {
		return l.process != "" && l.process != i.Type && l.process != processName(i)
	}), err
}

func processName(i engine.Instance) string { return fmt.Sprintf("%s.%d", i.Type, i.Index) }

// source is what a line of a process's log names: the process, and its node on a swarm.
func source(i engine.Instance) string {
	if i.Placed() && i.Node != "" {
		return processName(i) + "@" + i.Node
	}
	return processName(i)
}

// allLines is the number of lines that --num all asks for.
const allLines = -1

// parseTail reads the value of --num.
func parseTail(value string) (int, error) {
	if value == "all" {
		return allLines, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, cli.Refuse("Invalid value %q for --num: give the number of lines, or all", event.OneLine(value))
	}
	return n, nil
}

// history prints the last lines of each process, merged by time. Without any (tail is 0)
// it still notes where each log ends, for the new lines that follow.
func (l *logReader) history(tail int) error {
	instances, err := l.instances(l.Call.App)
	if err != nil {
		return err
	}
	lines, err := l.ends.read(l.Call.App, instances)
	if err != nil {
		return err
	}
	for _, i := range instances {
		l.tint(source(i)) // in the order of the processes, not of their lines
		o := engine.LogOptions{Tail: max(0, cmp.Or(tail, 1)), Timestamps: true}
		if err := l.lines(l.Call.Ctx, i, o, func(line logLine) { lines = append(lines, line) }); err != nil {
			return fmt.Errorf("cannot read the log of %s: %w", i.Name, err)
		}
	}
	if tail != 0 {
		l.printLines(last(lines, tail))
	}
	return nil
}

// last returns the last lines of each process, by time; allLines: all.
func last(lines []logLine, tail int) []logLine {
	slices.SortStableFunc(lines, func(a, b logLine) int { return a.at.Compare(b.at) })
	left := map[string]int{}
	for _, line := range lines {
		left[line.process]++
	}
	return slices.DeleteFunc(lines, func(line logLine) bool {
		left[line.process]--
		return tail > 0 && left[line.process] >= tail
	})
}

// lines calls each with the lines of a container that were not read before.
func (l *logReader) lines(ctx context.Context, i engine.Instance, o engine.LogOptions, each func(logLine)) error {
	l.mu.Lock()
	after := l.read[i.ID]
	l.read[i.ID] = after
	l.mu.Unlock()
	w := &event.Lines{Line: func(raw string) {
		line := parseLogLine(source(i), raw)
		if line.at.IsZero() {
			line.at = after
		} else if !line.at.After(after) {
			return
		}
		after = line.at
		l.mu.Lock()
		l.read[i.ID] = after
		l.mu.Unlock()
		each(line)
	}}
	err := l.console.Logs(ctx, i.ID, o, w)
	w.Flush()
	return err
}

// wasRead reports whether the container's log was opened before.
func (l *logReader) wasRead(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.read[id]
	return ok
}

// printLines prints lines in the order of their times. It leaves out control characters,
// which must not reach the reader's terminal.
func (l *logReader) printLines(lines []logLine) {
	slices.SortStableFunc(lines, func(a, b logLine) int { return a.at.Compare(b.at) })
	var b strings.Builder
	for _, line := range lines {
		text := event.Drawn(line.text)
		if l.Call.Colours() {
			text = event.Styled(text)
		} else {
			text = event.Printable(text)
		}
		if !l.raw {
			text = l.head(line) + " " + text
		}
		b.WriteString(text + "\n")
	}
	l.Call.Print("%s", b.String())
}

// tints are the colours of the processes, in Dokku's order (0.38): cyan, yellow, green,
// magenta, red.
var tints = []string{"36", "33", "32", "35", "31"}

// tint returns the colour of a process, which it keeps for later deploys too. Lines are
// printed by one goroutine at a time.
func (l *logReader) tint(process string) string {
	process, _, _ = strings.Cut(process, "@")
	if !slices.Contains(l.tinted, process) {
		l.tinted = append(l.tinted, process)
	}
	return tints[slices.Index(l.tinted, process)%len(tints)]
}

// head is what stands before a line: its time and its process.
func (l *logReader) head(line logLine) string {
	head := fmt.Sprintf("%s app[%s]:", line.stamp, line.process)
	if l.Call.Colours() {
		head = event.Tint(l.tint(line.process), head)
	}
	return head
}

// parseLogLine separates the engine's timestamp from a line. A line without one (the rest
// of a very long line) has the zero time.
func parseLogLine(process, raw string) logLine {
	stamp, text, _ := strings.Cut(raw, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return logLine{process: process, text: raw}
	}
	return logLine{process, stamp, at, text}
}
