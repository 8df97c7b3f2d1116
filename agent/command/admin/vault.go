package admin

import (
	"dokku/agent/backup"
	"dokku/agent/command/cli"
	"dokku/agent/command/vaults"
	"dokku/agent/vault"
)

// keptBackups are the commands about backups of the whole server at a place.
var keptBackups = vaults.Noun{
	Prefix: "backup:", Make: "backup:run", About: "the server",
	Load: "dokku restore reads it: dokku backup:get | ssh dokku@new restore.",
	Job: func(c *cli.Call) (vault.Job, error) {
		return backup.Job(c.Server, c.Env.Version, c.Events()), nil
	},
}
