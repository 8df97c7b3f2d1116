package admin

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/command/cli"
	"dokku/agent/doctor"
	"dokku/agent/event"
)

// Commands are the commands of this package.
var Commands = slices.Concat(doctorCommands, backupCommands, keyCommands)

var doctorCommands = []cli.Spec{{
	Use: "doctor [APP]", Short: "Check the server and its apps, or one app, and say how to fix each problem",
	Long: "It exits with 0 if it finds no problem or fixes all. Without --fix it changes nothing.\n" +
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
		data, err := json.Marshal(found)
		if err != nil {
			return err
		}
		c.Print("%s\n", data)
	} else {
		printFindings(c, found)
	}
	for _, f := range found {
		if f.Status != doctor.HealthOK {
			return cli.ErrSilent
		}
	}
	return nil
}

// printFindings prints a line for each finding. Problems go to stderr, as warnings do.
func printFindings(c *cli.Call, found []doctor.Finding) {
	heading := ""
	for _, f := range found {
		if title := "the server"; c.Headings() {
			if f.App != "" {
				title = f.App
			}
			if title != heading {
				heading = title
				c.Heading("Health of %s", title)
			}
		}
		text := asLine(f.Text)
		switch {
		case f.Fixed:
			c.Print("       %-29s fixed: %s\n", f.Title(), text)
		case f.Status == doctor.HealthOK:
			c.Print("       %-29s fine: %s\n", f.Title(), text)
		case f.Fix == "":
			c.Warn("%-29s %s", f.Title(), text)
		default:
			c.Warn("%-29s %s; to fix: %s", f.Title(), text, f.Fix)
		}
	}
}

// asLine returns the output of a program on one line.
func asLine(s string) string {
	return event.Printable(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " | "))
}
