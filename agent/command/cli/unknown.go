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

const databases = "databases run in containers on a network of yours (network:create)"

// elsewhere has the substitutes for Dokku's commands that are not here, by noun or
// command.
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
	instead := cmp.Or(elsewhere[word], elsewhere[noun])
	if instead == "" {
		return ""
	}
	return "Dokku has it, and it is not supported here: " + instead
}

// nearest returns the command that word most likely stands for, or "". A verb
// alone ("scale") and another separator ("ps-scale") are near too.
func nearest(word string, commands []*cobra.Command) string {
	if len(word) > 40 {
		return ""
	}
	best, name := len(word)/3+1, ""
	for _, cmd := range commands {
		n := text.Distance(normal(word), normal(cmd.Name()))
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
