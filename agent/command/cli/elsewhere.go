package cli

import "strings"

// Substitutes that stand for several of Dokku's commands.
const (
	fromDockerfile = "a Dockerfile or buildpacks build an app: dokku builder:set APP selected BUILDER"
	database       = "run it as a container on a network that the app joins: dokku network:create NAME, then dokku network:set APP attach-post-create NAME"
	onlyNginx      = "nginx is the only proxy: dokku nginx:report"
	pushIt         = "push the repository: git push dokku@SERVER:APP main"
	cron           = "let cron call on the server: dokku run APP COMMAND"
	directives     = "put nginx directives into nginx.conf.d/*.conf in the app's folder on the server, then: dokku ps:restart APP"
	oneServer      = "apps run on this server alone"
	folders        = "dokku storage:ensure-directory APP, then dokku storage:mount APP FOLDER:PATH"
	logSize        = "the engine keeps 10 MB of logs of each process: dokku logs APP"
	keptDeploys    = "the last 20 deploys of each app are kept: dokku deploys APP"
	writesNginx    = "dokku ps:restart APP writes nginx's files again"
	noPlugins      = "nothing can be installed; dokku plugin:list lists what is built in"
)

// elsewhere maps Dokku's missing commands and those of its known plugins, by noun or full
// name, to what one does here instead. The names are those of Dokku 0.38 and earlier.
var elsewhere = map[string]string{
	"apps:clone": "dokku apps:create NEW, then " + pushIt, "apps:set": "\"no_auto_create\": true in .dokku/server.json in dokku's home keeps a push from creating an app",
	"builder-herokuish": fromDockerfile, "builder-lambda": fromDockerfile,
	"builder-nixpacks": fromDockerfile, "builder-railpack": fromDockerfile, "buildpacks:detect": "each push says which buildpacks fit",
	"builds:prune": keptDeploys, "builds:report": keptDeploys, "builds:set": keptDeploys,
	"global-cert":   "dokku certs:add --global CRT KEY",
	"config:bundle": "dokku config:export APP", "config:import": "dokku config:set APP KEY=VALUE...",
	"cron":           cron,
	"domains:setup":  "dokku domains:set-global DOMAIN",
	"git:initialize": "dokku apps:create APP, or the first push", "git:status": "dokku git:report APP",
	"git:unlock": "a deploy that was killed leaves no lock; dokku doctor APP finds what is in the way",
	"caddy":      onlyNginx, "haproxy": onlyNginx, "openresty": onlyNginx, "traefik": onlyNginx,
	"http-auth": directives, "redirect": directives,
	"logs:set": logSize, "logs:report": logSize, "logs:vector-logs": logSize, "logs:vector-start": logSize, "logs:vector-stop": logSize,
	"maintenance": "dokku ps:stop APP answers with a page that says so", "maintenance:off": "dokku ps:start APP",
	"network:rebuildall": "dokku network:rebuild APP, for each app",
	"nginx:build-config": writesNginx, "nginx:reload": "on the server: systemctl reload nginx", "nginx:start": "on the server: systemctl start nginx",
	"nginx:stop": "on the server: systemctl stop nginx", "nginx:show-conf": "dokku nginx:show-config APP", "nginx:validate": "dokku nginx:validate-config",
	"nginx:access-log": "dokku nginx:access-logs APP", "nginx:error-log": "dokku nginx:error-logs APP",
	"plugin": noPlugins, "plugins": noPlugins, "plugins-install": noPlugins,
	"proxy:build-config": writesNginx, "proxy:clear-config": writesNginx,
	"ps:retire": "the agent stops old containers when they are due", "run:retire": "the agent removes ended containers: dokku run:list APP",
	"repo:gc": "dokku packs the repositories by itself", "repo:purge-cache": "on the server: docker builder prune",
	"report":    "dokku apps:report and dokku doctor",
	"scheduler": oneServer, "scheduler-docker-local": "dokku ps:set APP init true|false does what init-process did", "scheduler-k3s": oneServer,
	"storage:create": folders, "storage:set": folders, "storage:info": "dokku storage:report APP", "storage:list-entries": "dokku storage:list APP",
	"storage:destroy": "dokku storage:unmount APP FOLDER:PATH; remove the folder on the server", "storage:exec": "dokku enter APP web COMMAND",
	"storage:annotations": oneServer, "storage:labels": oneServer, "storage:migrate": folders, "storage:wait": "a mounted folder is there at once",
	"tags":  "each release keeps its image; for an earlier version: git push -f dokku REVISION:main",
	"trace": "dokku --trace COMMAND",

	"clickhouse": database, "couchdb": database, "elasticsearch": database, "mariadb": database, "meilisearch": database, "memcached": database,
	"mongo": database, "mysql": database, "nats": database, "omnisci": database, "postgres": database, "rabbitmq": database, "redis": database,
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
