package builders

import "dokku/agent/command/cli"

var cacheCommands = []cli.Spec{{
	Use: "repo:gc APP", Role: cli.Operator, Short: "Pack the app's repository as small as possible",
	Long: "The agent packs repositories by itself; this one takes longer and saves more. Pushes wait meanwhile.",
	Run:  func(c *cli.Call) error { return c.Server.PackRepository(c.Ctx, c.App.Name, c.Events()) },
}, {
	Use: "repo:purge-cache APP", Role: cli.Operator, Short: "Remove what the app's builds keep for the next one",
	Long: "The next build starts with an empty cache, and fetches submodules and files of Git LFS again. A Dockerfile's\n" +
		"steps are in the engine's build cache, which all apps share; to empty it, run on the server: docker builder prune",
	Run: func(c *cli.Call) error { return c.Server.PurgeCache(c.Ctx, c.App.Name, c.Events()) },
}}
