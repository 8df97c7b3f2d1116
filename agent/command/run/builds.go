package run

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/text"
)

// buildCommands are Dokku's names for deploys, with the columns, keys and words of Dokku
// 0.38. An id is the number of a deploy.
var buildCommands = []cli.Spec{
	{
		Use: "builds:cancel APP", Role: cli.Operator, Short: "Cancel the deploy that is under way (Dokku's name of deploys:cancel)",
		Run: cancelBuild,
	},
	{
		Use: "builds:info APP BUILD-ID", Role: cli.Deployer, Short: "Show a deploy, in Dokku's form", Missing: "Please specify a build id",
		Flags: cli.FormatFlag, Words: deployNumbers,
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run:    showBuild,
	},
	{
		Use: "builds:list [APP]", Role: cli.Deployer, Short: "List an app's deploys, or those under way of all apps, in Dokku's form",
		Flags: func(f *pflag.FlagSet) {
			cli.FormatFlag(f)
			f.String("kind", "", "only builds, or only deploys without one: build or deploy")
			f.String("status", "", "only those with a status: "+strings.Join(buildStatuses, ", "))
		},
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json"),
			"kind": cli.OneOfWords(buildKinds...), "status": cli.OneOfWords(buildStatuses...)},
		Run: listBuilds,
	},
	{
		Use: "builds:output APP [BUILD-ID]", Role: cli.Deployer, Short: "Show what deploy BUILD-ID printed, or follow the one under way (Dokku's name of deploys:log)",
		Words: deployNumbers, Run: buildOutput,
	},
}

var (
	buildKinds    = []string{"build", "deploy"}
	buildStatuses = []string{"running", "succeeded", "failed", "canceled", "abandoned"}
)

// A buildRow is a deploy in Dokku's words.
type buildRow struct {
	ID       string     `json:"id"`
	App      string     `json:"app"`
	Kind     string     `json:"kind"`
	PID      int        `json:"pid"`
	Started  time.Time  `json:"started_at"`
	Finished *time.Time `json:"finished_at,omitempty"`
	Status   string     `json:"status"`
	Source   string     `json:"source"`
	ExitCode *int       `json:"exit_code,omitempty"`
	Display  string     `json:"display_status"`
	Duration string     `json:"duration"`
	LogPath  string     `json:"log_path"`
}

func buildOf(c *cli.Call, name string, d *app.Deploy) buildRow {
	b := buildRow{ID: strconv.Itoa(d.Number), App: name, Kind: "build", PID: d.Owner.PID, Started: d.Began, Source: d.Cause,
		Duration: took(d).Round(time.Second).String(), LogPath: c.Server.Env.Store.DeployLog(name, d.Number)}
	switch d.Cause {
	case "push":
		b.Source = "git-hook"
	case "releases:rollback":
		b.Kind = "deploy"
	}
	code := map[app.DeployState]int{app.DeployDone: 0, app.DeployRejected: 1, app.DeployCancelled: -1}
	b.Display = map[app.DeployState]string{app.DeployWaiting: "running", app.DeployRunning: "running", app.DeployDone: "succeeded", app.DeployRejected: "failed",
		app.DeployCancelled: "canceled", app.DeployInterrupted: "abandoned"}[d.State]
	if b.Status = b.Display; d.State == app.DeployInterrupted {
		b.Status = "running" // Dokku tells what is stored from what is seen
	}
	if n, ended := code[d.State]; ended {
		b.ExitCode = &n
	}
	if !d.Ended.IsZero() {
		b.Finished = &d.Ended
	}
	return b
}

// buildFormat checks --format, with Dokku's text.
func buildFormat(c *cli.Call) error {
	if f := c.Value("format"); f != "stdout" && f != "json" {
		return cli.Refuse("Invalid format specified, supported formats: json, stdout")
	}
	return nil
}

func listBuilds(c *cli.Call) error {
	if err := buildFormat(c); err != nil {
		return err
	}
	kind, status := c.Value("kind"), c.Value("status")
	if kind != "" && !slices.Contains(buildKinds, kind) {
		return cli.Refuse("Invalid --kind value %q (allowed: %s)", kind, strings.Join(buildKinds, ", "))
	}
	if status != "" && !slices.Contains(buildStatuses, status) {
		return cli.Refuse("Invalid --status value %q (allowed: %s)", status, strings.Join(buildStatuses, ", "))
	}
	var apps []string
	if c.App != nil {
		apps = []string{c.App.Name}
	} else {
		var err error
		if apps, err = c.Server.Env.Store.Apps(); err != nil {
			return err
		}
	}
	builds := []buildRow{}
	for _, name := range apps {
		list, err := c.Server.Env.Deploys(name)
		if err != nil {
			return err
		}
		for _, d := range list {
			b := buildOf(c, name, d)
			if (c.App != nil || b.Display == "running") && (kind == "" || kind == b.Kind) && (status == "" || status == b.Display) {
				builds = append(builds, b)
			}
		}
	}
	slices.SortStableFunc(builds, func(a, b buildRow) int { return b.Started.Compare(a.Started) })
	if c.Value("format") == "json" {
		return c.PrintJSON(builds)
	}
	printBuilds(c, builds)
	return nil
}

func printBuilds(c *cli.Call, builds []buildRow) {
	switch {
	case len(builds) == 0 && c.App == nil:
		c.Print("No builds currently running\n")
		return
	case len(builds) == 0:
		c.Print("No builds recorded for this app\n")
		return
	}
	rows := [][]string{{"Build ID", "Kind", "Status", "PID", "Source", "Started", "Duration"}}
	if c.App == nil {
		rows = [][]string{{"App", "Build ID", "Kind", "PID", "Source", "Started"}}
	}
	for _, b := range builds {
		pid, at := strconv.Itoa(b.PID), b.Started.UTC().Format(time.RFC3339)
		if c.App == nil {
			rows = append(rows, []string{b.App, b.ID, b.Kind, pid, b.Source, at})
		} else {
			rows = append(rows, []string{b.ID, b.Kind, b.Display, pid, b.Source, at, b.Duration})
		}
	}
	for _, line := range text.Columns(rows, 2) {
		c.Print("%s\n", line)
	}
}

func showBuild(c *cli.Call) error {
	if err := buildFormat(c); err != nil {
		return err
	}
	n, err := strconv.Atoi(c.Args[0])
	var d *app.Deploy
	if err == nil && slices.Contains(c.Server.Env.Store.DeployLogs(c.App.Name), n) {
		if d, err = c.Server.Env.Deploy(c.App.Name, n); err != nil {
			return err
		}
	}
	if d == nil {
		return cli.Refuse("No build record found for %s/%s", c.App.Name, c.Args[0])
	}
	b := buildOf(c, c.App.Name, d)
	if c.Value("format") == "json" {
		return c.PrintJSON(b)
	}
	rows := [][]string{{"Build ID:", b.ID}, {"App:", b.App}, {"Kind:", b.Kind}, {"Status:", b.Display}, {"PID:", strconv.Itoa(b.PID)},
		{"Source:", b.Source}, {"Started:", b.Started.UTC().Format(time.RFC3339)}}
	if b.Finished != nil {
		rows = append(rows, []string{"Finished:", b.Finished.UTC().Format(time.RFC3339)})
	}
	rows = append(rows, []string{"Duration:", b.Duration})
	if b.ExitCode != nil {
		rows = append(rows, []string{"Exit Code:", fmt.Sprint(*b.ExitCode)})
	}
	for _, line := range text.Columns(append(rows, []string{"Log:", b.LogPath}), 2) {
		c.Print("%s\n", line)
	}
	return nil
}

// notDeploying is Dokku's answer, with exit code 0, where no deploy is under way.
const notDeploying = "App not currently deploying"

func buildOutput(c *cli.Call) error {
	if len(c.Args) == 0 || c.Args[0] == "current" {
		d := c.Server.Env.Store.RunningDeploy(c.App.Name)
		if d == nil {
			c.Events().Step(notDeploying)
			return nil
		}
		return printDeployLog(c, d.Number, true)
	}
	n, err := strconv.Atoi(c.Args[0])
	if err != nil || !slices.Contains(c.Server.Env.Store.DeployLogs(c.App.Name), n) {
		return cli.Refuse("no such build %s for app %s", c.Args[0], c.App.Name)
	}
	return printDeployLog(c, n, false)
}

func cancelBuild(c *cli.Call) error {
	log := c.Events().WithApp(c.App.Name)
	if st := c.Server.Env.Store; st.RunningDeploy(c.App.Name) == nil && st.WaitingDeploy(c.App.Name) == nil {
		log.Step(notDeploying)
		return nil
	}
	log.Step("Killing app deploy")
	return cancelDeploy(c, 0, "dokku builds:cancel")
}
