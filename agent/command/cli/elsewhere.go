package cli

import "strings"

// Substitutes that stand for several of Dokku's commands.
const (
	fromDockerfile = "a Dockerfile or buildpacks build an app: dokku builder:set APP selected BUILDER"
	database       = "run it as a container on a network that the app joins: dokku network:create NAME, then dokku network:set APP attach-post-create NAME"
	dumps          = "dokku KIND:backup-report SERVICE shows the schedule, and KIND:backup-set-encryption takes public keys too"
	onlyNginx      = "nginx is the only proxy: dokku nginx:report"
	oneServer      = "apps run on this server alone"
	folders        = "dokku storage:ensure-directory APP, then dokku storage:mount APP FOLDER:PATH"
	vector         = "run a collector such as vector as a container of your own, with /var/run/docker.sock: docker run -v /var/run/docker.sock:/var/run/docker.sock:ro timberio/vector"
	writesNginx    = "dokku proxy:build-config APP"
	noPlugins      = "nothing can be installed; dokku plugin:list lists what is built in"
)

// elsewhere maps Dokku's missing commands and those of its known plugins, by noun or full
// name, to what one does here instead. The names are those of Dokku 0.38 and earlier.
var elsewhere = map[string]string{
	"builder-lambda": fromDockerfile, "builder-nixpacks": fromDockerfile, "buildpacks:detect": "each push says which buildpacks fit",
	"domains:setup": "dokku domains:set-global DOMAIN",
	"git:status":    "dokku git:report APP",
	"caddy":         onlyNginx, "haproxy": onlyNginx, "openresty": onlyNginx, "traefik": onlyNginx,
	"http-auth:show-config": "dokku nginx:show-config APP",
	"logs:vector-logs":      vector, "logs:vector-start": vector, "logs:vector-stop": vector,
	"nginx:build-config": writesNginx, "nginx:reload": "on the server: systemctl reload nginx", "nginx:start": "on the server: systemctl start nginx",
	"nginx:stop":       "on the server: systemctl stop nginx",
	"nginx:access-log": "dokku nginx:access-logs APP", "nginx:error-log": "dokku nginx:error-logs APP",
	"plugin": noPlugins, "plugins": noPlugins, "plugins-install": noPlugins,
	"proxy:clear-config": "dokku proxy:disable APP takes the app out of nginx",
	"ps:retire":          "the agent stops old containers when they are due", "run:retire": "the agent removes ended containers: dokku run:list APP",
	"scheduler-k3s": oneServer,
	"storage:set":   "dokku storage:create NAME --chown USER", "storage:exec": "dokku enter APP web COMMAND",
	"storage:annotations": oneServer, "storage:labels": oneServer, "storage:migrate": folders, "storage:wait": "a mounted folder is there at once",
	"tags": "each release keeps its image: dokku releases APP lists them, dokku releases:rollback APP N goes back to one",

	"clickhouse": database, "couchdb": database, "elasticsearch": database, "mariadb": dumps, "meilisearch": database, "memcached": dumps,
	"mongo": dumps, "mysql": dumps, "nats": database, "omnisci": database, "postgres": dumps, "rabbitmq": dumps, "redis": dumps,
	"rethinkdb": database, "solr": database, "typesense": database,
}

// instead returns what replaces a command of Dokku's that is missing here, or "". The
// entry of the longest name that the command begins with counts.
func instead(word string) string {
	for word != "" && elsewhere[word] == "" {
		word = word[:max(0, strings.LastIndex(word, ":"))]
	}
	return elsewhere[word]
}
