package cli

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/journal"
)

// readingVerbs are the verbs of commands that change nothing.
var readingVerbs = []string{"report", "list", "show", "help", "exists", "locked", "get", "keys", "export", "info", "inspect", "log", "logs",
	"failed", "nodes", "output", "active", "auth-status", "public-key", "show-config", "validate-config", "access-logs", "error-logs", "test", "custom-page-export", "bundle", "links", "app-links", "linked",
	"trigger"}

// changingWords are further commands that change something, or run something for a person:
// a backup gives all secrets away.
var changingWords = []string{"run", "enter", "backup", "restore", "cleanup", "backup:get", "import"}

// askingWords are the commands that only answer unless they have words after the app.
var askingWords = []string{"ps:scale", "resource:limit", "resource:reserve"}

// shownWords are the nouns and the commands whose words are no secrets: events show them.
var shownWords = []string{"apps", "domains", "ports", "proxy", "releases", "resource", "ps:scale", "ps:restart", "deploys", "builds", "events",
	"maintenance", "redirect", "cluster", "isolation"}

// askingFlags are flags with which askingWords still only answer.
var askingFlags = []string{"format", "origin", "process-type", "global", "quiet", "app", "trace", "force", "no-wait"}

// changes reports whether a command may change something. given has the words after the app
// and the names of the flags.
func changes(name string, given []string) bool {
	_, verb, colon := strings.Cut(name, ":")
	switch {
	case name == "import" && (slices.Contains(given, "plan") || slices.Contains(given, "dry-run")):
		return false
	case slices.Contains(changingWords, name):
		return true
	case !colon:
		return name == "doctor" && slices.Contains(given, "fix")
	case slices.Contains(askingWords, name):
		return slices.ContainsFunc(given, func(word string) bool { return !slices.Contains(askingFlags, word) })
	}
	return !slices.Contains(readingVerbs, verb)
}

// record makes an event of a command that may have changed something. The words of most
// commands may be secrets, and stay out of it.
func (c *Call) record(s Spec, err error) {
	name, given := s.name(), slices.Clone(c.Args)
	c.cmd.Flags().Visit(func(f *pflag.Flag) { given = append(given, f.Name) })
	if c.Server == nil || c.completing || !changes(name, given) || err != nil && !c.Server.Env.Store.Asked() {
		return // a refused command line leaves no trace
	}
	// A command that kept root's rights has ended: the file belongs to the owner of DOKKU_ROOT.
	if c.Env.Become != nil && c.Env.Become() != nil {
		return
	}
	e := journal.Event{Event: journal.Command, Text: name}
	noun, _, _ := strings.Cut(name, ":")
	shown := slices.Contains(shownWords, noun) || slices.Contains(shownWords, name)
	if shown {
		e.Text = strings.Join(append([]string{name}, c.Args...), " ")
	}
	if c.Flag("global") || c.Flag("all") {
		e.Text += " (all apps)"
	}
	if s.Kind != "" && c.App == nil && len(c.Args) > 0 {
		e.Text = name + " " + event.OneLine(c.Args[0]) // the service
	}
	switch {
	case c.App != nil:
		e.App = c.App.Name
	case s.AppLast && len(c.Args) > 1 && app.ValidName(c.Args[1]) == nil:
		e.App = c.Args[1]
	case s.NewApp && len(c.Args) > 0 && app.ValidName(c.Args[0]) == nil:
		e.App = c.Args[0]
	}
	switch {
	case err != nil && shown:
		e.Error = err.Error()
	case err != nil:
		e.Error = "it failed" // the message may have words of the command
	}
	c.Server.Env.Tell(e, event.Log{})
}
