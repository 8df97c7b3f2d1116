package run

import (
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/cron"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
)

// cronCommands are the commands of the noun cron. Names, properties and texts are Dokku
// 0.38's, but for cron:logs, cron:stop and the property timezone, which Dokku does not have.
var cronCommands = []cli.Spec{
	{
		Use: "cron:list APP", Role: cli.Operator, Short: "List the cron tasks of app.json",
		Long:    "--format json has the next and the last run of each task too. --global lists the tasks of the server, which has none.",
		Example: "dokku cron:list hello --format json",
		Flags: func(f *pflag.FlagSet) {
			cli.FormatFlag(f)
			f.Bool("global", false, "list the tasks of the server")
		},
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run:    listCron,
	},
	{
		Use: "cron:logs APP [RUN|CRON_ID]", Role: cli.Operator, Short: "Show the last runs of cron tasks, or the log of one",
		Long: "Without RUN, the last runs of all tasks are shown. RUN is one of them; CRON_ID stands for the last run of that task.\n" +
			"dokku keeps the last 50 runs of each task, and the last 256 KB that each has printed.",
		Example: "dokku cron:logs hello\ndokku cron:logs hello 20260301T0300Z-5f0c2a9b11",
		Flags: func(f *pflag.FlagSet) {
			f.StringP("num", "n", "20", "how many runs are shown")
			f.BoolP("tail", "t", false, "show what a run prints until it ends")
			cli.FormatFlag(f)
		},
		Words: runNames, Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run: cronLogs,
	},
	cronReport.Spec("Report the cron settings"),
	{
		Use: "cron:run APP CRON_ID", Role: cli.Operator, Short: "Run a cron task now",
		Long: "The task runs in a container of the current release, and cron:run exits with its exit code. It also runs while it is\n" +
			"suspended or in maintenance.",
		Example: "dokku cron:run hello CRON_ID --detach",
		Missing: "Please specify a Cron ID from the output of 'dokku cron:list APP'",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("detach", false, "only print the container's name; the agent waits for its end")
			f.String("ttl-seconds", oneOffTTL, "stop the task after this many seconds")
		},
		Words: cronIDs, Run: runCron,
	},
	cronSet(),
	{
		Use: "cron:stop APP RUN|CRON_ID", Role: cli.Operator, Short: "Stop a run of a cron task, or all runs of the task",
		Long: "The container gets the signal to end, and is killed after stop-timeout-seconds. The task stays scheduled: cron:suspend APP\n" +
			"CRON_ID keeps it from running.",
		Example: "dokku cron:stop hello 20260301T0300Z-5f0c2a9b11",
		Missing: "Please specify a run from the output of 'dokku cron:logs APP', or a Cron ID",
		Words:   runningCron, Run: stopCron,
	},
	{
		Use: "cron:suspend APP CRON_ID", Role: cli.Operator, Short: "Do not run a cron task until cron:resume",
		Missing: "Please specify a Cron ID from the output of 'dokku cron:list APP'",
		Words:   cronIDs, Run: func(c *cli.Call) error { return suspend(c, c.Args[0], true) },
	},
	{
		Use: "cron:resume APP CRON_ID", Role: cli.Operator, Short: "Let a suspended cron task run again",
		Missing: "Please specify a Cron ID from the output of 'dokku cron:list APP'",
		Words:   cronIDs, Run: func(c *cli.Call) error { return suspend(c, c.Args[0], false) },
	},
}

var cronProperties = cli.Properties{
	Noun: "cron", Role: cli.Operator,
	List: []cli.Property{
		{Name: app.CronMailFrom, OnlyServer: true, Check: func(value string) error { return cron.CheckAddress(app.CronMailFrom, value) }},
		{Name: app.CronMailTo, OnlyServer: true, Check: func(value string) error { return cron.CheckAddress(app.CronMailTo, value) }},
		{Name: app.CronMaintenance, Default: "false", Check: func(value string) error {
			return cli.OneOf(app.CronMaintenance, value, "true", "false")
		}},
		{Name: app.CronTimezone, Check: app.CheckTimezone},
	},
	Get:    func(st *app.State, name string) string { return st.Cron[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Cron, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Cron },
}

// maintenanceOf begins the property of a task: maintenance.CRON_ID.
const maintenanceOf = app.CronMaintenance + "."

// cronSet is cron:set, with the property of a task that Dokku has, and a warning where mail
// cannot be sent.
func cronSet() cli.Spec {
	s := cronProperties.Spec("Set a property of cron tasks")
	s.Long += "\nmaintenance true keeps all tasks from running, maintenance.CRON_ID true one of them. mailto gets the output of each run,\n" +
		"if the server has a sendmail. timezone is that of the schedules; default: the server's."
	set := s.Run
	s.Run = func(c *cli.Call) error {
		name, value := c.Args[0], strings.Join(c.Args[1:], " ")
		id, task := strings.CutPrefix(name, maintenanceOf)
		switch {
		case task && c.App == nil:
			return cli.Refuse("Task maintenance properties cannot be set globally")
		case task && id == "":
			return cli.Refuse("Invalid task maintenance property, missing ID")
		case task:
			if err := cli.OneOf(app.CronMaintenance, value, "true", "false", ""); err != nil {
				return err
			}
			return suspend(c, id, value == "true")
		}
		err := set(c)
		if err == nil && name == app.CronMailTo && value != "" && !cron.Sends() {
			c.Warn("No mail is sent: this server has no /usr/sbin/sendmail. Install a mail server such as postfix or msmtp-mta,")
			c.Warn("or let a webhook tell of failed runs: dokku notify:add --global --on cron URL")
		}
		return err
	}
	return s
}

var cronReport = cli.Reporter{
	Noun: "cron", Rest: "CRON_ID",
	Keys: cli.Sorted(append(cronProperties.Keys(), "cron-task-count", "cron-maintenance-")),
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Server.Settings()
		if err != nil {
			return nil, err
		}
		values := cronProperties.Global(set)
		for _, q := range cronProperties.List {
			values["cron-computed-"+q.Name] = values["cron-global-"+q.Name]
			if values["cron-computed-"+q.Name] == "" {
				values["cron-computed-"+q.Name] = q.Default
			}
		}
		return values, nil
	},
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		v, err := c.View(a)
		if err != nil {
			return nil, err
		}
		return reportCron(v), nil
	},
}

func listedTasks(c *cli.Call) (app.View, error) {
	v, err := c.View(c.App)
	if err == nil && v.Current != nil && !v.Current.RunsCron && len(v.Current.Control.AppJSON.Cron) > 0 {
		c.Warn("v%d of %s was built by a dokku that ran no cron tasks: they run from the next push on, or from dokku ps:rebuild %[2]s", v.Current.Number, c.App.Name)
	}
	return v, err
}

// findTask returns the task with an id, or Dokku's error.
func findTask(c *cli.Call, id string) (app.CronTask, error) {
	v, err := listedTasks(c)
	if err != nil {
		return app.CronTask{}, err
	}
	t, ok := v.CronTask(id)
	if !ok {
		return t, cli.Refuse("No matching Cron ID found. Please specify a Cron ID from the output of 'dokku cron:list %s'", c.App.Name)
	}
	return t, nil
}

// cronIDs completes a task.
func cronIDs(c *cli.Call) (ids []string) {
	if c.App == nil || len(c.Args) > 0 {
		return nil
	}
	v, err := c.View(c.App)
	if err != nil {
		return nil
	}
	for _, t := range v.CronTasks() {
		ids = append(ids, t.ID)
	}
	return ids
}

func suspend(c *cli.Call, id string, on bool) error {
	t, err := findTask(c, id)
	if err != nil {
		return err
	}
	op, said := "cron:resume", "Resuming"
	if on {
		op, said = "cron:suspend", "Suspending"
	}
	log := c.Events().WithApp(c.App.Name)
	log.Step("%s %s", said, event.OneLine(t.Command))
	err = c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: op}, log, func(st *app.State) error {
		st.Suspend(t.Key, on)
		return nil
	})
	if err == nil && !on && t.Maintenance {
		c.Warn("app.json keeps it in maintenance all the same")
	}
	return err
}

func runCron(c *cli.Call) error {
	ttl, err := parseTTL(c.Value("ttl-seconds"))
	if err != nil {
		return err
	}
	if err := c.Deployed(); err != nil {
		return err
	}
	t, err := findTask(c, c.Args[0])
	if err != nil {
		return err
	}
	q := cron.Request{Task: t, TTL: ttl, By: c.Env.User}
	if c.Flag("detach") {
		i, err := cron.RunDetached(c.Ctx, c.Server, c.App.Name, q, c.Events().WithApp(c.App.Name))
		if err == nil {
			c.Print("%s\n", i.Name)
		}
		return coded(err)
	}
	st := engine.Streams{Stdout: c.Env.Stdout, Stderr: c.Env.Stderr}
	last, err := cron.RunAttached(c.Ctx, c.Server, c.App.Name, q, st, c.Events().WithApp(c.App.Name))
	if err != nil {
		return coded(err)
	}
	return exited(last.ExitCode)
}
