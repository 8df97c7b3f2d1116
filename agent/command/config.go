package command

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/text"
)

var configCommands = []spec{
	{
		use: "config [APP]", short: "Show the app's variables, as config:show does",
		long: "Without an app, the config commands are listed.", whole: true,
		run: func(c *call) error {
			if c.app == nil {
				return c.listNoun("config")
			}
			return showConfig(c)
		},
	},
	{
		use: "config:clear APP", short: "Unset all variables",
		flags: changeFlags, run: clearConfig,
	},
	{
		use: "config:export APP", short: "Print the variables for a program to read",
		long: "Formats: exports (export lines for a shell), shell (one line), envfile and json.",
		flags: func(f *pflag.FlagSet) {
			readFlags(f)
			f.String("format", "exports", strings.Join(exportFormats, ", "))
		},
		values: map[string]func(*call) []string{"format": oneOfWords(exportFormats...)},
		run:    exportConfig,
	},
	{
		use: "config:get APP KEY", short: "Print the value of a variable; exit 1 if it is not set",
		missing: "Expected: key", words: configKeys,
		flags: func(f *pflag.FlagSet) {
			globalFlag(f)
			f.Bool("quoted", false, "quote the value for a shell")
		},
		run: getConfig,
	},
	{
		use: "config:keys APP", short: "List the names of the variables",
		flags: originFlags, run: listConfigKeys,
	},
	{
		use: "config:set APP KEY=VALUE...", short: "Set variables and restart the app",
		long:    "A value that does not start keeps the app as it was: nothing is set.",
		example: "dokku config:set hello GREETING='good morning' WORKERS=4",
		missing: "At least one env pair must be given",
		flags: func(f *pflag.FlagSet) {
			changeFlags(f)
			f.Bool("encoded", false, "the values are base64")
		},
		run: setConfig,
	},
	{
		use: "config:show APP", short: "Show the variables",
		long: "--origin shows all that the app's processes find, and where each value comes from: app (config:set),\n" +
			"server (config:set --global), or dokku, which sets it itself.",
		flags: originFlags, run: showConfig,
	},
	{
		use: "config:unset APP KEY...", short: "Unset variables and restart the app",
		missing: "At least one key must be given", words: configKeys,
		flags: changeFlags, run: unsetConfig,
	},
}

func globalFlag(f *pflag.FlagSet) { f.Bool("global", false, "the variables of all apps") }

func changeFlags(f *pflag.FlagSet) {
	globalFlag(f)
	f.Bool("no-restart", false, "apply the change with the next deploy or restart")
}

func readFlags(f *pflag.FlagSet) {
	globalFlag(f)
	f.Bool("merged", false, "with the variables of all apps")
}

func originFlags(f *pflag.FlagSet) {
	readFlags(f)
	f.Bool("origin", false, "all variables that processes find, and where each comes from")
}

// variable is a variable that an app's processes find, and who set it.
type variable struct{ key, origin, value string }

// variables are all of them, sorted by name. What dokku sets wins over the app's
// config, and that over the server's.
func (c *call) variables() ([]variable, error) {
	set, err := c.server.Settings()
	if err != nil {
		return nil, err
	}
	all := map[string]variable{}
	add := func(origin string, config map[string]string) {
		for k, v := range config {
			all[k] = variable{k, origin, v}
		}
	}
	add("server", set.Config)
	if c.app != nil {
		add("app", c.app.State.Config)
		add("dokku", c.server.OwnEnvironment(c.app))
	}
	var list []variable
	for _, k := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[k])
	}
	return list, nil
}

// printOrigins prints the variables in aligned columns.
func (c *call) printOrigins(values bool) error {
	list, err := c.variables()
	if err != nil {
		return err
	}
	var rows [][]string
	for _, v := range list {
		row := []string{v.key + ":", fmt.Sprintf("%-6s", v.origin)}
		if values {
			row = append(row, visibleValue(v.value))
		}
		rows = append(rows, row)
	}
	for _, line := range text.Columns(rows, 2) {
		c.print("%s\n", line)
	}
	return nil
}

// config returns the variables of the app, or with --global the server's.
func (c *call) config() (map[string]string, error) {
	set, err := c.server.Settings()
	if err != nil {
		return nil, err
	}
	if c.app == nil {
		return set.Config, nil
	}
	if !c.flag("merged") {
		return c.app.State.Config, nil
	}
	merged := map[string]string{}
	maps.Copy(merged, set.Config)
	maps.Copy(merged, c.app.State.Config)
	return merged, nil
}

func configKeys(c *call) []string {
	config, err := c.config()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(config))
}

func setConfig(c *call) error {
	set := map[string]string{}
	for _, pair := range c.args {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return refuse("Invalid env pair: %s", oneLine(pair))
		}
		if err := checkKey(key); err != nil {
			return err
		}
		if c.flag("encoded") {
			plain, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				return fmt.Errorf("%s for key '%s'", err, key)
			}
			value = string(plain)
		}
		if err := checkValue(key, value); err != nil {
			return err
		}
		set[key] = value
	}
	c.events().Step("Setting config vars")
	log := c.private()
	for line := range strings.SplitSeq(strings.TrimSuffix(pairs(set), "\n"), "\n") {
		log.Detail("%s", line)
	}
	return c.changeConfig(set, nil)
}

func unsetConfig(c *call) error {
	for _, key := range c.args {
		if err := checkKey(key); err != nil {
			return err
		}
	}
	return c.unset(c.args)
}

func clearConfig(c *call) error {
	config, err := c.config()
	if err != nil || len(config) == 0 {
		return err
	}
	return c.unset(slices.Sorted(maps.Keys(config)))
}

func (c *call) unset(keys []string) error {
	for _, key := range keys {
		c.events().Step("Unsetting %s", key)
	}
	return c.changeConfig(nil, keys)
}

func (c *call) changeConfig(set map[string]string, unset []string) error {
	log, app := c.events(), ""
	if c.app != nil {
		app = c.app.Name
		log = log.WithApp(app)
	}
	if err := c.server.SetConfig(c.ctx, app, set, unset, !c.flag("no-restart"), log); err != nil {
		return err
	}
	if apps, err := c.server.Apps(); app == "" && err == nil && len(apps) > 0 {
		log.Detail("Apps get it with their next deploy or restart (ps:restart --all)")
	}
	return nil
}

func getConfig(c *call) error {
	if err := checkKey(c.args[0]); err != nil {
		return err
	}
	config, err := c.config()
	if err != nil {
		return err
	}
	value, ok := config[c.args[0]]
	if !ok {
		return errSilent
	}
	if c.flag("quoted") {
		value = singleQuoted(value)
	}
	c.print("%s\n", value)
	return nil
}

func listConfigKeys(c *call) error {
	if c.flag("origin") {
		return c.printOrigins(false)
	}
	config, err := c.config()
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(config)) {
		c.print("%s\n", key)
	}
	return nil
}

func showConfig(c *call) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	if c.headings() {
		name := "global"
		if c.app != nil {
			name = c.app.Name
		}
		c.print("=====> %s env vars\n", name)
	}
	if c.flag("origin") {
		return c.printOrigins(true)
	}
	c.print("%s", pairs(config))
	return nil
}

// pairs shows variables in two columns, as Dokku does.
func pairs(config map[string]string) string {
	var rows [][]string
	for _, key := range slices.Sorted(maps.Keys(config)) {
		rows = append(rows, []string{key + ":", visibleValue(config[key])})
	}
	var b strings.Builder
	for _, line := range text.Columns(rows, 2) {
		b.WriteString(line + "\n")
	}
	return b.String()
}
