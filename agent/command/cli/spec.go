package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/failpoint"
)

// Spec describes a command. Its usage line is the source of its help and of the check
// of its words: "ps:scale APP [TYPE=COUNT...]" takes an app and any number of words.
type Spec struct {
	// Use is the usage line, Short the line in lists of commands. Long and Example appear
	// in the command's own help.
	Use     string
	Short   string
	Long    string
	Example string
	// Role is what a key needs for the command. A command whose role is not Anybody or Admin is about
	// one app, its first word, which the key has to be for.
	Role Role
	// AdminFlags are the command's flags that need an admin, beside --global and --all.
	AdminFlags []string
	// Scoped: without an app, the command shows by itself only what the key may use.
	Scoped bool
	// Others returns the further apps that the words after the app name; nil: they name none.
	Others func(words []string) []string
	// Service: the first word is a service, of the kind that is the command's noun.
	Service bool
	// Flags adds the command's own flags. A flag "global" or "all" replaces APP.
	Flags func(*pflag.FlagSet)
	// NewApp: the app need not exist, and Run gets its name as the first word.
	NewApp bool
	// Kind is the title of the kind of service that the command is for; "": none. Kinds have
	// the same commands.
	Kind string
	// AppLast: the last word is an app, which --app may name instead.
	AppLast bool
	// Missing is the message for a missing word other than the app. The default names
	// the word.
	Missing string
	// MissingAlone leaves out the usage after Missing: scripts compare what Dokku prints.
	MissingAlone bool
	// WithoutApp is the message for an extra word after --all.
	WithoutApp string
	// Raw: the command parses and checks its own words and flags.
	Raw bool
	// Whole: the command needs the tree of all commands.
	Whole bool
	// Rootless: the command works without a DOKKU_ROOT.
	Rootless bool
	// AsRoot: the command keeps root's rights, to read files that only root can read.
	AsRoot bool
	// Elsewhere are flags of Dokku's that the command does not have, without their hyphens, and
	// what one does here instead.
	Elsewhere map[string]string
	// Hyphens: words after APP and KEY may begin with a hyphen. One that is no flag of the
	// command is a word, with all that follow it.
	Hyphens bool
	// Inert: the command is about settings without effect.
	Inert bool
	// Words completes the words after the app.
	Words func(*Call) []string
	// Values completes the values of flags, by name.
	Values map[string]func(*Call) []string

	// Run runs the command after the checks.
	Run func(*Call) error

	// properties is the table of which the command is NOUN:set.
	properties *Properties
}

// Noun is the part of the command's name before the colon, or all of it.
func (s Spec) Noun() string {
	noun, _, _ := strings.Cut(s.name(), ":")
	return noun
}

func (s Spec) name() string {
	name, _, _ := strings.Cut(s.Use, " ")
	return name
}

// Call is one command line that has passed the checks of its Spec.
type Call struct {
	*Runner
	Ctx  context.Context // ends when the client goes away
	cmd  *cobra.Command
	App  *app.App // nil without an app, with --global and with --all
	Args []string // the words after the app
	// Dash is the number of words before the word "--", which is not one of Args; -1
	// without it.
	Dash int
}

// Flag reports whether a boolean flag is on; false if the command has no such flag.
func (c *Call) Flag(name string) bool {
	on, err := c.cmd.Flags().GetBool(name)
	return on && err == nil
}

// Value returns the value of a flag; "" if the command has no such flag.
func (c *Call) Value(name string) string {
	v, _ := c.cmd.Flags().GetString(name)
	return v
}

// List returns the values of a flag that may be repeated.
func (c *Call) List(name string) []string {
	v, _ := c.cmd.Flags().GetStringArray(name)
	return v
}

// Changed reports whether the flag is on the command line.
func (c *Call) Changed(name string) bool { return c.cmd.Flags().Changed(name) }

// UsageError returns an error in the command line, followed by the usage line.
func (c *Call) UsageError(format string, args ...any) error {
	return usageError(c.cmd, format, args...)
}

// ListNoun prints the commands of a noun. The Spec of the calling command must be Whole.
func (c *Call) ListNoun(noun string) error {
	c.printNoun(c.cmd.Root(), noun)
	return nil
}

// shape is the number and kind of words that a usage line allows.
type shape struct {
	app      bool // the first word is an app, which must exist
	required []string
	optional int // -1: any number
}

// full reports whether no word may be added to args.
func (s shape) full(args []string) bool {
	return s.optional >= 0 && len(args) > 0 && len(args) >= len(s.required)+s.optional
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

func (r *Runner) cobra(s Spec) *cobra.Command {
	cmd := &cobra.Command{
		Use: s.Use, Short: s.Short, Long: s.Long, Example: s.Example,
		Hidden:                !r.allows(s), // help has what the key may run
		DisableFlagParsing:    s.Raw,
		DisableFlagsInUseLine: true,
		Args:                  cobra.ArbitraryArgs,
	}
	if s.Kind != "" {
		cmd.Annotations = map[string]string{ofKind: s.Kind}
	}
	if s.Flags != nil {
		s.Flags(cmd.Flags())
	}
	if len(s.Elsewhere) > 0 {
		cmd.SetFlagErrorFunc(s.flagError)
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
		err = c.discreet(s.Run(c))
		c.record(s, err)
		return err
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
func (r *Runner) bind(s Spec, cmd *cobra.Command, args []string) (*Call, error) {
	c := &Call{Runner: r, Ctx: cmd.Context(), cmd: cmd, Args: args, Dash: cmd.ArgsLenAtDash()}
	if err := c.authorize(s); err != nil {
		return nil, err
	}
	if !s.Rootless {
		if err := r.open(); err != nil {
			return nil, err
		}
	}
	if s.Raw {
		return c, nil
	}
	sh := parseUse(s.Use)
	if slices.ContainsFunc(wide, c.Flag) {
		return c, c.bare(s, sh)
	}
	switch {
	case r.app == "":
	case sh.app && sh.full(args) && args[0] == r.app:
		// Dokku ignores the second name.
	case sh.app:
		c.Args = append([]string{r.app}, args...)
	case s.AppLast && len(args) < len(sh.required):
		c.Args = append(slices.Clone(args), r.app)
	case s.AppLast:
	case changes(s.name(), args):
		return nil, usageError(cmd, "%s takes no app, but --app %s was given", cmd.Name(), r.app)
	}
	if err := c.within(s, sh); err != nil {
		return nil, err
	}
	if err := c.load(s, sh); err != nil {
		return nil, err
	}
	if c.App != nil && r.Env.Access != nil {
		r.Env.Access.App = c.App.Name
	}
	if err := c.count(s, sh); err != nil {
		return nil, err
	}
	if c.App == nil {
		return c, nil
	}
	c.Args = c.Args[1:]
	if len(args) > len(c.Args) {
		c.Dash = max(c.Dash-1, -1) // the app was one of the words
	}
	return c, nil
}

// load loads the app, before the other words are counted: as Dokku, a command line without
// some of them says first that there is no such app.
func (c *Call) load(s Spec, sh shape) error {
	if !sh.app || s.NewApp || len(c.Args) == 0 || c.Args[0] == "" {
		return nil
	}
	a, err := c.Server.Env.Store.Load(c.Args[0])
	c.App = a
	if app.ValidName(c.Args[0]) != nil && len(c.Args) < len(sh.required) && c.cmd.Flags().Lookup("global") != nil {
		return usageError(c.cmd, "Missing APP, or --global, before %q", c.Args[0])
	}
	return err
}

// bare checks the words of a command line with --global or --all instead of APP.
func (c *Call) bare(s Spec, sh shape) error {
	if c.Runner.app != "" {
		return usageError(c.cmd, "--app %s cannot be used together with --global or --all", c.Runner.app)
	}
	if sh.app && len(sh.required) > 0 {
		sh.required = sh.required[1:]
	}
	return c.count(s, sh)
}

func (c *Call) count(s Spec, sh shape) error {
	n := len(c.Args)
	if n > 0 && sh.app && c.Args[0] == "" {
		return ErrNoApp
	}
	if n < len(sh.required) {
		name := sh.required[n]
		switch {
		case name == "APP":
			return ErrNoApp
		case s.MissingAlone:
			return Refuse("%s", s.Missing)
		case s.Missing != "":
			return usageError(c.cmd, "%s", s.Missing)
		}
		return usageError(c.cmd, "Missing %s", name)
	}
	if most := len(sh.required) + sh.optional; sh.optional >= 0 && len(c.Args) > most {
		if s.WithoutApp != "" && c.Flag("all") {
			return usageError(c.cmd, "%s", s.WithoutApp)
		}
		return usageError(c.cmd, "Unexpected argument %q", c.Args[most])
	}
	return nil
}

// Deployed returns an error if the app has no release. A staged push counts as one: the
// operation settles it first.
func (c *Call) Deployed() error {
	if !c.App.Deployed() && c.App.State.Staged == nil {
		return &app.NotDeployedError{App: c.App.Name}
	}
	return nil
}

// Pushed returns an error if the app has no commit to build.
func (c *Call) Pushed() error {
	v, err := c.View(c.App)
	if err != nil {
		return err
	}
	revision, err := deploy.Undeployed(v)
	if err == nil && revision == "" {
		return &app.NotDeployedError{App: c.App.Name}
	}
	return err
}

// Apps returns the names of all apps that the key may use. If there are none, it prints a
// warning.
func (c *Call) Apps() ([]string, error) {
	apps, err := c.Server.Env.Store.Apps()
	apps = c.ours(apps)
	if err == nil && len(apps) == 0 {
		c.Warn("You haven't deployed any applications yet")
	}
	return apps, err
}

// OneOf returns an error unless the value is valid.
func OneOf(name, value string, valid ...string) error {
	for _, v := range valid {
		if v == value {
			return nil
		}
	}
	return Refuse("Invalid %s %q, valid values: %s", name, value, strings.Join(valid, ", "))
}

// ChangeNext changes settings that take effect with the app's next release, and says so.
func (c *Call) ChangeNext(op string, change func(*app.State) error) error {
	log := c.Events().WithApp(c.App.Name)
	err := c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: op}, log, change)
	if err == nil && c.App.Deployed() {
		log.Detail("It takes effect with the next deploy or restart (dokku ps:restart %s)", c.App.Name)
	}
	return err
}
