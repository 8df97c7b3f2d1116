package ps

import (
	"cmp"
	"regexp"
	"strings"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

// schedulerCommands are Dokku's, for clients that set what is so here anyway.
var schedulerCommands = []cli.Spec{
	schedulerReport.Spec("Show the scheduler: docker-local, this server"),
	schedulerProperties.Spec("Set or unset the shell that enter opens, or the scheduler: docker-local, this server"),
	localReport.Spec("Show whether a process of its own reaps the app's ended processes"),
	localProperties.Spec("Set or unset init-process, Dokku's name of ps:set APP init"),
}

const dockerLocal = "docker-local"

var shellPattern = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9/_.+-]{0,199}$`)

var schedulerProperties = cli.Properties{
	Noun: "scheduler",
	List: []cli.Property{
		{Name: "selected", Default: dockerLocal, Check: func(value string) error {
			if value != dockerLocal {
				return cli.Refuse("Invalid selected specified: %q, apps run on this server alone: %s", event.OneLine(value), dockerLocal)
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

// localProperties has the property of ps:set under its name in Dokku, for apps alone: that
// of the server is ps:set --global init.
var localProperties = cli.Properties{
	Noun: "scheduler-docker-local",
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
