package command

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dokku/agent"
	"dokku/agent/checks"
	"dokku/scale"
)

var checkCommands = []spec{
	checkSwitch("disable", "Replace processes with a gap and without checks",
		"From the next deploy on, the old processes stop before the new ones start. This is a gap in the service of web;\n"+
			"for workers it keeps two releases from working at the same time."),
	checkSwitch("enable", "Check new processes before the old ones stop", ""),
	checkReport.spec("Show the settings of the checks, and where they come from"),
	{
		use: "checks:run APP [TYPE[,TYPE...]]", short: "Run the app's checks against what runs now",
		long: "TYPE is a process type (web) or one process (web.1).", example: "dokku checks:run hello web.1",
		words: func(c *call) []string { return c.types() },
		run: func(c *call) error {
			if err := c.deployed(); err != nil {
				return err
			}
			only, err := c.typeArgs(true)
			if err != nil {
				return err
			}
			return c.server.RunChecks(c.ctx, c.app.Name, only, c.events().WithApp(c.app.Name))
		},
	},
	checkProperties.spec("Set or unset a setting of the checks"),
	checkSwitch("skip", "Replace processes without checks, and without a gap", ""),
}

// checkSwitch is checks:disable, checks:enable or checks:skip: for each type one
// of them holds.
func checkSwitch(verb, short, long string) spec {
	doing := map[string]string{"disable": "Disabling", "enable": "Enabling", "skip": "Skipping"}[verb]
	return spec{
		use: "checks:" + verb + " APP [TYPE[,TYPE...]]", short: short, long: long,
		example: "dokku checks:" + verb + " hello worker",
		words:   func(c *call) []string { return c.types() },
		run: func(c *call) error {
			types, err := c.typeArgs(false)
			if err != nil {
				return err
			}
			log := c.events().WithApp(c.app.Name)
			if err := c.server.Update(c.ctx, c.app.Name, "checks:"+verb, log, func(st *agent.State) error {
				for list, on := range map[string]bool{"disabled": verb == "disable", "skip": verb == "skip"} {
					put(&st.Checks, list, listed(st.Checks[list], types, on))
				}
				return nil
			}); err != nil {
				return err
			}
			if len(types) == 0 {
				log.Step("%s zero downtime for app (%s)", doing, c.app.Name)
			} else {
				log.Step("%s zero downtime for app's (%s) proctypes (%s)", doing, c.app.Name, strings.Join(types, ","))
			}
			return nil
		},
	}
}

// typeArgs reads process types: in one word with commas, or in several. Single
// processes (web.1) are allowed where processes says so.
func (c *call) typeArgs(processes bool) ([]string, error) {
	var types []string
	for _, t := range strings.Split(strings.Join(c.args, ","), ",") {
		if t == "" && len(c.args) == 0 || slices.Contains(types, t) {
			continue
		}
		name, index, single := strings.Cut(t, ".")
		if n, err := strconv.Atoi(index); single && (!processes || err != nil || n < 1) || !scale.ValidType(name) && t != checks.AllTypes {
			return nil, refuse("Invalid process type specified (%s)", oneLine(t))
		}
		if known := c.types(); c.app.Deployed() && t != checks.AllTypes && !slices.Contains(known, name) {
			return nil, refuse("Invalid process type specified (%s): %s has %s", oneLine(t), c.app.Name, strings.Join(known, ", "))
		}
		types = append(types, t)
	}
	if slices.Contains(types, checks.AllTypes) {
		return nil, nil
	}
	return types, nil
}

// listed adds types to a list of them, or takes them away; none means all. A
// list of all that loses some has to be given up: it says nothing of the others.
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
	slices.Sort(rest)
	return strings.Join(rest, ",")
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
	s, err := c.server.EffectiveChecks(app)
	if err != nil {
		return nil, err
	}
	skipped := cmp.Or(strings.Join(s.Skip, ","), "none")
	if s.SkipAll {
		skipped = checks.AllTypes
	}
	values := map[string]string{"checks-disabled-list": cmp.Or(strings.Join(s.Disabled, ","), "none"), "checks-skipped-list": skipped}
	checkProperties.report(values, &app.State, set)
	// The variables of older versions (DOKKU_CHECKS_WAIT) count too.
	for name, value := range map[string]string{
		"wait": inSeconds(s.Wait), "timeout": inSeconds(s.Timeout), "attempts": strconv.Itoa(s.Attempts),
		"default-wait": inSeconds(s.DefaultWait), "wait-to-retire": inSeconds(s.WaitToRetire),
		"skip-all": strconv.FormatBool(s.SkipAll), "skip-default": strconv.FormatBool(s.SkipDefault),
		"skip": strings.Join(s.Skip, ","), "disabled": strings.Join(s.Disabled, ","),
	} {
		values["checks-computed-"+name] = value
		values["checks-origin-"+name] = s.Origin[name]
		if s.Origin[name] == "CHECKS" {
			values["checks-origin-"+name] += " of " + shortRevision(app.Current.Revision)
		}
	}
	return values, nil
}

func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
