package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

// deployLogCommands show what is left of deploys.
var deployLogCommands = []cli.Spec{
	{
		Use: "logs:failed [APP]", Role: cli.Deployer, Short: "Show the logs of the processes that failed the last rejected deploy",
		Long:    "dokku keeps the last 1,000 lines of each, until another deploy is rejected. --all shows them for all apps.",
		Example: "dokku logs:failed hello",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("all", false, "all apps")
			f.BoolP("quiet", "q", false, "only the lines, without times and names")
		},
		Run: runLogsFailed,
	},
	{
		Use: "deploys:log APP [N]", Role: cli.Deployer, Short: "Show what the last deploy printed, or deploy N of the app",
		Long: "It shows accepted and rejected pushes, rebuilds and rollbacks. dokku keeps the last 20. -t follows one that is under\n" +
			"way until it ends; then the exit code is 0 if it was deployed, else 1.",
		Example: "dokku deploys:log hello\ndokku deploys:log hello 12 -t",
		Words:   deployNumbers,
		Flags:   func(f *pflag.FlagSet) { f.BoolP("tail", "t", false, "follow a deploy that is under way") },
		Run:     runDeployLog,
	},
}

// runLogsFailed prints Dokku's texts.
func runLogsFailed(c *cli.Call) error {
	if c.App != nil {
		return failedLog(c, c.App.Name)
	}
	switch {
	case len(c.Args) > 0:
		return c.UsageError("Unexpected argument %q", event.OneLine(c.Args[0]))
	case !c.Flag("all"):
		c.Warn("Deprecated: logs:failed specified without app, assuming --all")
	}
	apps, err := c.Apps()
	for _, name := range apps {
		if !c.Quiet {
			c.Print("%s\n", c.Paint(event.StyleStep, "-----> Running logs:failed against app "+name))
		}
		err = errors.Join(err, failedLog(c, name))
	}
	return err
}

// failedLog prints the log of an app's failed processes, merged by time.
func failedLog(c *cli.Call, name string) error {
	data, err := os.ReadFile(c.Server.Env.Store.FailedLog(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the log of the failed processes of %s: %w", name, err)
	}
	if err != nil || len(data) == 0 {
		c.Warn("No failed containers found")
		return nil
	}
	var lines []logLine
	var last time.Time
	for line := range strings.Lines(string(data)) {
		process, raw, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		l := parseLogLine(process, raw)
		if l.at.IsZero() { // the rest of a long line
			l.at = last
		}
		last = l.at
		lines = append(lines, l)
	}
	l := &logReader{Call: c, raw: c.Flag("quiet")}
	l.printLines(lines)
	return nil
}

func deployNumbers(c *cli.Call) []string {
	if c.App == nil {
		return nil
	}
	var words []string
	for _, n := range c.Server.Env.Store.DeployLogs(c.App.Name) {
		words = append(words, strconv.Itoa(n))
	}
	return words
}

func runDeployLog(c *cli.Call) error {
	n, err := chosenDeploy(c, c.Server.Env.Store.DeployLogs(c.App.Name))
	if err != nil {
		return err
	}
	return printDeployLog(c, n, c.Flag("tail"))
}

// printDeployLog prints the log of a deploy as its pusher saw it, without the times and
// the durations that the file has too. What the build and the app printed is in it, so
// hints keep the form of the server. With follow it goes on until the deploy has ended,
// and fails unless it was accepted.
func printDeployLog(c *cli.Call, n int, follow bool) error {
	name := c.App.Name
	f, err := os.Open(c.Server.Env.Store.DeployLog(name, n))
	if err != nil {
		return fmt.Errorf("cannot read the log of deploy %d of %s: %w", n, name, err)
	}
	defer f.Close()
	headed := !c.Env.Terminal || !c.Headings() // elsewhere it is the log alone
	w := &event.Lines{Longest: 1 << 20, Line: func(line string) {
		stamp, text, _ := strings.Cut(line, " ")
		if !headed {
			c.Heading("%s deploy %d, %s", name, n, stamp)
			headed = true
		}
		if text != "" && !strings.HasPrefix(text, "(") { // a duration
			c.Print("%s\n", event.Printable(text))
		}
	}}
	for {
		// A deploy that is under way now may write until the next look.
		d, err := c.Server.Env.Deploy(name, n)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, f); err != nil {
			return err
		}
		if !follow || d == nil || !d.Unfinished() {
			w.Flush()
			return outcome(c, d, follow)
		}
		select {
		case <-c.Ctx.Done():
			return context.Cause(c.Ctx)
		case <-time.After(followPause):
		}
	}
}

// followPause is the time between two looks at a log that grows.
const followPause = 200 * time.Millisecond

// outcome says of an interrupted deploy how it ended: its log just stops. The result of a
// deploy that was followed is that of the command; the log has told why.
func outcome(c *cli.Call, d *app.Deploy, followed bool) error {
	if d != nil && d.State == app.DeployInterrupted {
		c.Warn("Deploy %d of %s was interrupted: %s", d.Number, c.App.Name, cmp.Or(d.Error, "its process was killed"))
	}
	if !followed || d == nil || d.State == app.DeployDone {
		return nil
	}
	return cli.ErrSilent
}

// chosenDeploy returns the number of the deploy that the command line names, of those
// that have a log; by default the last one.
func chosenDeploy(c *cli.Call, kept []int) (int, error) {
	if len(kept) == 0 {
		return 0, cli.Refuse("App %s has no log of a deploy yet", c.App.Name)
	}
	if len(c.Args) == 0 {
		return kept[len(kept)-1], nil
	}
	n, err := strconv.Atoi(c.Args[0])
	if err != nil {
		return 0, cli.Refuse("Invalid deploy %q: give its number, from %d to %d", event.OneLine(c.Args[0]), kept[0], kept[len(kept)-1])
	}
	if !slices.Contains(kept, n) {
		return 0, cli.Refuse("App %s has no log of deploy %d: it has those of %d to %d", c.App.Name, n, kept[0], kept[len(kept)-1])
	}
	return n, nil
}
