package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dokku/agent/event"
	"dokku/agent/text"
)

func unknown(root *cobra.Command, word string) error {
	text := fmt.Sprintf("`%s` is not a dokku command.\nSee `dokku help` for a list of available commands.", event.OneLine(word))
	if why := unsupported(word); why != "" {
		return fmt.Errorf("%s\n%s", text, why)
	}
	if near := nearest(word, visible(root)); near != "" {
		text += fmt.Sprintf("\nDid you mean `%s`?", near)
	}
	return fmt.Errorf("%s", text)
}

const databases = "run databases as containers on a shared network (network:create)"

// elsewhere maps Dokku's missing commands, by noun or full name, to their substitutes.
var elsewhere = map[string]string{
	"buildpacks": "an app is built from its Dockerfile", "builder": "an app is built from its Dockerfile",
	"builder-dockerfile": "an app is built from its Dockerfile", "builder-pack": "an app is built from its Dockerfile",
	"certs": "terminate TLS in another nginx site or a load balancer", "letsencrypt": "terminate TLS in another nginx site or a load balancer",
	"cron":           "call dokku run from the host's cron",
	"docker-options": "see resource:, storage: and network:",
	"git:from-image": "push a Dockerfile that names the image", "git:sync": "push the repository",
	"git:from-archive": "push the repository", "maintenance": "ps:stop stops an app",
	"plugin":   "there are no plugins; " + databases,
	"registry": "images are built and run on this server", "scheduler": "apps run on this server",
	"proxy:ports": "ports:list does that", "proxy:ports-add": "ports:add does that", "proxy:ports-set": "ports:set does that",
	"proxy:ports-remove": "ports:remove does that", "proxy:ports-clear": "ports:clear does that",
	"proxy:build-config": "ps:restart writes nginx's files again", "nginx:build-config": "ps:restart writes nginx's files again",
	"nginx:start": "systemctl start nginx does that on the server", "nginx:stop": "systemctl stop nginx does that on the server",
	"nginx:reload":  "systemctl reload nginx does that on the server",
	"config:bundle": "config:export does that", "config:import": "config:set does that",
	"postgres": databases, "mysql": databases, "mariadb": databases, "redis": databases, "mongo": databases,
	"apps:clone": "create an app and push the repository to it", "logs:set": "the engine keeps 10 MB of logs for each process",
}

// unsupported returns the hint for a command of Dokku's that is missing here, or "".
func unsupported(word string) string {
	noun, _, _ := strings.Cut(word, ":")
	instead := cmp.Or(elsewhere[word], elsewhere[noun])
	if instead == "" {
		return ""
	}
	return "Dokku has this command, but it is not supported here: " + instead
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
