package command

import "context"

// groups are the commands, by noun.
var groups = [][]Spec{
	processCommands, scaleCommands, appCommands, configCommands, domainCommands, checkCommands,
	storageCommands, networkCommands, resourceCommands, portCommands, proxyCommands, nginxCommands, gitCommands,
	logCommands, urlCommands, runCommands, keyCommands, backupCommands, cleanupCommands, doctorCommands, VersionCommands, HelpCommands,
}

// Execute runs one command line, without the program's name, and returns its
// exit code: 0, 1 for an error, 20 for an app that does not exist. It returns
// when the command has ended or ctx is done.
func Execute(ctx context.Context, env Env, args []string) int { return Run(ctx, env, groups, args) }
