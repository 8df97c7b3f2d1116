package command

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"dokku/agent"
	"dokku/agent/checks"
)

var checkCommands = []spec{
	checkReport.spec("Show the settings of the checks"),
	{
		use: "checks:run APP", short: "Run the app's checks against what runs now",
		run: func(c *call) error {
			if err := c.deployed(); err != nil {
				return err
			}
			return c.server.RunChecks(c.ctx, c.app.Name, c.events().WithApp(c.app.Name))
		},
	},
	checkProperties.spec("Set or unset a setting of the checks"),
}

// The CHECKS file of a revision wins over these.
var checkProperties = properties{
	noun:   "checks",
	list:   checkList(),
	get:    func(st *agent.State, name string) string { return st.Checks[name] },
	put:    func(st *agent.State, name, value string) { put(&st.Checks, name, value) },
	server: func(set *agent.Settings) *map[string]string { return &set.Checks },
}

func checkList() []property {
	var list []property
	for _, name := range checks.Properties() {
		list = append(list, property{name: name, check: func(value string) error { return checks.CheckProperty(name, value) }})
	}
	return list
}

var checkReport = reporter{
	noun:    "checks",
	keys:    sorted(slices.Concat(checkProperties.keys(), []string{"checks-disabled-list", "checks-skipped-list"})),
	collect: collectChecks,
}

func collectChecks(c *call, app *agent.App, _ string) (map[string]string, error) {
	set, err := c.server.Settings()
	if err != nil {
		return nil, err
	}
	s, err := c.server.CheckSettings(app)
	if err != nil {
		return nil, err
	}
	skipped := first(strings.Join(s.Skip, ","), "none")
	if s.SkipAll {
		skipped = "_all_"
	}
	values := map[string]string{"checks-disabled-list": "none", "checks-skipped-list": skipped}
	checkProperties.report(values, &app.State, set)
	// The variables of older versions (DOKKU_CHECKS_WAIT) count too.
	for name, value := range map[string]string{
		"wait": inSeconds(s.Wait), "timeout": inSeconds(s.Timeout), "attempts": strconv.Itoa(s.Attempts),
		"default-wait": inSeconds(s.DefaultWait), "wait-to-retire": inSeconds(s.WaitToRetire),
		"skip-all": strconv.FormatBool(s.SkipAll), "skip-default": strconv.FormatBool(s.SkipDefault),
		"skip": strings.Join(s.Skip, ","),
	} {
		values["checks-computed-"+name] = value
	}
	return values, nil
}

func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
