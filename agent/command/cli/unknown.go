package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dokku/agent/event"
	"dokku/agent/text"
)

func unknown(root *cobra.Command, word string) error {
	text := fmt.Sprintf("`%s` is not a dokku command.", event.OneLine(word))
	if replaced := instead(word); replaced != "" {
		return fmt.Errorf("%s Dokku has it; here: %s", text, replaced)
	}
	text += "\nSee `dokku help` for a list of available commands."
	if near := nearest(word, visible(root)); near != "" {
		text += fmt.Sprintf("\nDid you mean `%s`?", near)
	}
	return fmt.Errorf("%s", text)
}

// nearest returns the command that word most likely means, or "". A verb alone ("scale")
// and another separator ("ps-scale") are close too.
func nearest(word string, commands []*cobra.Command) string {
	if len(word) > 40 {
		return ""
	}
	best, name := len(word)/3+1, ""
	for _, cmd := range commands {
		n := text.Distance(normal(word), normal(cmd.Name()))
		alike := n
		if _, verb, ok := strings.Cut(cmd.Name(), ":"); ok && len(word) > 2 && verb == word {
			n = min(n, 1)
		}
		if n < best || n == best && n == alike && name != "" {
			best, name = n, cmd.Name()
		}
	}
	return name
}

func normal(s string) string {
	return strings.NewReplacer("-", ":", "_", ":", ".", ":", " ", ":").Replace(strings.ToLower(s))
}
