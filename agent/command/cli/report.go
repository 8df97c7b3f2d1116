package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/event"
)

// Reporter prints a noun's report: "ps:report [APP] [--flag]". Its values have the names
// of Dokku's flags, without the leading dashes.
type Reporter struct {
	Noun string
	// About is the report's name in headings; the default is the noun.
	About string
	// Global collects the values of "NOUN:report --global"; nil: the noun has none. Text
	// leaves out the computed ones, which are the server's or the default.
	Global func(c *Call) (map[string]string, error)
	// Server is the server's name in the heading of its report; "": --global.
	Server string
	// ServerFirst: without an app, the report is the server's, and not that of all apps.
	ServerFirst bool
	// Lists are further values of an app in JSON, which have no long name; nil: none.
	Lists func(app *app.App) map[string][]string
	// Keys are the names of the values, sorted. A name that ends in "-" or "." is a prefix.
	Keys []string
	// Collect returns the values of an app. only is the single value that the report
	// shows, so that Collect need not compute the others; "" means all.
	Collect func(c *Call, app *app.App, only string) (map[string]string, error)
	// Own are the values, without the noun, that the report of Dokku 0.35 lacks. Text leaves
	// them out while they are empty, or those of a property while it is unset: clients of
	// Dokku know each row, and fail at another one.
	Own []string
	// First is the value whose row comes first in text: clients of Dokku read it by its
	// position. "": the rows are sorted.
	First string
	// Filled are shown in text where a value is empty, as the report of Dokku 0.35 does.
	// JSON and a single value tell what is set, as Dokku 0.38.
	Filled map[string]string
	// Aside are values that text leaves out: they are there in JSON, and by their flags.
	Aside []string
	// Role is what a key needs for the report; the zero value is Operator.
	Role Role
	// Rest is what follows a prefix of Keys, in help; "": TYPE-N.
	Rest string
	// Inert: the report is of settings without effect. The report of everything has it if one is set.
	Inert bool
	// Masked are values that text hides. They are there in JSON, and by their flags.
	Masked []string
	// Plain makes lines begin with the value's own name ("web limit memory"), without
	// the noun and the capital letter.
	Plain bool
}

// Spec returns the command NOUN:report.
func (rep Reporter) Spec(short string) Spec {
	without := "all apps are reported. "
	if rep.ServerFirst {
		without = "the server is reported. "
	}
	return Spec{
		Use: rep.Noun + ":report [APP]", Short: short, Raw: true, Role: cmp.Or(rep.Role, Operator), Scoped: true,
		Long: "Without an app, " + without + rep.aboutOrigins() + "One flag prints its value alone:\n  --" +
			strings.Join(rep.flags(), "\n  --"),
		Flags: func(f *pflag.FlagSet) { f.String("format", "stdout", "stdout or json") },
		Words: func(*Call) []string {
			var flags []string
			for _, k := range rep.Keys {
				flags = append(flags, "--"+k)
			}
			if rep.origins() {
				flags = append(flags, "--origin")
			}
			return append(flags, "--format")
		},
		Inert: rep.Inert,
		Run:   rep.run,
	}
}

// ReportAll prints the reports of all nouns about an app.
func (c *Call) ReportAll(name string) error {
	for _, group := range c.groups {
		for _, s := range group {
			if !strings.HasSuffix(s.name(), ":report") || !s.Raw || s.Inert && !c.inertSet(s.Noun(), name) || !c.allows(s) { // backup:report is of no app
				continue
			}
			one := &Call{Runner: c.Runner, Ctx: c.Ctx, cmd: c.cmd, Args: []string{name}}
			if err := s.Run(one); err != nil {
				c.Warn("%s: %s", s.name(), err)
			}
		}
	}
	return nil
}

// inertSet reports whether the app or the server has a setting of a noun without effect.
func (c *Call) inertSet(noun, name string) bool {
	v, err := c.Server.View(name)
	set := func(values map[string]string) bool {
		return slices.ContainsFunc(slices.Collect(maps.Keys(values)), func(key string) bool { return strings.HasPrefix(key, noun+":") })
	}
	return err == nil && (set(v.State.Inert) || set(v.Settings.Inert))
}

// reportLine is the parsed command line of a report.
type reportLine struct {
	app    string
	only   string // a single value
	format string
	global bool
	origin bool
}

// origins reports whether the report has values that say where others come from. They are
// shown on demand: clients of Dokku take each value for a setting.
func (rep Reporter) origins() bool { return slices.ContainsFunc(rep.Keys, isOrigin) }

func (rep Reporter) aboutOrigins() string {
	if !rep.origins() {
		return ""
	}
	return "--origin adds where each value comes from. "
}

func isOrigin(key string) bool { return strings.Contains(key, "-origin-") }

func (rep Reporter) run(c *Call) error {
	line, help, err := rep.parse(c)
	if err != nil {
		return err
	}
	if help {
		c.printUsage(c.cmd)
		return nil
	}
	if line.global || rep.ServerFirst && line.app == "" {
		if !c.Admin() {
			return c.wholeServer(rep.Noun + ":report")
		}
		return rep.server(c, line)
	}
	if line.app != "" {
		if err := c.NeedsApp(line.app); err != nil {
			return err
		}
		return rep.one(c, line, line.app, false)
	}
	apps, err := c.Apps()
	if err != nil {
		return err
	}
	for _, name := range apps {
		if err := rep.one(c, line, name, true); err != nil {
			return err
		}
	}
	return nil
}

// server prints the values of the server. A noun without any has an empty report.
func (rep Reporter) server(c *Call, line reportLine) error {
	values := map[string]string{}
	if rep.Global != nil {
		var err error
		if values, err = rep.Global(c); err != nil {
			return err
		}
	}
	if line.only == "" && line.format != "json" && !rep.Inert {
		maps.DeleteFunc(values, func(key, _ string) bool { return strings.Contains(key, "-computed-") })
	}
	return rep.show(c, line, "--global", values, nil, false)
}

// parse reads the words without pflag: the flags of a report are the names of values,
// and some of these depend on the running processes.
func (rep Reporter) parse(c *Call) (line reportLine, help bool, err error) {
	line.format = "stdout"
	var single []string
	for args := c.Args; len(args) > 0; {
		arg := args[0]
		n, err := c.globalFlag(arg, args[1:])
		if err != nil {
			return line, false, usageError(c.cmd, "%s", err)
		}
		args = args[max(n, 1):]
		value, joined := strings.CutPrefix(arg, "--format=")
		switch {
		case n > 0:
		case arg == "--help" || arg == "-h":
			return line, true, nil
		case joined:
			line.format = value
		case arg == "--format" && len(args) == 0:
			return line, false, usageError(c.cmd, "--format needs a value: stdout or json")
		case arg == "--format":
			line.format, args = args[0], args[1:]
		case arg == "--origin" && rep.origins():
			line.origin = true
		case arg == "--global":
			line.global = true
		case strings.HasPrefix(arg, "-"):
			single = append(single, arg)
		case line.app != "" || arg == "":
			return line, false, usageError(c.cmd, "Unexpected argument %q", arg)
		default:
			line.app = arg
		}
	}
	return rep.check(c, line, single)
}

func (rep Reporter) check(c *Call, line reportLine, single []string) (reportLine, bool, error) {
	if c.Runner.app != "" {
		if line.app != "" && line.app != c.Runner.app {
			return line, false, usageError(c.cmd, "Unexpected argument %q", line.app)
		}
		line.app = c.Runner.app
	}
	if line.global && line.app != "" {
		return line, false, usageError(c.cmd, "--global cannot be used together with an app (%s)", event.OneLine(line.app))
	}
	if len(single) > 1 {
		return line, false, fmt.Errorf("%s:report command allows only a single flag", rep.Noun)
	}
	if err := OneOf("format", line.format, "stdout", "json"); err != nil {
		return line, false, err
	}
	if len(single) == 0 {
		return line, false, nil
	}
	if line.format == "json" {
		return line, false, fmt.Errorf("--format flag cannot be specified when specifying an info flag")
	}
	line.only = strings.TrimPrefix(single[0], "--")
	if !rep.has(line.only) {
		return line, false, rep.invalidFlag()
	}
	return line, false, nil
}

func (rep Reporter) has(key string) bool {
	return slices.ContainsFunc(rep.Keys, func(k string) bool {
		if isPrefix(k) {
			return strings.HasPrefix(key, k) && key != k
		}
		return k == key
	})
}

// dropOwn removes the values of Own that are unset.
func (rep Reporter) dropOwn(values map[string]string) {
	noun := cmp.Or(rep.About, rep.Noun)
	for _, name := range rep.Own {
		own, server := noun+"-"+name, noun+"-global-"+name
		if values[own] == "" && values[server] == "" {
			for _, key := range []string{own, server, noun + "-computed-" + name, noun + "-origin-" + name} {
				delete(values, key)
			}
		}
	}
}

func isPrefix(key string) bool { return strings.HasSuffix(key, "-") || strings.HasSuffix(key, ".") }

func (rep Reporter) invalidFlag() error {
	return Refuse("Invalid flag passed, valid flags: --%s", strings.Join(rep.flags(), ", --"))
}

// flags returns the keys as help shows them.
func (rep Reporter) flags() (list []string) {
	for _, k := range rep.Keys {
		if isPrefix(k) {
			k += cmp.Or(rep.Rest, "TYPE-N")
		}
		list = append(list, k)
	}
	return list
}

func (rep Reporter) one(c *Call, line reportLine, name string, several bool) error {
	app, err := c.Server.Env.Store.Load(name)
	if err != nil {
		return err
	}
	values, err := rep.Collect(c, app, line.only)
	if err != nil {
		return err
	}
	var lists map[string][]string
	if rep.Lists != nil {
		lists = rep.Lists(app)
	}
	return rep.show(c, line, name, values, lists, several)
}

// show prints the values of an app, or one of them.
func (rep Reporter) show(c *Call, line reportLine, name string, values map[string]string, lists map[string][]string, several bool) error {
	switch {
	case line.only != "":
		v, ok := values[line.only]
		if !ok && line.global { // a client asks for the server's value by the name of the app's
			v, ok = values[rep.Noun+"-global-"+strings.TrimPrefix(line.only, rep.Noun+"-")]
		}
		if !ok && !several {
			return rep.invalidFlag()
		}
		c.Print("%s\n", v)
		return nil
	}
	if !line.origin {
		maps.DeleteFunc(values, func(key, _ string) bool { return isOrigin(key) })
	}
	if line.format == "json" {
		return rep.showJSON(c, name, values, lists, several)
	}
	// With several apps, the heading is data: it says which app the lines belong to.
	if c.Headings() || several {
		if name == "--global" {
			name = cmp.Or(rep.Server, name)
		}
		c.Heading("%s %s information", name, cmp.Or(rep.About, rep.Noun))
	}
	rep.dropOwn(values)
	maps.DeleteFunc(values, func(key, _ string) bool { return slices.Contains(rep.Aside, key) })
	keys := slices.Sorted(maps.Keys(values))
	if i := slices.Index(keys, rep.First); i > 0 {
		keys = slices.Insert(slices.Delete(keys, i, i+1), 0, rep.First)
	}
	for _, k := range keys {
		name := label(k)
		if rep.Plain {
			name = strings.TrimPrefix(strings.ReplaceAll(strings.ReplaceAll(k, "-", " "), ".", " "), rep.Noun+" ")
		}
		value := cmp.Or(values[k], rep.Filled[k])
		if value != "" && slices.ContainsFunc(rep.Masked, func(m string) bool { return k == m || isPrefix(m) && strings.HasPrefix(k, m) }) {
			value = mask
		}
		c.Print("       %-30s %s\n", name+":", VisibleValue(value))
	}
	return nil
}

// showJSON prints each value under its name and, as Dokku, without the noun before it.
func (rep Reporter) showJSON(c *Call, name string, values map[string]string, lists map[string][]string, several bool) error {
	all := map[string]any{}
	for key, list := range lists {
		all[key] = append([]string{}, list...) // never null
	}
	for key, value := range values {
		all[key] = value
		for _, noun := range []string{rep.Noun, cmp.Or(rep.About, rep.Noun)} {
			if bare, ok := strings.CutPrefix(key, strings.ReplaceAll(noun, " ", "-")+"-"); ok {
				all[bare] = value
			}
		}
	}
	if several {
		all["app"] = name
	}
	return c.PrintJSON(all)
}

// label returns a key as a report shows it: "ps-can-scale" as "Ps can scale".
func label(key string) string {
	words := strings.ReplaceAll(strings.ReplaceAll(key, "-", " "), ".", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// Needs reports whether a report shows a value whose name has one of the prefixes.
// only is the single value that it shows; "" means all.
func Needs(only string, prefixes ...string) bool {
	if only == "" {
		return true
	}
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(only, p) })
}

// FormatFlag adds --format.
func FormatFlag(f *pflag.FlagSet) { f.String("format", "stdout", "stdout or json") }

// Sorted sorts a list and returns it.
func Sorted(list []string) []string {
	slices.Sort(list)
	return list
}
