package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/command/cli"
	"dokku/agent/doctor"
	"dokku/agent/event"
	"dokku/agent/text"
)

// Commands are the commands of this package.
var Commands = slices.Concat(doctorCommands, reportCommands, backupCommands, keptBackups.Commands(), keyCommands, aclCommands, pluginCommands)

var doctorCommands = []cli.Spec{{
	Use: "doctor [APP]", Role: cli.Operator, Short: "Check the server and its apps, or one app, and say how to fix each problem",
	Long: "It prints one line for each healthy app, all its checks for one APP, and with --quiet only problems.\n" +
		"It exits with 0 if it finds no problem or fixes all. Without --fix it changes nothing.\n" +
		"--fix makes all safe fixes: permissions, hooks, leftovers of a killed git or command, apps that have not\n" +
		"converged, and leftovers of removed apps in the engine. It does not start services that you may have stopped:\n" +
		"for nginx, sshd, the agent and ended processes it prints the command.",
	Example: "dokku doctor --fix",
	Flags: func(f *pflag.FlagSet) {
		f.Bool("fix", false, "make all safe fixes")
		cli.FormatFlag(f)
	},
	Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
	Run:    runDoctor,
}}

func runDoctor(c *cli.Call) error {
	format := c.Value("format")
	if err := cli.OneOf("format", format, "stdout", "json"); err != nil {
		return err
	}
	name := ""
	if c.App != nil {
		name = c.App.Name
	}
	found := doctor.Doctor{Server: c.Server}.Examine(c.Ctx, name)
	if c.Flag("fix") {
		found = doctor.Doctor{Server: c.Server}.Fix(c.Ctx, name, found, c.Server.Log(nil))
	}
	if err := c.Ctx.Err(); err != nil {
		return err
	}
	if format == "json" {
		if err := c.PrintJSON(found); err != nil {
			return err
		}
	} else {
		printFindings(c, found, name)
	}
	for _, f := range found {
		if f.Status != doctor.HealthOK {
			return cli.ErrSilent
		}
	}
	return nil
}

// printFindings prints the findings about one app, or about the server and all its apps:
// then a healthy app has a line, and any other its problems. --quiet leaves only problems.
// These go to stderr, as warnings do.
func printFindings(c *cli.Call, found []doctor.Finding, app string) {
	heading := "" // of the last line
	under := func(title string) {
		if c.Headings() && title != heading {
			c.Heading("Health of %s", title)
		}
		heading = title
	}
	healthy := map[string]bool{}
	for _, f := range found {
		before, seen := healthy[f.App]
		healthy[f.App] = (before || !seen) && f.Status == doctor.HealthOK && !f.Fixed
	}
	list := slices.Clone(found)
	slices.SortStableFunc(list, func(a, b doctor.Finding) int { return cmp.Compare(a.App, b.App) })
	for _, f := range list {
		overview := app == "" && f.App != ""
		switch fine := f.Status == doctor.HealthOK && !f.Fixed; {
		case c.Quiet && f.Status == doctor.HealthOK, overview && fine && (!healthy[f.App] || !f.Sums):
			continue
		case overview && fine:
			f.Check, f.App = f.App, ""
			under("the apps")
		case overview:
			under("the apps")
		default:
			under(cmp.Or(f.App, "the server"))
		}
		printFinding(c, f)
	}
	if app == "" && !c.Quiet {
		c.Print("=====> %s\n", summary(found))
	}
}

func printFinding(c *cli.Call, f doctor.Finding) {
	line := asLine(f.Text)
	switch {
	case f.Fixed:
		c.Print("       %-29s fixed: %s\n", f.Title(), line)
	case f.Status == doctor.HealthOK:
		c.Print("       %-29s fine: %s\n", f.Title(), line)
	case f.Fix == "":
		c.Warn("%-29s %s", f.Title(), line)
	default:
		c.Warn("%-29s %s; to fix: %s", f.Title(), line, f.Fix)
	}
}

// summary counts the apps and what is wrong: "3 apps, 1 problem, 2 warnings".
func summary(found []doctor.Finding) string {
	apps, count, fixed := map[string]bool{}, map[doctor.Health]int{}, 0
	for _, f := range found {
		if count[f.Status]++; f.App != "" {
			apps[f.App] = true
		}
		if f.Fixed {
			fixed++
		}
	}
	parts := []string{text.Plural(len(apps), "app")}
	for _, h := range []doctor.Health{doctor.HealthProblem, doctor.HealthWarning} {
		if count[h] > 0 {
			parts = append(parts, text.Plural(count[h], string(h)))
		}
	}
	if len(parts) == 1 {
		parts = append(parts, "no problems")
	}
	if fixed > 0 {
		parts = append(parts, fmt.Sprintf("%d fixed", fixed))
	}
	return strings.Join(parts, ", ")
}

// asLine returns the output of a program on one line.
func asLine(s string) string {
	return event.Printable(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " | "))
}
