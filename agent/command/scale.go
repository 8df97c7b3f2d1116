package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent"
	"dokku/scale"
)

var scaleCommands = []spec{{
	use: "ps:scale APP [TYPE=COUNT...]", short: "Show how many processes of each type run, or change it",
	long: "All types are changed at once and without a build: what is missing is started and checked,\n" +
		"what is surplus is stopped, the rest is left alone.",
	example: "dokku ps:scale hello web=2 worker=1",
	flags: func(f *pflag.FlagSet) {
		f.Bool("skip-deploy", false, "store the counts, apply them with the next deploy or restart")
		formatFlag(f)
	},
	words: func(c *call) []string {
		var words []string
		for _, t := range c.types() {
			words = append(words, t+"=")
		}
		return words
	},
	values: map[string]func(*call) []string{"format": oneOfWords("stdout", "json")},
	run:    runScale,
}}

func runScale(c *call) error {
	format := c.value("format")
	if err := oneOf("format", format, "stdout", "json"); err != nil {
		return err
	}
	if len(c.args) == 0 {
		return printScale(c, format)
	}
	if format == "json" {
		return c.usageError("--format json shows the formation and cannot be used to change it")
	}
	set, err := c.server.Settings()
	if err != nil {
		return err
	}
	var known []string
	if c.app.Deployed() {
		known = c.types()
	}
	counts, err := scale.ParseCounts(c.args, known, set.MaxScale)
	if err != nil {
		return err
	}
	if err := c.shipped(); err != nil {
		return err
	}
	log := c.events().WithApp(c.app.Name)
	log.Step("Scaling %s processes: %s", c.app.Name, asTyped(c.args, counts))
	return c.server.Scale(c.ctx, c.app.Name, counts, c.flag("skip-deploy"), log)
}

// shipped refuses to scale an app whose release ships its formation. The agent
// refuses it too, under the lock; here it is found before anything is printed.
func (c *call) shipped() error {
	if !c.app.Deployed() {
		return nil
	}
	f, err := c.server.Formation(c.app)
	if err != nil {
		return err
	}
	return f.Shipped(c.app.Name, shortRevision(c.app.Current.Revision))
}

// asTyped lists the counts in the order of the command line.
func asTyped(args []string, counts map[string]int) string {
	var list []string
	for _, arg := range args {
		t, _, _ := strings.Cut(arg, "=")
		if item := fmt.Sprintf("%s=%d", t, counts[t]); !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return strings.Join(list, " ")
}

func shortRevision(id string) string { return id[:min(7, len(id))] }

func printScale(c *call, format string) error {
	if c.flag("skip-deploy") {
		return c.usageError("--skip-deploy needs counts to store")
	}
	f, err := c.server.Formation(c.app)
	if err != nil {
		return err
	}
	if format == "json" {
		data, err := f.JSON()
		if err != nil {
			return fmt.Errorf("cannot print the formation of %s: %w", c.app.Name, err)
		}
		c.print("%s\n", data)
		return nil
	}
	if err := f.WriteTable(c.env.Stdout, c.app.Name, !c.headings()); err != nil || !c.headings() {
		return err
	}
	// A person is told; a script that reads the table asks for json.
	for _, o := range scaleOrigins(c.app, f) {
		c.print("       %s\n", o)
	}
	return nil
}

// scaleOrigins says where the counts are from, by origin: "DOKKU_SCALE of
// 3f2c1d9: web, worker".
func scaleOrigins(app *agent.App, f scale.Formation) []string {
	var list []string
	for _, o := range []scale.Origin{scale.FromAppJSON, scale.FromDokkuScale, scale.FromLocal, scale.FromDefault} {
		var types []string
		for _, e := range f {
			if e.Origin == o {
				types = append(types, e.Type)
			}
		}
		if len(types) == 0 {
			continue
		}
		from := map[scale.Origin]string{scale.FromLocal: "ps:scale", scale.FromDefault: "default"}[o]
		if from == "" {
			from = fmt.Sprintf("%s of %s", o, shortRevision(app.Current.Revision))
		}
		list = append(list, from+": "+strings.Join(types, ", "))
	}
	return list
}
