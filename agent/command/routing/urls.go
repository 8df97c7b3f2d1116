package routing

import "dokku/agent/command/cli"

var urlCommands = []cli.Spec{
	{
		Use: "url APP", Role: cli.Deployer, Short: "Print the first URL of the app",
		Run: func(c *cli.Call) error {
			urls, err := urls(c)
			if len(urls) > 0 {
				c.Print("%s\n", urls[0])
			}
			return err
		},
	},
	{
		Use: "urls APP", Role: cli.Deployer, Short: "Print the URLs of the app",
		Run: func(c *cli.Call) error {
			urls, err := urls(c)
			for _, u := range urls {
				c.Print("%s\n", u)
			}
			return err
		},
	},
}

func urls(c *cli.Call) ([]string, error) {
	v, err := c.View(c.App)
	if err != nil {
		return nil, err
	}
	return c.Server.Env.URLsOf(v), nil
}
