package command

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
