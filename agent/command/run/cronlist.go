package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/cron"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/text"
)

// cronItem is a task as cron:list --format json has it: Dokku's values, then ours.
type cronItem struct {
	ID        string `json:"id"`
	App       string `json:"app"`
	Command   string `json:"command"`
	Schedule  string `json:"schedule"`
	Policy    string `json:"concurrency_policy"`
	AppIn     bool   `json:"app-in-maintenance"`
	TaskIn    bool   `json:"task-in-maintenance"`
	InService bool   `json:"maintenance"`
	// Next is when it is due; "": not at all.
	Next string   `json:"next,omitempty"`
	Last *runItem `json:"last_run,omitempty"`
}

// runItem is a run as JSON.
type runItem struct {
	Run      string `json:"run"`
	Task     string `json:"id"`
	Command  string `json:"command"`
	Due      string `json:"due,omitempty"`
	Began    string `json:"began"`
	Ended    string `json:"ended,omitempty"`
	Outcome  string `json:"outcome"`
	ExitCode int    `json:"exit_code"`
	Error    string `json:"error,omitempty"`
	Missed   int    `json:"missed,omitempty"`
	Release  int    `json:"release,omitempty"`
	By       string `json:"by,omitempty"`
}

func newRunItem(r *app.CronRun) *runItem {
	return &runItem{Run: r.ID, Task: r.Task, Command: r.Command, Due: stamp(r.Minute), Began: stamp(r.Began), Ended: stamp(r.Ended),
		Outcome: string(r.Outcome), ExitCode: r.ExitCode, Error: r.Error, Missed: r.Missed, Release: r.Release, By: r.By}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func reportCron(v app.View) map[string]string {
	values := map[string]string{}
	cronProperties.Report(values, &v.State, v.Settings)
	values["cron-computed-maintenance"] = strconv.FormatBool(v.CronInMaintenance()) // as in Dokku, an app's false counts for nothing
	tasks := v.CronTasks()
	values["cron-task-count"] = strconv.Itoa(len(tasks))
	for _, t := range tasks {
		if t.Suspended {
			values["cron-maintenance-"+t.ID] = "true"
		}
	}
	return values
}

func listCron(c *cli.Call) error {
	if err := cli.OneOf("format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	if c.App == nil { // --global
		if c.Value("format") == "json" {
			c.Print("[]\n")
		} else {
			printTasks(c, nil)
		}
		return nil
	}
	v, err := listedTasks(c)
	if err != nil {
		return err
	}
	runs, err := c.Server.Env.Store.Runs(c.App.Name)
	if err != nil {
		return err
	}
	last := map[string]*app.CronRun{}
	for _, r := range runs {
		last[r.Key] = r
	}
	if c.Value("format") == "json" {
		return jsonTasks(c, v, last)
	}
	tasks := v.CronTasks()
	printTasks(c, tasks)
	for _, t := range tasks {
		if r := last[t.Key]; r != nil && r.Outcome == app.RunMissed {
			c.Warn("%s %s, the last time at %s: dokku cron:run %s %s runs it now", event.OneLine(t.Command), missedText(r), stamp(r.Minute), v.Name, t.ID)
		}
	}
	return nil
}

func missedText(r *app.CronRun) string {
	if r.Missed > 1 {
		return fmt.Sprintf("was missed %d times", r.Missed)
	}
	return "was missed"
}

// printTasks prints Dokku's columns.
func printTasks(c *cli.Call, tasks []app.CronTask) {
	rows := [][]string{{"ID", "Schedule", "Concurrency", "Maintenance", "Command"}}
	for _, t := range tasks {
		maintenance := "false"
		switch {
		case t.InMaintenance:
			maintenance = "true (task)"
		case t.AppInMaintenance:
			maintenance = "true (app)"
		}
		rows = append(rows, []string{t.ID, event.OneLine(t.Schedule), string(t.Policy), maintenance, event.OneLine(t.Command)})
	}
	for _, line := range text.Columns(rows, 2) {
		c.Print("%s\n", line)
	}
}

func jsonTasks(c *cli.Call, v app.View, last map[string]*app.CronRun) error {
	items := []cronItem{}
	now := time.Now()
	for _, t := range v.CronTasks() {
		it := cronItem{ID: t.ID, App: v.Name, Command: t.Command, Schedule: t.Schedule, Policy: string(t.Policy),
			AppIn: t.AppInMaintenance, TaskIn: t.InMaintenance, InService: !t.Runs()}
		if t.Runs() {
			it.Next = stamp(t.When.Next(now, v.CronZone()))
		}
		if r := last[t.Key]; r != nil {
			it.Last = newRunItem(r)
		}
		items = append(items, it)
	}
	return c.PrintJSON(items)
}

// runNames completes a run.
func runNames(c *cli.Call) (names []string) {
	if c.App == nil || len(c.Args) > 0 {
		return nil
	}
	runs, _ := c.Server.Env.Store.Runs(c.App.Name)
	for _, r := range runs {
		names = append(names, r.ID)
	}
	return names
}

func cronLogs(c *cli.Call) error {
	most, err := strconv.Atoi(c.Value("num"))
	if err != nil || most < 1 {
		return c.UsageError("Invalid --num %q: it is how many runs are shown, from 1", c.Value("num"))
	}
	if err := cli.OneOf("format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	runs, err := c.Server.Env.Store.Runs(c.App.Name)
	if err != nil {
		return err
	}
	if len(c.Args) > 0 {
		return cronLog(c, runs, c.Args[0])
	}
	if c.Flag("tail") {
		return c.UsageError("--tail needs a run, or a Cron ID")
	}
	runs = runs[max(0, len(runs)-most):]
	if c.Value("format") == "json" {
		items := []*runItem{}
		for _, r := range runs {
			items = append(items, newRunItem(r))
		}
		return c.PrintJSON(items)
	}
	if len(runs) == 0 {
		c.Warn("No cron task of %s has run yet", c.App.Name)
		return nil
	}
	rows := [][]string{{"Run", "Began", "Took", "Result", "Command"}}
	for _, r := range runs {
		took := "-"
		if !r.Ended.IsZero() && r.Outcome != app.RunMissed && r.Outcome != app.RunSkipped {
			took = r.Ended.Sub(r.Began).Round(100 * time.Millisecond).String()
		}
		rows = append(rows, []string{r.ID, stamp(r.Began), took, event.OneLine(r.Text()), event.OneLine(r.Command)})
	}
	for _, line := range text.Columns(rows, 2) {
		c.Print("%s\n", line)
	}
	return nil
}

// cronLog prints the log of a run, or of the last run of a task. That of one that goes on is
// in the engine.
func cronLog(c *cli.Call, runs []*app.CronRun, name string) error {
	n := -1
	for i, r := range runs {
		if r.ID == name || r.Task == name && (r.Over() && r.Outcome != app.RunMissed && r.Outcome != app.RunSkipped || !r.Over()) {
			n = i
		}
	}
	if n < 0 {
		return cli.Refuse("No run %s of %s is kept: dokku cron:logs %[2]s lists them", event.OneLine(name), c.App.Name)
	}
	r := runs[n]
	if c.Value("format") == "json" {
		return c.PrintJSON(newRunItem(r))
	}
	if c.Headings() {
		c.Heading("%s %s: %s", r.ID, event.OneLine(r.Command), event.OneLine(r.Text()))
	}
	data, err := os.ReadFile(c.Server.Env.Store.RunLog(c.App.Name, r.ID))
	if errors.Is(err, fs.ErrNotExist) {
		if err = nil; !r.Over() {
			return liveLog(c, r)
		}
	}
	if err == nil {
		c.Print("%s", event.PrintableLines(string(data)))
	}
	return err
}

// liveLog prints the log of a run that goes on; with --tail until it ends.
func liveLog(c *cli.Call, r *app.CronRun) error {
	host, err := c.Engine()
	if err != nil {
		return err
	}
	o, err := deploy.Observe(c.Ctx, host, c.App)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(o.Instances, func(i engine.Instance) bool { return i.CronRun == r.ID })
	if i < 0 {
		return nil
	}
	out := &event.Lines{Line: func(line string) { c.Print("%s\n", event.Printable(line)) }}
	err = host.Logs(c.Ctx, o.Instances[i].ID, engine.LogOptions{Follow: c.Flag("tail")}, out)
	out.Flush()
	if c.Flag("tail") && errors.Is(c.Ctx.Err(), context.Canceled) {
		return nil // the client has gone, which is the normal end
	}
	return err
}

// runningCron completes the runs that go on.
func runningCron(c *cli.Call) (names []string) {
	if c.App == nil || len(c.Args) > 0 {
		return nil
	}
	runs, _ := c.Server.Env.Store.Runs(c.App.Name)
	for _, r := range runs {
		if !r.Over() {
			names = append(names, r.ID)
		}
	}
	return names
}

// stopCron stops a run, or all of a task.
func stopCron(c *cli.Call) error {
	name := c.Args[0]
	runs, err := c.Server.Env.Store.Runs(c.App.Name)
	if err != nil {
		return err
	}
	known, stopped := false, 0
	log := c.Events().WithApp(c.App.Name)
	for _, r := range runs {
		if r.ID != name && r.Task != name {
			continue
		}
		if known = true; r.Over() {
			continue
		}
		log.Step("Stopping %s: %s", r.ID, event.OneLine(r.Command))
		switch err := cron.Stop(c.Ctx, c.Server, c.App.Name, r); {
		case errors.Is(err, cron.ErrNotRunning): // it has just ended
		case err != nil:
			return err
		default:
			stopped++
		}
	}
	switch {
	case !known:
		return cli.Refuse("No run %s of %s is kept: dokku cron:logs %[2]s lists them", event.OneLine(name), c.App.Name)
	case stopped == 0:
		return cli.Refuse("%s of %s does not run: dokku cron:logs %[2]s shows how it ended", event.OneLine(name), c.App.Name)
	}
	return nil
}
