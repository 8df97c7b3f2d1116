package cli

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func runCompletion(c *Call) error {
	root := c.cmd.Root()
	switch c.Args[0] {
	case "bash":
		return root.GenBashCompletionV2(c.Env.Stdout, true)
	case "zsh":
		return root.GenZshCompletion(c.Env.Stdout)
	case "fish":
		return root.GenFishCompletion(c.Env.Stdout, true)
	}
	return OneOf("shell", c.Args[0], "bash", "zsh", "fish")
}

// complete offers app names for the first word and the command's own words after it. It
// never prints an error: on failure it offers nothing.
func (r *Runner) complete(s Spec, cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if !s.Rootless && r.open() != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	c := &Call{Runner: r, Ctx: cmd.Context(), cmd: cmd, Args: args}
	sh := parseUse(s.Use)
	substituted := c.Flag("global") || c.Flag("all") || r.app != ""
	var words []string
	switch {
	case s.NewApp:
	case sh.app && len(args) == 0 && !substituted:
		words, _ = r.Server.Env.Store.Apps()
	case s.Words != nil:
		if sh.app && !substituted {
			c.App, _ = r.Server.Env.Store.Load(args[0])
			c.Args = args[1:]
		} else if r.app != "" {
			c.App, _ = r.Server.Env.Store.Load(r.app)
		}
		words = s.Words(c)
	}
	words = withPrefix(words, prefix)
	directive := cobra.ShellCompDirectiveNoFileComp
	if len(words) == 1 && strings.HasSuffix(words[0], "=") {
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return words, directive
}

func withPrefix(words []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !strings.HasPrefix(w, prefix) })
}

// completeFlags registers the values of flags. Only completions call it, since cobra
// keeps the values in a global variable.
func (r *Runner) completeFlags(s Spec, cmd *cobra.Command) {
	for name, values := range s.Values {
		cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			c := &Call{Runner: r, Ctx: cmd.Context(), cmd: cmd}
			if name := cmp.Or(append([]string{r.app}, args...)...); name != "" && r.open() == nil {
				c.App, _ = r.Server.Env.Store.Load(name)
			}
			return withPrefix(values(c), prefix), cobra.ShellCompDirectiveNoFileComp
		})
	}
}

// OneOfWords returns a completion that offers these words.
func OneOfWords(words ...string) func(*Call) []string {
	return func(*Call) []string { return words }
}

// Types returns the process types of the app.
func (c *Call) Types() []string {
	if c.App == nil {
		return nil
	}
	f, err := c.Formation(c.App)
	if err != nil {
		return nil
	}
	var types []string
	for _, e := range f {
		types = append(types, e.Type)
	}
	return types
}
