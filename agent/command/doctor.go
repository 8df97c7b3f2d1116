package command

import (
	"encoding/json"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent"
	"dokku/agent/event"
)

var doctorCommands = []spec{{
	use: "doctor [APP]", short: "Check the server and its apps, or one app, and say how to mend what is wrong",
	long: "It exits with 0 when all is fine, or was mended. Without --fix it changes nothing.\n" +
		"--fix mends what is safe to mend: permissions, hooks, what a killed git or command has left, apps that are not\n" +
		"what they should be, and what is left in the engine of apps that are gone. It starts nothing that somebody may\n" +
		"have stopped: for nginx, sshd, the agent and processes that have ended it names the command.",
	example: "dokku doctor --fix",
	flags: func(f *pflag.FlagSet) {
		f.Bool("fix", false, "mend what is safe to mend")
		formatFlag(f)
	},
	values: map[string]func(*call) []string{"format": oneOfWords("stdout", "json")},
	run:    runDoctor,
}}

func runDoctor(c *call) error {
	format := c.value("format")
	if err := oneOf("format", format, "stdout", "json"); err != nil {
		return err
	}
	name := ""
	if c.app != nil {
		name = c.app.Name
	}
	found := c.server.Examine(c.ctx, name)
	if c.flag("fix") {
		found = c.server.Mend(c.ctx, name, found, c.server.Log(nil))
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if format == "json" {
		data, err := json.Marshal(found)
		if err != nil {
			return err
		}
		c.print("%s\n", data)
	} else {
		c.printFindings(found)
	}
	for _, f := range found {
		if f.Status != agent.HealthOK {
			return errSilent
		}
	}
	return nil
}

// printFindings prints a line for each. What is not fine goes to stderr, as
// warnings do.
func (c *call) printFindings(found []agent.Finding) {
	heading := ""
	for _, f := range found {
		if title := "the server"; c.headings() {
			if f.App != "" {
				title = f.App
			}
			if title != heading {
				heading = title
				c.print("=====> Health of %s\n", title)
			}
		}
		text := asLine(f.Text)
		switch {
		case f.Mended:
			c.print("       %-29s mended: %s\n", f.Title(), text)
		case f.Status == agent.HealthOK:
			c.print("       %-29s fine: %s\n", f.Title(), text)
		case f.Mend == "":
			c.warn("%-29s %s", f.Title(), text)
		default:
			c.warn("%-29s %s; to mend: %s", f.Title(), text, f.Mend)
		}
	}
}

// asLine shows what programs have said on one line.
func asLine(s string) string {
	return event.Printable(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " | "))
}
