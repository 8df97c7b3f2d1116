package command

var urlCommands = []spec{
	{
		use: "url APP", short: "Print the first URL of the app",
		run: func(c *call) error {
			urls, err := c.server.URLs(c.app)
			if len(urls) > 0 {
				c.print("%s\n", urls[0])
			}
			return err
		},
	},
	{
		use: "urls APP", short: "Print the URLs of the app",
		run: func(c *call) error {
			urls, err := c.server.URLs(c.app)
			for _, u := range urls {
				c.print("%s\n", u)
			}
			return err
		},
	},
}
