package command

import (
	"context"
	"slices"
	"sync"

	"dokku/agent/command/admin"
	"dokku/agent/command/apps"
	"dokku/agent/command/builders"
	"dokku/agent/command/cli"
	"dokku/agent/command/cluster"
	"dokku/agent/command/config"
	"dokku/agent/command/events"
	"dokku/agent/command/frontdoors"
	"dokku/agent/command/ps"
	"dokku/agent/command/releases"
	"dokku/agent/command/resources"
	"dokku/agent/command/routing"
	"dokku/agent/command/run"
	"dokku/agent/command/services"
	"dokku/agent/command/sources"
	"dokku/agent/command/validate"
)

// groups are the commands, a list for each group of nouns.
var groups = [][]cli.Spec{
	ps.Commands, releases.Commands, apps.Commands, sources.Commands, builders.Commands, config.Commands, routing.Commands, resources.Commands,
	run.Commands, events.Commands, validate.Commands, cluster.Commands, frontdoors.Commands, admin.Commands,
	cli.VersionCommands, cli.HelpCommands,
}

// Execute runs one command line, without the program's name, and returns its
// exit code: 0, 1 for an error, 20 for an app that does not exist. It returns
// when the command has ended or ctx is done.
func Execute(ctx context.Context, env cli.Env, args []string) int {
	return cli.Run(ctx, env, append(slices.Clip(groups), kinds(env.Root)), args)
}

// kinds are the commands of services. A kind of the server's own that has the name of other
// commands gets none.
func kinds(root string) []cli.Spec {
	return slices.DeleteFunc(services.Commands(root), func(s cli.Spec) bool { return nouns()[s.Noun()] })
}

// nouns are those of groups.
var nouns = sync.OnceValue(func() map[string]bool {
	taken := map[string]bool{}
	for _, group := range groups {
		for _, s := range group {
			taken[s.Noun()] = true
		}
	}
	return taken
})
