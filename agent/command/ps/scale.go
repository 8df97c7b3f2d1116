package ps

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/scale"
)

var scaleCommands = []cli.Spec{{
	Use: "ps:scale APP [TYPE=COUNT...]", Role: cli.Operator, Short: "Show or change the number of processes of each type",
	Long: "It changes all types at once and without a build: it starts and checks missing processes, stops surplus\n" +
		"ones, and leaves all others alone.",
	Example: "dokku ps:scale hello web=2 worker=1",
	Flags: func(f *pflag.FlagSet) {
		f.Bool("skip-deploy", false, "store the counts, apply them with the next deploy or restart")
		cli.FormatFlag(f)
		f.Bool("origin", false, "also show where the counts come from")
	},
	Words: func(c *cli.Call) []string {
		var words []string
		for _, t := range c.Types() {
			words = append(words, t+"=")
		}
		return words
	},
	Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
	Run:    runScale,
}}

func runScale(c *cli.Call) error {
	format := c.Value("format")
	if err := cli.OneOf("format", format, "stdout", "json"); err != nil {
		return err
	}
	if len(c.Args) == 0 {
		return printScale(c, format)
	}
	if format == "json" {
		return c.UsageError("--format json shows the formation and cannot be used to change it")
	}
	set, err := c.Settings()
	if err != nil {
		return err
	}
	var known []string
	if c.App.Deployed() {
		known = c.Types()
	}
	counts, err := scale.ParseCounts(c.Args, known, set.MaxScale)
	if err != nil {
		return err
	}
	if err := shipped(c); err != nil {
		return err
	}
	log := c.Events().WithApp(c.App.Name)
	log.Step("Scaling %s processes: %s", c.App.Name, asTyped(c.Args, counts))
	if len(counts) == 0 { // release=0
		return nil
	}
	return c.Server.Scale(c.Ctx, c.App.Name, counts, c.Flag("skip-deploy"), log)
}

// shipped returns an error if the app's release ships its formation. The agent checks
// this too, under the lock; this check comes before the command prints anything.
func shipped(c *cli.Call) error {
	if !c.App.Deployed() {
		return nil
	}
	f, err := c.Formation(c.App)
	if err != nil {
		return err
	}
	return f.Shipped(c.App.Name, c.App.Current.Short())
}

// asTyped formats the counts in the order of the command line.
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

func printScale(c *cli.Call, format string) error {
	if c.Flag("skip-deploy") {
		return c.UsageError("--skip-deploy needs counts to store")
	}
	f, err := c.Formation(c.App)
	if err != nil {
		return err
	}
	if !c.App.Deployed() {
		f = firstFormation(f)
	} else if _, ok := c.App.Current.Control.Procfile.Release(); ok {
		f = sorted(append(f, scale.Entry{Type: "release"})) // Dokku has a row for it, always with 0
	}
	if format == "json" {
		if !c.Flag("origin") {
			for n := range f {
				f[n].Origin = ""
			}
		}
		data, err := f.JSON()
		if err != nil {
			return fmt.Errorf("cannot print the formation of %s: %w", c.App.Name, err)
		}
		c.Print("%s\n", data)
		return nil
	}
	var table strings.Builder
	if err := f.WriteTable(&table, c.App.Name, !c.Headings()); err != nil {
		return err
	}
	text := table.String()
	if c.Headings() {
		heading, rows, _ := strings.Cut(text, "\n")
		text = c.Paint(event.StyleStep, heading) + "\n" + rows
	}
	c.Print("%s", text)
	if !c.Flag("origin") {
		return nil
	}
	if !c.App.Deployed() {
		defer c.Warn("%s has not been deployed yet: these are the counts of its first deploy, if the repository has none", c.App.Name)
	}
	for _, o := range scaleOrigins(c.App, f) {
		c.Print("       %s\n", o)
	}
	return printExclusive(c)
}

// firstFormation adds to the stored counts of an app without a release what a first
// deploy runs by default: one web process.
func firstFormation(f scale.Formation) scale.Formation {
	if f.Origin(scale.Web) != "" {
		return f
	}
	return sorted(append(f, scale.Entry{Type: scale.Web, Count: 1, Origin: scale.FromDefault}))
}

func sorted(f scale.Formation) scale.Formation {
	slices.SortFunc(f, func(a, b scale.Entry) int { return strings.Compare(a.Type, b.Type) })
	return f
}

// scaleOrigins lists the types by the origin of their counts: "DOKKU_SCALE of 3f2c1d9:
// web, worker".
func scaleOrigins(app *app.App, f scale.Formation) []string {
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
			from = fmt.Sprintf("%s of %s", o, app.Current.Short())
		}
		list = append(list, from+": "+strings.Join(types, ", "))
	}
	return list
}
