package config

import (
	"maps"
	"slices"
	"strings"

	"dokku/agent/command/cli"
)

// replaced are config variables by which older versions of Dokku were set up and which have no
// effect, with the command that does what they did. Those that do have an effect are read where
// their setting is: checks, agent/app.
// Source: https://dokku.com/docs/appendices/0.38.0-migration-guide/
var replaced = map[string]string{
	"DOKKU_APP_PROXY_TYPE":           "dokku proxy:set APP type nginx",
	"DOKKU_APP_RESTORE":              "dokku ps:stop APP, which keeps it stopped",
	"DOKKU_APP_SHELL":                "dokku scheduler:set APP shell SHELL",
	"DOKKU_DISABLE_APP_AUTOCREATION": "dokku apps:set --global disable-autocreation true",
	"DOKKU_DISABLE_PROXY":            "dokku proxy:disable APP",
	"DOKKU_DOCKERFILE_PORTS":         "dokku ports:set APP http:80:PORT",
	"DOKKU_LETSENCRYPT_EMAIL":        "dokku letsencrypt:set APP email ADDRESS",
	"DOKKU_PROXY_PORT":               "dokku ports:set APP http:PORT:CONTAINER-PORT",
	"DOKKU_PROXY_PORT_MAP":           "dokku ports:set APP http:PORT:CONTAINER-PORT",
	"DOKKU_PROXY_SSL_PORT":           "dokku ports:set APP https:PORT:CONTAINER-PORT",
	"NO_VHOST":                       "dokku domains:disable APP",
}

// warnOfReplaced says which of the variables have no effect, and what to use instead.
func warnOfReplaced(c *cli.Call, set map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if instead, ok := replaced[key]; ok {
			if c.App != nil {
				instead = strings.Replace(instead, "APP", c.App.Name, 1)
			}
			c.Private().Warn("%s has no effect: use %s", key, instead)
		}
	}
}
