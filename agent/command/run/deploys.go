package run

import (
	"fmt"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/text"
)

// deployCommands are about deploys as they happen. A deploy is a push, accepted or not, a
// rebuild, or a rollback.
var deployCommands = []cli.Spec{
	{
		Use: "deploys APP", Role: cli.Deployer, Short: "List the app's last deploys: what became of them, and how long each part took", Flags: cli.FormatFlag,
		Long: "A deploy is a push, accepted or not, a rebuild, or a rollback. dokku keeps the last 20; deploys:log shows what one\n" +
			"printed. A deploy is waiting (a detached push, for its turn), running, deployed, rejected, cancelled, or\n" +
			"interrupted: its process was killed.\n\n" +
			"--format json prints a list of objects, the oldest first, with these keys:\n" +
			"  number        of the deploy\n" +
			"  state         waiting, running, deployed, rejected, cancelled or interrupted\n" +
			"  cause         push, ps:rebuild, releases:rollback, git:sync, ...\n" +
			"  by            who asked for it: the name of an ssh key, or a user of the server\n" +
			"  revision      the full revision\n" +
			"  message       of git push -o message\n" +
			"  release       the number of the release that it made\n" +
			"  began, ended  in UTC\n" +
			"  milliseconds  how long it took, or takes already; not for an interrupted one\n" +
			"  phases        a list of {\"name\", \"milliseconds\"}: wait, validate, build, predeploy, release, start, gate, publish, postdeploy\n" +
			"  error         why it was rejected or cancelled\n" +
			"Keys without a value are left out.",
		Example: "dokku deploys hello\ndokku deploys hello --format json",
		Values:  map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run:     listDeploys,
	},
	{
		Use: "deploys:cancel APP [N]", Role: cli.Operator, Short: "Cancel the deploy that is under way, or deploy N",
		Long: "Without N, a detached push that waits for its turn is cancelled where no deploy is under way. It ends like a push whose pusher pressed Ctrl-C: nothing has changed, and the pusher reads who cancelled it. The\n" +
			"command returns when all is cleaned up. It fails if no deploy is under way, and if git has accepted the deploy or is\n" +
			"about to. Other commands that hold the app's lock (ps:restart, config:set, ps:scale) are not cancelled, but named.",
		Words: deployNumbers,
		Run: func(c *cli.Call) error {
			n := 0
			if len(c.Args) > 0 {
				var err error
				if n, err = chosenDeploy(c, c.Server.Env.Store.DeployLogs(c.App.Name)); err != nil {
					return err
				}
			}
			return cancelDeploy(c, n, "dokku deploys:cancel")
		},
	},
}

// A deployRow is a deploy as --format json has it.
type deployRow struct {
	Number       int             `json:"number"`
	State        app.DeployState `json:"state"`
	Cause        string          `json:"cause"`
	By           string          `json:"by,omitempty"`
	Revision     string          `json:"revision"`
	Message      string          `json:"message,omitempty"`
	Release      int             `json:"release,omitempty"`
	Began        time.Time       `json:"began"`
	Ended        time.Time       `json:"ended,omitzero"`
	Milliseconds int64           `json:"milliseconds,omitempty"`
	Phases       []app.Phase     `json:"phases,omitempty"`
	Error        string          `json:"error,omitempty"`
}

func rowOf(d *app.Deploy) deployRow {
	return deployRow{d.Number, d.State, d.Cause, d.By, d.Revision, d.Message, d.Release, d.Began, d.Ended, took(d).Milliseconds(), d.Phases, d.Error}
}

func listDeploys(c *cli.Call) error {
	if err := cli.OneOf("--format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	list, err := c.Server.Env.Deploys(c.App.Name)
	if err != nil {
		return err
	}
	if c.Value("format") == "json" {
		rows := []deployRow{}
		for _, d := range list {
			rows = append(rows, rowOf(d))
		}
		return c.PrintJSON(rows)
	}
	if len(list) == 0 {
		return cli.Refuse("App %s has no record of a deploy yet", c.App.Name)
	}
	var rows [][]string
	if c.Headings() {
		c.Print("=====> %s deploys\n", c.App.Name)
		rows = append(rows, []string{"deploy", "began", "by", "cause", "revision", "state", "release", "took", "notes"})
	}
	for _, d := range list {
		release, length := "", ""
		if d.Release != 0 {
			release = fmt.Sprintf("v%d", d.Release)
		}
		if t := took(d); t != 0 {
			length = seconds(t)
		}
		rows = append(rows, []string{fmt.Sprint(d.Number), d.Began.UTC().Format("2006-01-02 15:04:05Z"), d.By, d.Cause, app.Short(d.Revision),
			string(d.State), release, length, notes(d)})
	}
	for _, line := range text.Columns(rows, 2) {
		c.Print("%s\n", line)
	}
	return nil
}

// took is how long a deploy took, or takes already; 0 if nobody knows.
func took(d *app.Deploy) time.Duration {
	switch {
	case !d.Ended.IsZero():
		return d.Ended.Sub(d.Began)
	case d.Unfinished():
		return time.Since(d.Began)
	}
	return 0
}

func seconds(t time.Duration) string { return fmt.Sprintf("%.1fs", t.Seconds()) }

// notes are the pusher's message, why the deploy failed, and the phases that took a tenth
// of a second.
func notes(d *app.Deploy) string {
	var list, phases []string
	for _, p := range d.Phases {
		if t := time.Duration(p.Milliseconds * float64(time.Millisecond)); t >= 50*time.Millisecond {
			phases = append(phases, p.Name+" "+seconds(t))
		}
	}
	for _, note := range []string{d.Message, d.Error, strings.Join(phases, ", ")} {
		if note != "" {
			list = append(list, note)
		}
	}
	return strings.Join(list, "; ")
}

// cancelDeploy cancels deploy n of the app, see Env.Cancel; command is what the pusher reads
// about that.
func cancelDeploy(c *cli.Call, n int, command string) error {
	log := c.Events().WithApp(c.App.Name)
	d, err := c.Server.Env.Cancel(c.Ctx, c.App.Name, n, app.Cancel{By: c.Server.Env.By, Command: command}, log)
	if err == nil {
		log.Step("Cancelled %s", d)
	}
	return err
}
