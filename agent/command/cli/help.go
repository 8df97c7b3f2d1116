package cli

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"dokku/agent/text"
)

// nouns are the groups of help, in its order.
var nouns = []struct{ name, title string }{
	{"apps", "Apps"},
	{"ps", "Processes"},
	{"run", "Run"},
	{"cron", "Cron tasks"},
	{"config", "Configuration"},
	{"domains", "Domains"},
	{"checks", "Checks"},
	{"storage", "Storage"},
	{"network", "Networks"},
	{"resource", "Resources"},
	{"isolation", "Isolation"},
	{"ports", "Ports"},
	{"proxy", "Proxy"},
	{"nginx", "nginx"},
	{"git", "Git"},
	{"logs", "Logs"},
	{"events", "Events and notifications"},
	{"ssh-keys", "SSH keys"},
	{"cluster", "Several servers"},
	{"", "Other"},
}

// abouts says in a line what the commands of a noun are for, in the words of Dokku's help.
var abouts = map[string]string{
	"acl":                    "Manage which ssh keys are for an app or a service",
	"app-json":               "Manage app-json settings for an app",
	"apps":                   "Manage apps",
	"builder":                "Manage builder settings for an app",
	"builder-dockerfile":     "Manage the dockerfile builder integration for an app",
	"builder-pack":           "Manage the pack builder integration for an app",
	"buildpacks":             "Manage buildpacks settings for an app",
	"builds":                 "Manage running and historical builds",
	"certs":                  "Manage SSL (TLS) certs",
	"checks":                 "Manage zero-downtime settings",
	"cluster":                "Manage the swarm of several servers",
	"config":                 "Manage global and app-specific config vars",
	"cron":                   "Manage scheduled cron tasks",
	"deploy":                 "Deploy apps again",
	"deploys":                "Manage deploys: what was pushed, how it ended, what it printed",
	"docker-options":         "Manage docker options for an app",
	"domains":                "Manage domains used by the proxy",
	"events":                 "Manage event logging",
	"git":                    "Manage app deploys via git",
	"http-auth":              "Manage HTTP authentication for an app",
	"isolation":              "Manage what the containers of an app may do",
	"letsencrypt":            "Manage the certificates of Let's Encrypt, or of another CA",
	"logs":                   "Manage log integration for an app",
	"maintenance":            "Manage the maintenance page of an app",
	"network":                "Manage network settings for an app",
	"nginx":                  "Manage the nginx proxy",
	"notify":                 "Manage notifications",
	"plugin":                 "Manage installed plugins: here, list what is built in",
	"ports":                  "Manage ports for an app",
	"proxy":                  "Manage the proxy integration for an app",
	"ps":                     "Manage app processes",
	"redirect":               "Manage redirects of an app's domains",
	"registry":               "Manage registry settings for an app",
	"releases":               "Manage the releases of an app",
	"repo":                   "Manage the app's repo",
	"resource":               "Manage resource settings for an app",
	"run":                    "Run a one-off process inside a container",
	"scheduler":              "Manage scheduler settings",
	"scheduler-docker-local": "Manage the docker-local scheduler integration for an app",
	"scheduler-docker-swarm": "Manage how a swarm places the processes of an app",
	"ssh-keys":               "Manage public ssh keys used for deployment",
	"storage":                "Manage mounted volumes",
	"trace":                  "Manage trace mode",
}

// headings are those of sections that Dokku words otherwise in the help of all commands.
var headings = map[string]string{"buildpacks": "Manage buildpack settings for an app"}

// nounOf is the group of a command.
func nounOf(name string) string {
	noun, _, _ := strings.Cut(name, ":")
	switch noun {
	case "enter":
		noun = "run"
	case "deploys":
		noun = "logs"
	case "notify":
		noun = "events"
	case "http-auth", "maintenance", "redirect":
		noun = "proxy"
	}
	if !isNoun()[noun] {
		return ""
	}
	return noun
}

// isNoun has the names of nouns: help asks for each command and each noun.
var isNoun = sync.OnceValue(func() map[string]bool {
	is := map[string]bool{}
	for _, n := range nouns {
		is[n.name] = true
	}
	return is
})

// helpNoun reports whether word is a noun, alone or with ":help", that asks for help:
// Dokku has NOUN:help for everything before a colon, and for commands without one. It
// leaves bare "ps" and "config", which are commands, to the caller.
func helpNoun(root *cobra.Command, word string) (string, bool) {
	noun, verb, colon := strings.Cut(word, ":")
	switch {
	case noun == "" || colon && verb != "help":
		return "", false
	case !colon:
		return noun, !known(root, noun) && (nounOf(noun) == noun || slices.Contains(kinds(root), noun) || hasVerbs(root, noun))
	}
	return noun, find(root, noun) != nil || hasVerbs(root, noun)
}

// asksAboutNoun reports whether a command line is "NOUN --help", which Dokku answers as
// NOUN:help, also where NOUN is a command too.
func asksAboutNoun(r *Runner, args []string) bool {
	if len(args) != 2 || args[1] != "--help" && args[1] != "-h" || strings.Contains(args[0], ":") {
		return false
	}
	return hasVerbs(r.tree(""), args[0])
}

// printNounHelp prints the help that NOUN:help asks for: the commands of the noun, or the
// usage of the command with this name.
func (r *Runner) printNounHelp(root *cobra.Command, noun string) {
	if cmd := find(root, noun); cmd != nil && !hasVerbs(root, noun) {
		r.printUsage(cmd)
		return
	}
	r.printNoun(root, noun)
}

// hasVerbs reports whether there are commands NOUN:VERB.
func hasVerbs(root *cobra.Command, noun string) bool {
	return slices.ContainsFunc(visible(root), func(c *cobra.Command) bool { return strings.HasPrefix(c.Name(), noun+":") })
}

// help prints the list of all commands, the commands of a noun, or one command's usage.
func (r *Runner) help(root *cobra.Command, words []string) error {
	if len(words) == 0 {
		r.printAll(root)
		return nil
	}
	word := words[0]
	if hasVerbs(root, word) {
		r.printNoun(root, word)
		return nil
	}
	if cmd := find(root, word); cmd != nil {
		r.printUsage(cmd)
		return nil
	}
	if noun, ok := helpNoun(root, word); ok {
		r.printNoun(root, noun)
		return nil
	}
	return unknown(root, word)
}

func (r *Runner) printNoun(root *cobra.Command, noun string) {
	r.Print("Usage: dokku %s[:COMMAND]\n\n", noun)
	if about := abouts[noun]; about != "" {
		r.Print("%s\n\n", about)
	}
	for _, line := range usageLines(group(root, noun)) {
		r.Print("%s\n", line)
	}
	if cmd := find(root, noun); cmd != nil {
		r.printDetails(cmd)
	}
	r.Print("\nSee `dokku help COMMAND` for the details of one command.\n")
}

func (r *Runner) printAll(root *cobra.Command) {
	r.Print("Usage: dokku [--quiet|--trace|--force|--app NAME] COMMAND [APP] [ARGUMENTS]\n")
	sections := sections(root)
	var list []*cobra.Command
	for _, s := range sections {
		list = append(list, s.commands...)
	}
	lines := usageLines(list)
	for n, s := range sections {
		if n == len(sections)-1 {
			r.printKinds(root)
		}
		r.Print("\n%s\n", s.title)
		for _, line := range lines[:len(s.commands)] {
			r.Print("%s\n", line)
		}
		lines = lines[len(s.commands):]
	}
	r.Print("%s", r.aboutKey())
	r.Print("\nSee `dokku help COMMAND` or `dokku COMMAND --help` for the details of one command.\n")
}

// ofKind is the annotation of commands that each kind of service has; its value is the title
// of the kind.
const ofKind = "kind"

// kinds are the nouns of services, sorted.
func kinds(root *cobra.Command) (list []string) {
	for _, cmd := range visible(root) {
		if _, ok := cmd.Annotations[ofKind]; ok {
			noun, _, _ := strings.Cut(cmd.Name(), ":")
			list = append(list, noun)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// printKinds prints a line for each kind of service: they have the same commands.
func (r *Runner) printKinds(root *cobra.Command) {
	var rows [][]string
	for _, noun := range kinds(root) {
		rows = append(rows, []string{"    " + noun, group(root, noun)[0].Annotations[ofKind] + " services: " + noun + ":create, " + noun + ":link, ..."})
	}
	if len(rows) == 0 {
		return
	}
	r.Print("\nDatabases and other services\n")
	for _, line := range text.Columns(rows, 2) {
		r.Print("%s\n", line)
	}
}

// A section of help has the commands of a noun, or of related ones.
type section struct {
	title    string
	commands []*cobra.Command
}

// sections are those of help. A noun that has no place in nouns has a section of its own
// before the last one, which has the rest.
func sections(root *cobra.Command) []section {
	var list []section
	var rest []*cobra.Command
	own := map[string]int{}
	for _, n := range nouns {
		if n.name != "" {
			list = append(list, section{cmp.Or(abouts[n.name], n.title), group(root, n.name)})
			continue
		}
		for _, cmd := range group(root, "") {
			noun, _, _ := strings.Cut(cmd.Name(), ":")
			if abouts[noun] == "" {
				rest = append(rest, cmd)
				continue
			}
			if _, ok := own[noun]; !ok {
				own[noun] = len(list)
				list = append(list, section{title: cmp.Or(headings[noun], abouts[noun])})
			}
			list[own[noun]].commands = append(list[own[noun]].commands, cmd)
		}
		list = append(list, section{n.title, rest})
	}
	return slices.DeleteFunc(list, func(s section) bool { return len(s.commands) == 0 })
}

// usageLines is the list of commands, in two columns.
func usageLines(commands []*cobra.Command) []string {
	var rows [][]string
	for _, cmd := range commands {
		rows = append(rows, []string{"    " + cmd.Use, cmd.Short})
	}
	return text.Columns(rows, 2)
}

// printUsage is the help of one command.
func (r *Runner) printUsage(cmd *cobra.Command) {
	r.Print("Usage: dokku %s\n\n%s\n", cmd.Use, cmd.Short)
	r.printDetails(cmd)
}

func (r *Runner) printDetails(cmd *cobra.Command) {
	if cmd.Long != "" {
		r.Print("\n%s\n", cmd.Long)
	}
	if usage := cmd.LocalNonPersistentFlags().FlagUsages(); usage != "" {
		r.Print("\nFlags:\n%s", usage)
	}
	if cmd.Example != "" {
		r.Print("\nExample:\n  %s\n", strings.ReplaceAll(cmd.Example, "\n", "\n  "))
	}
}

func group(root *cobra.Command, noun string) []*cobra.Command {
	var list []*cobra.Command
	for _, cmd := range root.Commands() {
		if _, service := cmd.Annotations[ofKind]; cmd.Hidden || service && noun == "" {
			continue
		}
		name := cmd.Name()
		beside, of := strings.CutPrefix(name, noun)
		if nounOf(name) == noun || noun != "" && of && (beside == "" || beside[0] == ':') {
			list = append(list, cmd)
		}
	}
	return list
}

func visible(root *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(root.Commands()), func(c *cobra.Command) bool { return c.Hidden })
}

func find(root *cobra.Command, name string) *cobra.Command {
	for _, cmd := range root.Commands() {
		if cmd.Name() == name {
			return cmd
		}
	}
	return nil
}

// known reports whether a command has this exact name. cobra's own commands for the
// completion scripts count too.
func known(root *cobra.Command, name string) bool {
	return isCompletion(name) || find(root, name) != nil
}

func isCompletion(name string) bool {
	return name == cobra.ShellCompRequestCmd || name == cobra.ShellCompNoDescRequestCmd
}

// HelpCommands are about the tree of all commands.
var HelpCommands = []Spec{
	{
		Use: "help [COMMAND]", Role: Anybody, Short: "List the commands, or explain one", Rootless: true, Whole: true,
		Run: func(c *Call) error { return c.help(c.cmd.Root(), c.Args) },
		Words: func(c *Call) []string {
			var names []string
			for _, cmd := range visible(c.cmd.Root()) {
				names = append(names, cmd.Name())
			}
			return names
		},
	},
	{
		Use: "completion SHELL", Role: Anybody, Short: "Print the completion script for bash, zsh or fish", Rootless: true, Whole: true,
		Example: "dokku completion bash > /etc/bash_completion.d/dokku",
		Missing: "Missing SHELL: bash, zsh or fish",
		Words:   func(*Call) []string { return []string{"bash", "zsh", "fish"} },
		Run:     runCompletion,
	},
}
