package builders

import "dokku/agent/command/cli"

var cacheCommands = []cli.Spec{{
	Use: "repo:purge-cache APP", Short: "Remove what the app's builds keep for the next one",
	Long: "The next build starts with an empty cache, and fetches submodules and files of Git LFS again. A Dockerfile's\n" +
		"steps are in the engine's build cache, which all apps share; to empty it, run on the server: docker builder prune",
	Run: func(c *cli.Call) error { return c.Server.PurgeCache(c.Ctx, c.App.Name, c.Events()) },
}}
