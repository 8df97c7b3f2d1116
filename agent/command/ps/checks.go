package ps

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/checks"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/scale"
)

var checkCommands = []cli.Spec{
	checkSwitch("disable", "Stop the old processes before the new ones start, without checks",
		"It takes effect with the next deploy. Web does not serve between the stop and the start; for workers, two\n"+
			"releases never run at the same time."),
	checkSwitch("enable", "Check new processes before the old ones stop", ""),
	checkReport.Spec("Show the settings of the checks and their origin"),
	{
		Use: "checks:run APP [TYPE[,TYPE...]]", Role: cli.Operator, Short: "Run the app's checks against its running processes",
		Long: "TYPE is a process type (web) or one process (web.1).", Example: "dokku checks:run hello web.1",
		Words: func(c *cli.Call) []string { return c.Types() },
		Run: func(c *cli.Call) error {
			if err := c.Deployed(); err != nil {
				return err
			}
			only, err := typeArgs(c, true)
			if err != nil {
				return err
			}
			return c.Server.RunChecks(c.Ctx, c.App.Name, only, c.Events().WithApp(c.App.Name))
		},
	},
	checkProperties.Spec("Set or unset a setting of the checks"),
	checkSwitch("skip", "Start the new processes before the old ones stop, without checks", ""),
}

// checkSwitch returns checks:disable, checks:enable or checks:skip. The last of them that
// was used for a type is in force.
func checkSwitch(verb, short, long string) cli.Spec {
	doing := map[string]string{"disable": "Disabling", "enable": "Enabling", "skip": "Skipping"}[verb]
	return cli.Spec{
		Use: "checks:" + verb + " APP [TYPE[,TYPE...]]", Role: cli.Operator, Short: short, Long: long,
		Example: "dokku checks:" + verb + " hello worker",
		Words:   func(c *cli.Call) []string { return c.Types() },
		Run: func(c *cli.Call) error {
			types, err := typeArgs(c, false)
			if err != nil {
				return err
			}
			log := c.Events().WithApp(c.App.Name)
			if err := c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: "checks:" + verb}, log, func(st *app.State) error {
				for list, on := range map[string]bool{"disabled": verb == "disable", "skip": verb == "skip"} {
					cli.Put(&st.Checks, list, listed(st.Checks[list], types, on))
				}
				return nil
			}); err != nil {
				return err
			}
			if len(types) == 0 {
				log.Step("%s zero downtime for app (%s)", doing, c.App.Name)
			} else {
				log.Step("%s zero downtime for app's (%s) proctypes (%s)", doing, c.App.Name, strings.Join(types, ","))
			}
			return nil
		},
	}
}

// typeArgs reads process types, in one word with commas or in several words; nil means
// all types. processes allows single processes too (web.1).
func typeArgs(c *cli.Call, processes bool) ([]string, error) {
	var types []string
	for _, t := range strings.Split(strings.Join(c.Args, ","), ",") {
		if t == "" && len(c.Args) == 0 || slices.Contains(types, t) {
			continue
		}
		name, index, single := strings.Cut(t, ".")
		if n, err := strconv.Atoi(index); single && (!processes || err != nil || n < 1) || !scale.ValidType(name) && t != checks.AllTypes {
			return nil, cli.Refuse("Invalid process type specified (%s)", event.OneLine(t))
		}
		if known := c.Types(); c.App.Deployed() && t != checks.AllTypes && !slices.Contains(known, name) {
			return nil, cli.Refuse("Invalid process type specified (%s): %s has %s", event.OneLine(t), c.App.Name, strings.Join(known, ", "))
		}
		types = append(types, t)
	}
	if slices.Contains(types, checks.AllTypes) {
		return nil, nil
	}
	return types, nil
}

// listed adds types to a list or removes them; no types means all. A list of all types
// that loses some becomes empty, since it does not name the others.
func listed(list string, types []string, on bool) string {
	switch {
	case len(types) == 0 && on:
		return checks.AllTypes
	case len(types) == 0:
		return ""
	}
	var rest []string
	for _, t := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		if t != checks.AllTypes && !slices.Contains(types, t) {
			rest = append(rest, t)
		}
	}
	if on {
		rest = append(rest, types...)
	}
	return strings.Join(rest, ",")
}

// checkProperties are the settings of the checks. A revision's CHECKS file wins over them.
var checkProperties = cli.Properties{
	Noun:   "checks",
	Role:   cli.Operator,
	List:   checkList(),
	Get:    func(st *app.State, name string) string { return st.Checks[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Checks, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Checks },
}

func checkList() []cli.Property {
	var list []cli.Property
	for _, name := range checks.Properties() {
		list = append(list, cli.Property{Name: name, OnlyServer: name == checks.MaxBudget, Check: func(value string) error { return checks.CheckProperty(name, value) }})
	}
	return list
}

var checkReport = cli.Reporter{
	Noun: "checks", Role: cli.Deployer, First: "checks-disabled-list",
	Keys: cli.Sorted(slices.Concat(checkProperties.Keys(), []string{"checks-disabled-list", "checks-skipped-list"})),
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		if err != nil {
			return nil, err
		}
		values := checkProperties.Global(set)
		s, err := deploy.EffectiveChecks(app.View{App: &app.App{}, Settings: set})
		if err != nil {
			return nil, err
		}
		for name, value := range computedChecks(s) {
			values["checks-computed-"+name] = value
		}
		return values, nil
	},
	Collect: collectChecks,
}

func collectChecks(c *cli.Call, app *app.App, _ string) (map[string]string, error) {
	v, err := c.View(app)
	if err != nil {
		return nil, err
	}
	s, err := deploy.EffectiveChecks(v)
	if err != nil {
		return nil, err
	}
	skipped := cmp.Or(strings.Join(s.Skip, ","), "none")
	if s.SkipAll {
		skipped = checks.AllTypes
	}
	values := map[string]string{"checks-disabled-list": cmp.Or(strings.Join(s.Disabled, ","), "none"), "checks-skipped-list": skipped}
	checkProperties.Report(values, &app.State, v.Settings)
	// Config variables such as DOKKU_CHECKS_WAIT, as in older versions of Dokku, count too.
	for name, value := range computedChecks(s) {
		values["checks-computed-"+name] = value
		values["checks-origin-"+name] = s.Origin[name]
		if s.Origin[name] == "CHECKS" {
			values["checks-origin-"+name] += " of " + app.Current.Short()
		}
	}
	return values, nil
}

// computedChecks are the settings that are in force, by the names of the properties.
func computedChecks(s checks.Settings) map[string]string {
	return map[string]string{
		"wait": inSeconds(s.Wait), "timeout": inSeconds(s.Timeout), "attempts": strconv.Itoa(s.Attempts),
		"default-wait": inSeconds(s.DefaultWait), "wait-to-retire": inSeconds(s.WaitToRetire),
		"uptime": inSeconds(s.Uptime), "listen-timeout": inSeconds(s.ListenTimeout), checks.MaxBudget: inSeconds(s.MaxBudget),
		"require-listening": strconv.FormatBool(s.RequireListening), "image-healthcheck": strconv.FormatBool(s.ImageHealthcheck),
		"skip-all": strconv.FormatBool(s.SkipAll), "skip-default": strconv.FormatBool(s.SkipDefault),
		"skip": strings.Join(s.Skip, ","), "disabled": strings.Join(s.Disabled, ","),
	}
}

func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
