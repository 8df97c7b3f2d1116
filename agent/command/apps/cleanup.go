package apps

import "dokku/agent/command/cli"

var cleanupCommands = []cli.Spec{{
	Use: "cleanup [APP]", Short: "Remove what no app needs: ended containers, images of no kept release",
	Long: "Only what dokku has made for the apps of this server is removed. The engine's build cache is left alone,\n" +
		"since it does not say whose it is.",
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
