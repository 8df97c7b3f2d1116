package command

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func runCompletion(c *call) error {
	root := c.cmd.Root()
	switch c.args[0] {
	case "bash":
		return root.GenBashCompletionV2(c.env.Stdout, true)
	case "zsh":
		return root.GenZshCompletion(c.env.Stdout)
	case "fish":
		return root.GenFishCompletion(c.env.Stdout, true)
	}
	return oneOf("shell", c.args[0], "bash", "zsh", "fish")
}

// complete offers app names for the first word and, after it, what the command
// takes. What cannot be read offers nothing: a completion never fails aloud.
func (r *runner) complete(s spec, cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if !s.rootless && r.open() != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	c := &call{runner: r, ctx: cmd.Context(), cmd: cmd, args: args}
	sh := parseUse(s.use)
	substituted := c.flag("global") || c.flag("all") || r.app != ""
	var words []string
	switch {
	case s.newApp:
	case sh.app && len(args) == 0 && !substituted:
		words, _ = r.server.Apps()
	case s.words != nil:
		if sh.app && !substituted {
			c.app, _ = r.server.Load(args[0])
			c.args = args[1:]
		} else if r.app != "" {
			c.app, _ = r.server.Load(r.app)
		}
		words = s.words(c)
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

// completeFlags registers the values of flags. cobra keeps them in a variable of
// its own, so that only completions do this.
func (r *runner) completeFlags(s spec, cmd *cobra.Command) {
	for name, values := range s.values {
		cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			c := &call{runner: r, ctx: cmd.Context(), cmd: cmd}
			if name := cmp.Or(append([]string{r.app}, args...)...); name != "" && r.open() == nil {
				c.app, _ = r.server.Load(name)
			}
			return withPrefix(values(c), prefix), cobra.ShellCompDirectiveNoFileComp
		})
	}
}

// oneOfWords completes one of a few words.
func oneOfWords(words ...string) func(*call) []string {
	return func(*call) []string { return words }
}

// types are the process types of the app.
func (c *call) types() []string {
	if c.app == nil {
		return nil
	}
	f, err := c.server.Formation(c.app)
	if err != nil {
		return nil
	}
	var types []string
	for _, e := range f {
		types = append(types, e.Type)
	}
	return types
}
