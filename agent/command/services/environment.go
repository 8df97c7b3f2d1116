package services

import (
	"os"
	"strings"

	"dokku/agent/command/cli"
	"dokku/agent/services"
)

// fromEnvironment sets the options of create that have no flag on the command line, and that
// Dokku's plugins take from the environment: --image from POSTGRES_IMAGE.
func fromEnvironment(c *cli.Call, k services.Kind, o *services.Options) {
	for _, from := range []struct {
		flag string
		set  func(string)
	}{
		{"image", func(v string) { o.Image = v }},
		{"image-version", func(v string) { o.Version = v }},
		{"custom-env", func(v string) { o.Env = &v }},
		{"config-options", func(v string) { o.Config = &v }},
	} {
		name := k.Variable() + "_" + strings.ReplaceAll(strings.ToUpper(from.flag), "-", "_")
		if value := os.Getenv(name); value != "" && !c.Changed(from.flag) {
			c.Events().Detail("Taking --%s from the environment: %s", from.flag, name)
			from.set(value)
		}
	}
}
