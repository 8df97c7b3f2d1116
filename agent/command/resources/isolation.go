package resources

import (
	"strconv"
	"strings"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
	"dokku/agent/event"
)

// isolationNoun is the noun of the commands about what an app's containers may do.
const isolationNoun = "isolation"

var isolationCommands = []cli.Spec{
	{
		Use: "isolation:disable APP", Role: cli.Admin, Short: "Give the app's containers the rights of Docker's defaults, and no limits",
		Long: "A running app gets new containers, which start beside the old ones and have to pass their checks, as in a deploy.\n" +
			"It gives the app rights over the server, so it runs on the server alone, and not over ssh.",
		Example: "dokku isolation:disable hello",
		Run:     func(c *cli.Call) error { return switchIsolation(c, false) },
	},
	{
		Use: "isolation:enable APP", Role: cli.Operator, Short: "Keep the app's containers from hurting the server and other apps",
		Long: "New apps have it. An app of a version before it keeps what it has until this command.\n" +
			"A running app gets new containers, which start beside the old ones and have to pass their checks, as in a\n" +
			"deploy. If they do not, nothing has changed.",
		Example: "dokku isolation:enable hello",
		Run:     func(c *cli.Call) error { return switchIsolation(c, true) },
	},
	isolationReport.Spec("Show what the app's containers may do"),
	isolationSet(),
}

var isolationProperties = cli.Properties{
	Noun: isolationNoun, Role: cli.Operator,
	List: []cli.Property{{
		Name: app.PropMaxMemory, OnlyServer: true, GlobalOnHost: "what apps may take of the server", Check: func(value string) error {
			if _, err := app.ParseMemory(value); err != nil {
				return cli.Refuse("Invalid %s specified: %s", app.PropMaxMemory, err)
			}
			return nil
		},
	}, {
		Name: app.PropPidsLimit, Default: app.DefaultPidsLimit, GlobalOnHost: "what apps may take of the server",
		Check: func(value string) error {
			if _, err := app.ParsePids(value); err != nil {
				return cli.Refuse("Invalid %s specified: %s", app.PropPidsLimit, err)
			}
			return nil
		},
		Fits: func(c *cli.Call, value string) error {
			set, err := c.Settings()
			if err != nil {
				return err
			}
			if n, _ := app.ParsePids(value); n > set.PidsLimit() {
				return cli.Refuse("Invalid %s specified: %s is more than %d, the most of this server: to raise that, run on the server: dokku isolation:set --global %[1]s %[2]s",
					app.PropPidsLimit, value, set.PidsLimit())
			}
			return nil
		},
		Note: "It takes effect with the next deploy or ps:restart",
	}},
	Get:    func(st *app.State, name string) string { return st.IsolationSet[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.IsolationSet, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Isolation },
}

func isolationSet() cli.Spec {
	s := isolationProperties.Spec("Set or unset what a container of the app may have")
	s.Long += "\n\n" + app.PropPidsLimit + " counts processes and threads of one container at the same time, " + app.DefaultPidsLimit + " by default. The server's value is\n" +
		"also the most that an app may have. It counts for apps with isolation:enable alone.\n\n" +
		app.PropMaxMemory + ", for the server only, is the most memory that an operator's key may give a container by resource:limit,\n" +
		"resource:reserve or docker-options. Unset, it is the limit of a container that has none of its own."
	s.Example = "dokku isolation:set hello pids-limit 512"
	return s
}

func switchIsolation(c *cli.Call, on bool) error {
	log := c.Events().WithApp(c.App.Name)
	is := c.App.State.Isolation
	switch {
	case !on && c.Env.User != "":
		return cli.Refuse("isolation:disable gives %s rights over the server: run it there, not over ssh", c.App.Name)
	case on && is == app.IsolationNow:
		log.Step("Isolation is already enabled for app (%s)", c.App.Name)
	case on:
		log.Step("Enabling isolation for app (%s)", c.App.Name)
	case is == app.IsolationOff:
		log.Step("Isolation is already disabled for app (%s)", c.App.Name)
	default:
		log.Step("Disabling isolation for app (%s)", c.App.Name)
	}
	return c.Server.SetIsolation(c.Ctx, c.App.Name, on, log)
}

var isolationReport = cli.Reporter{
	Noun: isolationNoun, Role: cli.Operator,
	Keys: cli.Sorted(append(isolationProperties.Keys(), "isolation-capabilities", "isolation-enabled", "isolation-memory-limit", "isolation-nested-mounts", "isolation-network", "isolation-running")),
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return isolationProperties.Global(set), err
	},
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		set, err := c.Settings()
		if err != nil {
			return nil, err
		}
		v := app.View{App: a, Settings: set}
		values := map[string]string{
			"isolation-enabled": strconv.FormatBool(a.State.Isolated()), "isolation-running": running(a),
			"isolation-network":       networkOf(c, v),
			"isolation-nested-mounts": strings.Join(v.NestedMounts(), " "),
			"isolation-capabilities":  "", "isolation-memory-limit": "",
		}
		if o := v.ContainerOptions(); o.Isolation != nil {
			values["isolation-capabilities"] = strings.Join(engine.Capabilities, " ")
			if o.Isolation.Memory > 0 {
				values["isolation-memory-limit"] = strconv.FormatInt(o.Isolation.Memory>>20, 10)
			}
		}
		isolationProperties.Report(values, &a.State, set)
		if own := a.State.IsolationSet[app.PropPidsLimit]; own != "" { // the server's may be lower by now
			values["isolation-computed-"+app.PropPidsLimit] = strconv.FormatInt(v.PidsLimit(), 10)
		}
		return values, nil
	},
}

// networkOf says whether the app's containers are kept from ports of the server.
func networkOf(c *cli.Call, v app.View) string {
	set := v.Settings
	f := c.Server.Env.Filtering()
	switch {
	case !v.Filtered():
		return "open"
	case c.Server.Env.Firewall == nil || c.Server.Env.Firewall(set) == nil:
		return "open: switched off in server.json"
	case f.Missing:
		return "open: run sudo ./install.sh install"
	case f.Failed != "":
		return "unknown: " + event.OneLine(f.Failed)
	case f.Filters(v.Name):
		return "filtered"
	case v.Deployed():
		return "open: nothing has made the rules yet"
	}
	return "" // no container has started
}

// running reports whether the containers of the current release are isolated; "" without one.
func running(a *app.App) string {
	if !a.Deployed() {
		return ""
	}
	return strconv.FormatBool(a.Current.Isolation != nil)
}
