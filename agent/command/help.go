package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dokku/agent/event"
)

// nouns are the groups of help, in its order.
var nouns = []struct{ name, title string }{
	{"apps", "Apps"},
	{"ps", "Processes"},
	{"run", "Run"},
	{"config", "Configuration"},
	{"domains", "Domains"},
	{"checks", "Checks"},
	{"storage", "Storage"},
	{"network", "Networks"},
	{"resource", "Resources"},
	{"ports", "Ports"},
	{"proxy", "Proxy"},
	{"nginx", "nginx"},
	{"git", "Git"},
	{"ssh-keys", "SSH keys"},
	{"", "Other"},
}

var cleanupCommands = []spec{{
	use: "cleanup [APP]", short: "Remove what no app needs: ended containers, images of no kept release",
	long: "Only what dokku has made for the apps of this server is removed. The engine's build cache is left alone,\n" +
		"since it does not say whose it is.",
	run: func(c *call) error {
		name := ""
		if c.app != nil {
			name = c.app.Name
		} else if apps, err := c.apps(); err != nil || len(apps) == 0 {
			return err
		}
		return c.server.Cleanup(c.ctx, name, c.events())
	},
}}

var otherCommands = []spec{
	doctorCommand,
	{
		use: "help [COMMAND]", short: "List the commands, or explain one", rootless: true, whole: true,
		run: func(c *call) error { return c.help(c.cmd.Root(), c.args) },
		words: func(c *call) []string {
			var names []string
			for _, cmd := range visible(c.cmd.Root()) {
				names = append(names, cmd.Name())
			}
			return names
		},
	},
	{
		use: "version", short: "Print the version", rootless: true,
		run: func(c *call) error {
			c.print("dokku version %s\n", c.env.Version)
			return nil
		},
	},
	{
		use: "completion SHELL", short: "Print the completion script for bash, zsh or fish", rootless: true, whole: true,
		example: "dokku completion bash > /etc/bash_completion.d/dokku",
		missing: "Missing SHELL: bash, zsh or fish",
		words:   func(*call) []string { return []string{"bash", "zsh", "fish"} },
		run:     runCompletion,
	},
}

// nounOf is the group of a command.
func nounOf(name string) string {
	noun, _, _ := strings.Cut(name, ":")
	if noun == "enter" {
		noun = "run"
	}
	for _, n := range nouns {
		if n.name == noun {
			return noun
		}
	}
	return ""
}

// helpNoun says whether the word is a noun alone or with ":help"; "ps APP" is a
// command, so that bare "ps" is left to the caller.
func helpNoun(root *cobra.Command, word string) (string, bool) {
	noun, verb, colon := strings.Cut(word, ":")
	if noun == "" || nounOf(noun) != noun || colon && verb != "help" {
		return "", false
	}
	return noun, !colon && !known(root, noun) || verb == "help"
}

// help prints the list of commands, those of a noun, or one command's usage.
func (r *runner) help(root *cobra.Command, words []string) error {
	if len(words) == 0 {
		r.printAll(root)
		return nil
	}
	word := words[0]
	bare := word == "ps" || word == "config" // with an app they are commands
	if cmd := find(root, word); cmd != nil && !bare {
		r.printUsage(cmd)
		return nil
	}
	if noun, ok := helpNoun(root, word); ok || bare {
		if bare {
			noun = word
		}
		r.printNoun(root, noun)
		return nil
	}
	return unknown(root, word)
}

func (r *runner) printNoun(root *cobra.Command, noun string) {
	r.print("Usage: dokku %s[:COMMAND]\n\n", noun)
	r.printGroup(root, noun, useWidth(group(root, noun)))
	r.print("\nSee `dokku help COMMAND` for one of them.\n")
}

func (r *runner) printAll(root *cobra.Command) {
	r.print("Usage: dokku [--quiet|--trace|--force|--app NAME] COMMAND [APP] [ARGUMENTS]\n")
	width := useWidth(visible(root))
	for _, n := range nouns {
		if len(group(root, n.name)) > 0 {
			r.print("\n%s\n", n.title)
			r.printGroup(root, n.name, width)
		}
	}
	r.print("\nSee `dokku help COMMAND` or `dokku COMMAND --help` for one of them.\n")
}

func (r *runner) printGroup(root *cobra.Command, noun string, width int) {
	for _, cmd := range group(root, noun) {
		r.print("    %-*s  %s\n", width, cmd.Use, cmd.Short)
	}
}

// useWidth is how wide the usage lines of the commands are.
func useWidth(commands []*cobra.Command) int {
	width := 0
	for _, cmd := range commands {
		width = max(width, len(cmd.Use))
	}
	return width
}

// printUsage is the help of one command.
func (r *runner) printUsage(cmd *cobra.Command) {
	r.print("Usage: dokku %s\n\n%s\n", cmd.Use, cmd.Short)
	if cmd.Long != "" {
		r.print("\n%s\n", cmd.Long)
	}
	if usage := cmd.LocalNonPersistentFlags().FlagUsages(); usage != "" {
		r.print("\nFlags:\n%s", usage)
	}
	if cmd.Example != "" {
		r.print("\nExample:\n  %s\n", strings.ReplaceAll(cmd.Example, "\n", "\n  "))
	}
}

func group(root *cobra.Command, noun string) []*cobra.Command {
	var list []*cobra.Command
	for _, cmd := range visible(root) {
		if nounOf(cmd.Name()) == noun {
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

// known reports whether a command has this exact name; the completion scripts
// call the commands that cobra adds by itself.
func known(root *cobra.Command, name string) bool {
	return isCompletion(name) || find(root, name) != nil
}

func isCompletion(name string) bool {
	return name == cobra.ShellCompRequestCmd || name == cobra.ShellCompNoDescRequestCmd
}

func unknown(root *cobra.Command, word string) error {
	text := fmt.Sprintf("`%s` is not a dokku command.\nSee `dokku help` for a list of available commands.", oneLine(word))
	if why := unsupported(word); why != "" {
		return fmt.Errorf("%s\n%s", text, why)
	}
	if near := nearest(word, visible(root)); near != "" {
		text += fmt.Sprintf("\nDid you mean `%s`?", near)
	}
	return fmt.Errorf("%s", text)
}

const databases = "databases run in containers on a network of yours (network:create)"

// elsewhere says what there is in the place of commands of Dokku's that are not
// here, by noun or command.
var elsewhere = map[string]string{
	"buildpacks": "an app is built from its Dockerfile", "builder": "an app is built from its Dockerfile",
	"builder-dockerfile": "an app is built from its Dockerfile", "builder-pack": "an app is built from its Dockerfile",
	"certs": "let another nginx site or a load balancer end TLS", "letsencrypt": "let another nginx site or a load balancer end TLS",
	"cron":           "let the host's cron call dokku run",
	"docker-options": "see resource:, storage: and network:",
	"git:from-image": "push a Dockerfile that names the image", "git:sync": "push the repository",
	"git:from-archive": "push the repository", "maintenance": "ps:stop stops an app",
	"plugin":   "there are no plugins; " + databases,
	"registry": "images are built and run on this server", "scheduler": "apps run on this server",
	"proxy:ports": "ports:list does that", "proxy:ports-add": "ports:add does that", "proxy:ports-set": "ports:set does that",
	"proxy:ports-remove": "ports:remove does that", "proxy:ports-clear": "ports:clear does that",
	"proxy:build-config": "ps:restart writes nginx's files anew", "nginx:build-config": "ps:restart writes nginx's files anew",
	"nginx:validate-config": "doctor does that", "nginx:show-config": "nginx -T shows it on the server",
	"nginx:access-logs": "they are in /var/log/nginx", "nginx:error-logs": "they are in /var/log/nginx",
	"config:bundle": "config:export does that", "config:import": "config:set does that",
	"postgres": databases, "mysql": databases, "mariadb": databases, "redis": databases, "mongo": databases,
	"apps:clone": "create an app and push the repository to it", "logs:set": "logs are kept by the engine, 10 MB of each process",
}

// unsupported says so of a command of Dokku's; "" where word is none.
func unsupported(word string) string {
	noun, _, _ := strings.Cut(word, ":")
	instead := first(elsewhere[word], elsewhere[noun])
	if instead == "" {
		return ""
	}
	return "Dokku has it, and it is not supported here: " + instead
}

// oneLine shows what somebody typed: on one line, harmless and not too long.
func oneLine(s string) string {
	s = event.Printable(strings.ReplaceAll(s, "\n", " "))
	if runes := []rune(s); len(runes) > 80 {
		s = string(runes[:80]) + "..."
	}
	return s
}

// nearest returns the command that word most likely stands for, or "". A verb
// alone ("scale") and another separator ("ps-scale") are near too.
func nearest(word string, commands []*cobra.Command) string {
	if len(word) > 40 {
		return ""
	}
	best, name := len(word)/3+1, ""
	for _, cmd := range commands {
		n := distance(normal(word), normal(cmd.Name()))
		if _, verb, ok := strings.Cut(cmd.Name(), ":"); ok && len(word) > 2 && verb == word {
			n = min(n, 1)
		}
		if n < best {
			best, name = n, cmd.Name()
		}
	}
	return name
}

func normal(s string) string {
	return strings.NewReplacer("-", ":", "_", ":", ".", ":", " ", ":").Replace(strings.ToLower(s))
}

// distance is the least number of bytes to insert, delete, replace or swap with
// the next.
func distance(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := row[j]
			if a[i] != b[j] {
				cost++
			}
			next[j+1] = min(cost, next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
