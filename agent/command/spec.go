package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dokku/agent"
	"dokku/agent/failpoint"
)

// spec describes a command. Its usage line is the source of its help and of
// the check of its arguments: "ps:scale APP [TYPE=COUNT...]" takes an app and
// any number of other words.
type spec struct {
	use     string
	short   string
	long    string
	example string
	// flags adds the command's own flags. A flag "global" or "all" stands in the
	// place of APP.
	flags func(*pflag.FlagSet)
	// newApp: the app need not exist; its name is the first word.
	newApp bool
	// missing is the message for a missing word that is not the app; the default
	// names the word.
	missing string
	// withoutApp is the message for a word too many after --all.
	withoutApp string
	// raw: the command checks its own words and flags.
	raw bool
	// whole: the command needs the tree of all commands.
	whole bool
	// rootless: the command works without a DOKKU_ROOT.
	rootless bool
	// asRoot: the command keeps root's rights, to read files that only root can.
	asRoot bool
	// words completes the words after the app.
	words func(*call) []string
	// values completes the values of flags, by name.
	values map[string]func(*call) []string

	run func(*call) error
}

func (s spec) name() string {
	name, _, _ := strings.Cut(s.use, " ")
	return name
}

// call is one command line, found to be well formed.
type call struct {
	*runner
	ctx  context.Context
	cmd  *cobra.Command
	app  *agent.App // nil without an app, with --global and with --all
	args []string   // the words after the app
}

func (c *call) flag(name string) bool {
	on, err := c.cmd.Flags().GetBool(name)
	return on && err == nil
}

func (c *call) value(name string) string {
	v, _ := c.cmd.Flags().GetString(name)
	return v
}

// list is the value of a flag that may be given several times.
func (c *call) list(name string) []string {
	v, _ := c.cmd.Flags().GetStringArray(name)
	return v
}

// changed reports whether the command line has the flag.
func (c *call) changed(name string) bool { return c.cmd.Flags().Changed(name) }

// usageError is what is wrong with the command line, and the command's usage.
func (c *call) usageError(format string, args ...any) error {
	return usageError(c.cmd, format, args...)
}

// listNoun prints the commands of a noun, whose command has all of the tree.
func (c *call) listNoun(noun string) error { return c.help(c.cmd.Root(), []string{noun}) }

// shape is what a usage line says about the words.
type shape struct {
	app      bool // the first word is an app, which must exist
	required []string
	optional int // -1: any number
}

func parseUse(use string) shape {
	var s shape
	for i, word := range strings.Fields(use)[1:] {
		name, repeated := strings.CutSuffix(strings.Trim(word, "[]"), "...")
		switch {
		case i == 0 && name == "APP":
			s.app = true
			if word != "APP" {
				if s.optional++; repeated {
					s.optional = -1
				}
				continue
			}
			s.required = append(s.required, name)
			continue
		case strings.HasPrefix(word, "["):
			s.optional++
		default:
			s.required = append(s.required, name)
		}
		if repeated {
			s.optional = -1
		}
	}
	return s
}

func (r *runner) cobra(s spec) *cobra.Command {
	cmd := &cobra.Command{
		Use: s.use, Short: s.short, Long: s.long, Example: s.example,
		DisableFlagParsing:    s.raw,
		DisableFlagsInUseLine: true,
		Args:                  cobra.ArbitraryArgs,
	}
	if s.flags != nil {
		s.flags(cmd.Flags())
	}
	// cobra's own flag would be in each list of flags.
	cmd.Flags().BoolP("help", "h", false, "")
	cmd.Flags().Lookup("help").Hidden = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := r.bind(s, cmd, args)
		if err != nil {
			return err
		}
		if err := failpoint.Reach(failpoint.CommandParsed); err != nil {
			return err
		}
		return s.run(c)
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return r.complete(s, cmd, args, prefix)
	}
	if r.completing {
		r.completeFlags(s, cmd)
	}
	return cmd
}

// bind checks the words of a command line and loads the app.
func (r *runner) bind(s spec, cmd *cobra.Command, args []string) (*call, error) {
	c := &call{runner: r, ctx: cmd.Context(), cmd: cmd, args: args}
	if !s.rootless {
		if err := r.open(); err != nil {
			return nil, err
		}
	}
	if s.raw {
		return c, nil
	}
	sh := parseUse(s.use)
	if c.flag("global") || c.flag("all") {
		return c, c.bare(s, sh)
	}
	if r.app != "" {
		if !sh.app {
			return nil, usageError(cmd, "%s takes no app, but --app %s was given", cmd.Name(), r.app)
		}
		c.args = append([]string{r.app}, args...)
	}
	if err := c.count(s, sh); err != nil {
		return nil, err
	}
	if !sh.app || s.newApp || len(c.args) == 0 {
		return c, nil
	}
	app, err := r.server.Load(c.args[0])
	if err != nil {
		return nil, err
	}
	c.app, c.args = app, c.args[1:]
	return c, nil
}

// bare checks the words of a command line in which a flag stands for the
// app.
func (c *call) bare(s spec, sh shape) error {
	if c.runner.app != "" {
		return usageError(c.cmd, "--app %s cannot be used together with --global or --all", c.runner.app)
	}
	if sh.app && len(sh.required) > 0 {
		sh.required = sh.required[1:]
	}
	return c.count(s, sh)
}

func (c *call) count(s spec, sh shape) error {
	n := len(c.args)
	if n > 0 && sh.app && c.args[0] == "" {
		return errNoApp
	}
	if n < len(sh.required) {
		name := sh.required[n]
		switch {
		case name == "APP":
			return errNoApp
		case s.missing != "":
			return usageError(c.cmd, "%s", s.missing)
		}
		return usageError(c.cmd, "Missing %s", name)
	}
	if most := len(sh.required) + sh.optional; sh.optional >= 0 && len(c.args) > most {
		if s.withoutApp != "" && c.flag("all") {
			return usageError(c.cmd, "%s", s.withoutApp)
		}
		return usageError(c.cmd, "Unexpected argument %q", c.args[most])
	}
	return nil
}

// deployed refuses an app that has no release. A push that git has accepted and
// nobody has finished yet counts: the agent settles it first.
func (c *call) deployed() error {
	if !c.app.Deployed() && c.app.State.Staged == nil {
		return &agent.NotDeployedError{App: c.app.Name}
	}
	return nil
}

// pushed refuses an app of which there is nothing to build.
func (c *call) pushed() error {
	revision, err := c.server.Undeployed(c.app)
	if err == nil && revision == "" {
		return &agent.NotDeployedError{App: c.app.Name}
	}
	return err
}

// apps lists the names of all apps, and says so when there are none.
func (c *call) apps() ([]string, error) {
	apps, err := c.server.Apps()
	if err == nil && len(apps) == 0 {
		c.warn("You haven't deployed any applications yet")
	}
	return apps, err
}

func oneOf(what, value string, valid ...string) error {
	for _, v := range valid {
		if v == value {
			return nil
		}
	}
	return refuse("Invalid %s %q, valid values: %s", what, value, strings.Join(valid, ", "))
}

// changeNext changes what the app's next release takes up, and says when that is.
func (c *call) changeNext(what string, change func(*agent.State) error) error {
	log := c.events().WithApp(c.app.Name)
	err := c.server.Update(c.ctx, c.app.Name, what, log, change)
	if err == nil && c.app.Deployed() {
		log.Detail("It takes effect with the next deploy or restart (ps:restart %s)", c.app.Name)
	}
	return err
}
