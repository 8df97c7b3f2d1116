package apps

import "dokku/agent/command/cli"

var cleanupCommands = []cli.Spec{{
	Use: "cleanup [APP]", Role: cli.Admin, Short: "Cleans up exited/dead Docker containers and removes dangling images",
	Long: "It removes only resources that dokku made for the apps of this server. It leaves the engine's build cache\n" +
		"alone, which does not record its owner.",
	Run: func(c *cli.Call) error {
		name := ""
		if c.App != nil {
			name = c.App.Name
		} else if apps, err := c.Apps(); err != nil || len(apps) == 0 {
			return err
		}
		return c.Server.Cleanup(c.Ctx, name, c.Events())
	},
}}
