package ps

import (
	"cmp"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

var schedulerCommands = []cli.Spec{
	schedulerReport.Spec("Show the scheduler: docker-local, this server, or docker-swarm"),
	schedulerSet(),
	swarmReport.Spec("Show how a swarm places the app's processes"),
	swarmProperties.Spec("Set or unset how a swarm places the app's processes"),
	localReport.Spec("Show whether a process of its own reaps the app's ended processes"),
	localProperties.Spec("Set or unset init-process, Dokku's name of ps:set APP init"),
}

var shellPattern = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9/_.+-]{0,199}$`)

var schedulerProperties = cli.Properties{
	Noun: "scheduler", Role: cli.Operator,
	List: []cli.Property{
		{Name: app.PropScheduler, Default: app.SchedulerLocal, Check: func(value string) error {
			if value != app.SchedulerLocal && value != app.SchedulerSwarm {
				return cli.Refuse("Invalid selected specified: %q, the schedulers are %s, this server alone, and %s", event.OneLine(value), app.SchedulerLocal, app.SchedulerSwarm)
			}
			return nil
		}},
		{Name: app.PropShell, Check: func(value string) error {
			if !shellPattern.MatchString(value) {
				return cli.Refuse("Invalid shell specified: %q is not the name or the path of a program, such as bash or /bin/zsh", event.OneLine(value))
			}
			return nil
		}},
	},
	Get:    func(st *app.State, name string) string { return st.Scheduler[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Scheduler, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Scheduler },
}

var schedulerReport = propertyReport(schedulerProperties)

// schedulerSet is scheduler:set, which moves a running app.
func schedulerSet() cli.Spec {
	s := schedulerProperties.Spec("Set or unset the scheduler, or the shell that enter opens")
	s.Long += "\n\nselected is docker-local, this server alone, or docker-swarm, the swarm that cluster:init begins. A running app moves at once:\n" +
		"new processes start there beside the old ones and have to pass their checks, as in a deploy. With --no-restart it moves with its next\n" +
		"deploy or ps:restart, and so do all running apps after --global."
	s.Example = "dokku scheduler:set hello selected docker-swarm"
	flags, set := s.Flags, s.Run
	s.Flags = func(f *pflag.FlagSet) {
		flags(f)
		f.Bool("no-restart", false, "store the scheduler alone")
	}
	s.Run = func(c *cli.Call) error {
		if c.Args[0] != app.PropScheduler {
			return set(c)
		}
		return setScheduler(c, set)
	}
	return s
}

// setScheduler sets the scheduler of an app, or has set do so for the server.
func setScheduler(c *cli.Call, set func(*cli.Call) error) error {
	value := strings.Join(c.Args[1:], " ")
	if value != "" {
		if err := schedulerProperties.List[0].Check(value); err != nil {
			return err
		}
	}
	if c.App == nil {
		settings, err := c.Settings()
		if err == nil && value == app.SchedulerSwarm {
			err = c.Server.CheckSwarm(c.Ctx, settings)
		}
		if err != nil {
			return err
		}
		return set(c)
	}
	log := c.Events().WithApp(c.App.Name)
	if value == "" {
		log.Result("Unsetting %s", app.PropScheduler)
	} else {
		log.Result("Setting %s to %s", app.PropScheduler, value)
	}
	return c.Server.SetScheduler(c.Ctx, c.App.Name, value, !c.Flag("no-restart"), log)
}

// swarmProperties say how a swarm places processes.
var swarmProperties = cli.Properties{
	Role: cli.Operator,
	Noun: "scheduler-" + app.SchedulerSwarm,
	List: []cli.Property{
		{Name: app.PropMaxPerNode, Check: whole(app.PropMaxPerNode, "", 1, 1000), Note: laterPlaced},
		{Name: app.PropConstraints, Check: placing(app.PropConstraints, app.CheckConstraints), Note: laterPlaced},
		{Name: app.PropPreferences, Check: placing(app.PropPreferences, app.CheckPreferences), Note: laterPlaced},
	},
	Get:    func(st *app.State, name string) string { return st.Scheduler[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Scheduler, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Scheduler },
}

const laterPlaced = "It takes effect with the next deploy or ps:restart"

// placing returns a check of a property of the placement.
func placing(name string, check func(string) error) func(string) error {
	return func(value string) error {
		if err := check(value); err != nil {
			return cli.Refuse("Invalid %s specified: %s", name, err)
		}
		return nil
	}
}

var swarmReport = propertyReport(swarmProperties)

// localProperties has the property of ps:set under its name in Dokku, for apps alone: that
// of the server is ps:set --global init.
var localProperties = cli.Properties{
	Noun: "scheduler-docker-local", Role: cli.Operator,
	List: []cli.Property{
		{Name: "init-process", Default: app.PSDefaults["init"], OnlyApp: true, Check: trueOrFalse("init-process")},
		{Name: parallelCount, Default: "1", Check: whole(parallelCount, "", 1, 1000),
			Note: "parallel-schedule-count is stored, as Dokku does, and has no effect: all processes start together; max_parallel in app.json limits it"},
	},
	Get: func(st *app.State, name string) string {
		if name == parallelCount {
			return st.Scheduler[name]
		}
		return st.PS[strings.TrimSuffix(name, "-process")]
	},
	Put: func(st *app.State, name, value string) {
		if name == parallelCount {
			cli.Put(&st.Scheduler, name, value)
			return
		}
		cli.Put(&st.PS, strings.TrimSuffix(name, "-process"), value)
	},
	Server: func(set *app.Settings) *map[string]string { return &set.Scheduler },
}

// parallelCount is a property of Dokku's that clients set.
const parallelCount = "parallel-schedule-count"

var localReport = func() cli.Reporter {
	const global, computed = "scheduler-docker-local-global-init-process", "scheduler-docker-local-computed-init-process"
	rep := propertyReport(localProperties)
	rep.Keys = cli.Sorted(append(rep.Keys, global))
	rep.Aside = []string{global}
	rep.Global = func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		values := localProperties.Global(set)
		values[global], values[computed] = set.PS["init"], cmp.Or(set.PS["init"], app.PSDefaults["init"])
		return values, err
	}
	own := rep.Collect
	rep.Collect = func(c *cli.Call, a *app.App, only string) (map[string]string, error) {
		values, err := own(c, a, only)
		if err != nil {
			return nil, err
		}
		set, err := c.Settings()
		values[global], values[computed] = set.PS["init"], app.View{App: a, Settings: set}.Property("init")
		return values, err
	}
	return rep
}()

// propertyReport is the report of a noun that has nothing but its properties.
func propertyReport(p cli.Properties) cli.Reporter {
	return cli.Reporter{
		Noun: p.Noun, Keys: cli.Sorted(p.Keys()),
		Global: func(c *cli.Call) (map[string]string, error) {
			set, err := c.Settings()
			return p.Global(set), err
		},
		Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
			set, err := c.Settings()
			if err != nil {
				return nil, err
			}
			values := map[string]string{}
			p.Report(values, &a.State, set)
			return values, nil
		},
	}
}
