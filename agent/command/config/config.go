package config

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/text"
)

// Commands are the commands of this package.
var Commands = slices.Concat(configCommands, bundleCommands)

var configCommands = []cli.Spec{
	{
		Use: "config [APP]", Role: cli.Values, Scoped: true, Short: "Show the app's variables, as config:show does",
		Long: "Without an app, it lists the config commands.", Whole: true,
		Run: func(c *cli.Call) error {
			if c.App == nil {
				return c.ListNoun("config")
			}
			return showConfig(c)
		},
	},
	{
		Use: "config:clear APP", Role: cli.Operator, Short: "Unset all variables",
		Flags: changeFlags, Run: clearConfig,
	},
	{
		Use: "config:export APP", Role: cli.Values, Short: "Print the variables in a format for programs",
		Long: "Formats: exports (export lines for a shell), shell (one line), envfile and json.",
		Flags: func(f *pflag.FlagSet) {
			readFlags(f)
			f.String("format", "exports", strings.Join(exportFormats, ", "))
		},
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords(exportFormats...)},
		Run:    exportConfig,
	},
	{
		Use: "config:get APP KEY", Role: cli.Values, Short: "Print the value of a variable; exit 1 if it is not set",
		Missing: "Expected: key", Words: configKeys,
		Flags: func(f *pflag.FlagSet) {
			globalFlag(f)
			f.Bool("quoted", false, "quote the value for a shell")
		},
		Run: getConfig,
	},
	{
		Use: "config:keys APP", Role: cli.Deployer, Short: "List the names of the variables",
		Flags: originFlags, Run: listConfigKeys,
	},
	{
		Use: "config:set APP KEY=VALUE...", Role: cli.Operator, Short: "Set variables and restart the app",
		Long:    "If the app does not start with the new values, nothing is set and the app stays as it was.",
		Example: "dokku config:set hello GREETING='good morning' WORKERS=4",
		Missing: "At least one env pair must be given", MissingAlone: true,
		Flags: func(f *pflag.FlagSet) {
			changeFlags(f)
			f.Bool("encoded", false, "the values are base64")
			f.Bool("no-echo", false, "print the names of the variables without their values")
		},
		Run: setConfig,
	},
	{
		Use: "config:show APP", Role: cli.Values, Short: "Show the variables",
		Long: "--origin shows the whole environment that dokku gives the app's processes, with the origin of each value:\n" +
			"app (config:set), server (config:set --global), or dokku, for variables that it sets itself.",
		Flags: originFlags, Run: showConfig,
	},
	{
		Use: "config:unset APP KEY...", Role: cli.Operator, Short: "Unset variables and restart the app",
		Missing: "At least one key must be given", MissingAlone: true, Words: configKeys,
		Flags: changeFlags, Run: unsetConfig,
	},
}

func globalFlag(f *pflag.FlagSet) { f.Bool("global", false, "the variables of all apps") }

func changeFlags(f *pflag.FlagSet) {
	globalFlag(f)
	f.Bool("no-restart", false, "apply the change with the next deploy or restart")
}

func readFlags(f *pflag.FlagSet) {
	globalFlag(f)
	f.Bool("merged", false, "include the variables of all apps")
}

func originFlags(f *pflag.FlagSet) {
	readFlags(f)
	f.Bool("origin", false, "the whole environment of the processes, with the origin of each variable")
}

// variable is a variable in the environment of an app's processes, and its origin.
type variable struct{ key, origin, value string }

// variables returns all variables, sorted by name. dokku's own variables win over the
// app's, and the app's over the server's.
func variables(c *cli.Call) ([]variable, error) {
	set, err := c.Settings()
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
	if c.App != nil {
		add("app", c.App.State.Config)
		add("dokku", c.App.OwnEnvironment())
	}
	var list []variable
	for _, k := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[k])
	}
	return list, nil
}

// printOrigins prints the variables in aligned columns.
func printOrigins(c *cli.Call, values bool) error {
	list, err := variables(c)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, v := range list {
		row := []string{v.key + ":", fmt.Sprintf("%-6s", v.origin)}
		if values {
			row = append(row, cli.VisibleValue(v.value))
		}
		rows = append(rows, row)
	}
	for _, line := range text.Columns(rows, 2) {
		c.Print("%s\n", line)
	}
	return nil
}

// configOf returns the variables of the app, with --merged also the server's, or with
// --global only the server's.
func configOf(c *cli.Call) (map[string]string, error) {
	set, err := c.Settings()
	if err != nil {
		return nil, err
	}
	if c.App == nil {
		return set.Config, nil
	}
	if !c.Flag("merged") {
		return c.App.State.Config, nil
	}
	merged := map[string]string{}
	maps.Copy(merged, set.Config)
	maps.Copy(merged, c.App.State.Config)
	return merged, nil
}

func configKeys(c *cli.Call) []string {
	config, err := configOf(c)
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(config))
}

func setConfig(c *cli.Call) error {
	set := map[string]string{}
	for n, pair := range c.Args {
		key, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok:
			return badPair(c, n)
		}
		if err := cli.CheckKey(key); err != nil {
			return err
		}
		if c.Flag("encoded") {
			plain, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				return fmt.Errorf("%s for key '%s'", err, key)
			}
			value = string(plain)
		}
		if err := cli.CheckValue(key, value); err != nil {
			return err
		}
		set[key] = value
	}
	return announceAndSet(c, set, nil)
}

// announceAndSet prints the variables and changes them.
func announceAndSet(c *cli.Call, set map[string]string, unset []string) error {
	c.Events().Step("Setting config vars")
	log, shown := c.Private(), pairs(set)
	if c.Flag("no-echo") {
		shown = strings.Join(slices.Sorted(maps.Keys(set)), "\n")
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(shown, "\n"), "\n") {
		log.Value("%s", line)
	}
	if port, given := set["PORT"]; given {
		app := "APP"
		if c.App != nil {
			app = c.App.Name
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || c.Flag("no-echo") {
			port = "N"
		}
		log.Warn("PORT does not take effect: dokku sets PORT for web. To change it: dokku ports:set %s http:80:%s", app, port)
	}
	warnOfReplaced(c, set)
	return changeConfig(c, set, unset)
}

// badPair is the error for the nth word, which is no pair: most likely it belongs to the
// value of the word before. With --no-echo the error has nothing of a value either.
func badPair(c *cli.Call, n int) error {
	word, before := event.OneLine(c.Args[n]), ""
	quoted := word
	if n > 0 {
		before = event.OneLine(c.Args[n-1])
		quoted = before + " " + word
	}
	if c.Flag("no-echo") {
		key, _, _ := strings.Cut(before, "=")
		word, quoted = fmt.Sprintf("word %d has no =", n+1), key+"=..."
	}
	if n == 0 {
		return cli.Refuse("Invalid env pair: %s", word)
	}
	return cli.Refuse("Invalid env pair: %s\nQuote a value with blanks, and twice over ssh: \"'%s'\"", word, quoted)
}

func unsetConfig(c *cli.Call) error {
	for _, key := range c.Args {
		if err := cli.CheckKey(key); err != nil {
			return err
		}
	}
	return unsetKeys(c, c.Args)
}

func clearConfig(c *cli.Call) error {
	config, err := configOf(c)
	if err != nil || len(config) == 0 {
		return err
	}
	return unsetKeys(c, slices.Sorted(maps.Keys(config)))
}

func unsetKeys(c *cli.Call, keys []string) error {
	for _, key := range keys {
		c.Events().Step("Unsetting %s", key)
	}
	return changeConfig(c, nil, keys)
}

func changeConfig(c *cli.Call, set map[string]string, unset []string) error {
	log, app := c.Events(), ""
	if c.App != nil {
		app = c.App.Name
		log = log.WithApp(app)
	}
	if err := c.Server.SetConfig(c.Ctx, app, set, unset, !c.Flag("no-restart"), log); err != nil {
		return err
	}
	if apps, err := c.Server.Env.Store.Apps(); app == "" && err == nil && len(apps) > 0 {
		log.Detail("It takes effect in each app with its next deploy or restart (dokku ps:restart --all)")
	}
	return nil
}

func getConfig(c *cli.Call) error {
	if err := cli.CheckKey(c.Args[0]); err != nil {
		return err
	}
	config, err := configOf(c)
	if err != nil {
		return err
	}
	value, ok := config[c.Args[0]]
	if r := current(c); !ok && r != nil && c.Args[0] == r.RevisionVariable() {
		value, ok = r.Revision, true // Dokku stores it with each deploy
	}
	if !ok && c.App != nil && c.Args[0] == "DOKKU_DISABLE_PROXY" && c.App.State.ProxyDisabled {
		value, ok = "1", true // where proxy:disable of older versions of Dokku stores it, and clients ask for it
	}
	if !ok {
		return cli.ErrSilent
	}
	if c.Flag("quoted") {
		value = singleQuoted(value)
	}
	c.Print("%s\n", value)
	return nil
}

// current is the app's release; nil without one, or with --global.
func current(c *cli.Call) *app.Release {
	if c.App == nil {
		return nil
	}
	return c.App.Current
}

func listConfigKeys(c *cli.Call) error {
	if c.Flag("origin") {
		return printOrigins(c, false)
	}
	config, err := configOf(c)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(config)) {
		c.Print("%s\n", key)
	}
	return nil
}

func showConfig(c *cli.Call) error {
	config, err := configOf(c)
	if err != nil {
		return err
	}
	if c.Headings() {
		name := "global"
		if c.App != nil {
			name = c.App.Name
		}
		c.Heading("%s env vars", name)
	}
	if c.Flag("origin") {
		return printOrigins(c, true)
	}
	c.Print("%s", pairs(config))
	return nil
}

// pairs formats variables in two columns, as Dokku does.
func pairs(config map[string]string) string {
	var rows [][]string
	for _, key := range slices.Sorted(maps.Keys(config)) {
		rows = append(rows, []string{key + ":", cli.VisibleValue(config[key])})
	}
	var b strings.Builder
	for _, line := range text.Columns(rows, 2) {
		b.WriteString(line + "\n")
	}
	return b.String()
}
