// Command dokku deploys apps that are pushed to a server with git. Git runs it as
// pre-receive and post-receive, sshd as "dokku shell", the init system as "dokku agent", and people
// as "dokku ps:scale app web=2".
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	_ "time/tzdata" // servers without the package tzdata have cron tasks too

	"dokku/agent"
	"dokku/agent/command"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/proc"
	"dokku/agent/proxy/doors"
	"dokku/agent/proxy/nginx"
	"dokku/agent/watch"
	"dokku/hooks"
)

// version is set by the linker: -ldflags "-X main.version=0.1.0".
var version string

// defaultRoot is the home of the user dokku, which install.sh creates.
const defaultRoot = "/home/dokku"

func main() { os.Exit(run(filepath.Base(os.Args[0]), os.Args[1:])) }

// run dispatches on the program's name and the first word, and returns the exit code.
func run(name string, args []string) int {
	switch name {
	case "pre-receive":
		return hooks.PreReceive(context.Background(), hooks.OS())
	case "post-receive":
		return hooks.PostReceive(context.Background(), hooks.OS())
	}
	root := cmp.Or(os.Getenv("DOKKU_ROOT"), defaultRoot)
	word := ""
	if len(args) > 0 {
		word = args[0]
	}
	switch {
	case word == "shell" && len(args) == 2:
		return shell(root, args[1])
	case word == "receive-pack" && len(args) == 2:
		env := hooks.OS()
		env.Root = root
		return hooks.ReceivePack(context.Background(), env, args[1])
	case word == "detached-push" && len(args) == 2:
		env := hooks.OS()
		env.Root = root
		return hooks.DetachedPush(context.Background(), env, args[1])
	case word == "shell":
		return fail(fmt.Errorf("dokku shell is for sshd, which calls it with the name of a key"))
	case word == doors.Command:
		if err := proc.Become(root); err != nil {
			return fail(err)
		}
		if err := agent.ServeFrontDoor(context.Background(), root, cli.Release(cli.VersionText(version)), os.Stdin, os.Stdout); err != nil {
			return fail(err)
		}
		return 0
	case word == "install:print" && len(args) == 2:
		return printInstalled(root, args[1])
	}
	ctx, stop := proc.Cancelled(context.Background())
	defer stop()
	switch {
	case word == "agent":
		return runAgent(ctx, root, args[1:])
	case word == "install:changes" && len(args) == 1:
		return tellChanges(ctx, root)
	}
	env := cli.OS(root, "", version)
	env.Become = func() error { return proc.Become(root) }
	return command.Execute(ctx, env, args)
}

// printInstalled prints a file that install.sh installs for root, before there is a
// DOKKU_ROOT. The texts are in the package that relies on them.
func printInstalled(root, name string) int {
	dir := filepath.Join(root, ".dokku", "nginx")
	text, ok := map[string]string{"nginx-conf": nginx.ConfD(dir), "nginx-conf-beside": nginx.ConfDBeside(dir),
		"nginx-check":  nginx.CheckScript(dir),
		"nginx-reload": nginx.ReloadScript()}[name]
	if !ok {
		return fail(fmt.Errorf("install:print knows nginx-conf, nginx-conf-beside, nginx-check and nginx-reload, not %q", name))
	}
	fmt.Print(text)
	return 0
}

// shell serves an ssh client. The process runs as the user dokku already.
func shell(root, key string) int {
	env := hooks.OS()
	env.Root, env.Key = root, key
	env.Run = func(ctx context.Context, args []string) int {
		ctx, stop := proc.Cancelled(ctx)
		defer stop()
		return command.Execute(ctx, cli.OS(root, key, version), args)
	}
	return hooks.Shell(context.Background(), env)
}

// runAgent runs the deploy agent until a signal ends it.
func runAgent(ctx context.Context, root string, args []string) int {
	if err := proc.Become(root); err != nil {
		return fail(err)
	}
	if len(args) > 0 {
		return fail(fmt.Errorf("dokku agent takes no arguments: it runs until a signal ends it"))
	}
	server, err := agent.Open(root)
	if err != nil {
		return fail(err)
	}
	server.Env.By = "agent"
	// Warnings go to the journal too.
	terminal := event.NewTerminal(io.Discard, os.Stderr, true)
	defer terminal.Close()
	if err := watch.Run(ctx, server, server.Log(terminal)); err != nil && ctx.Err() == nil {
		return fail(err)
	}
	return 0
}

// tellChanges tells the administrator who updates this program what that changes for the
// deployed apps.
func tellChanges(ctx context.Context, root string) int {
	if err := proc.Become(root); err != nil {
		return fail(err)
	}
	server, err := agent.Open(root)
	if err != nil {
		return fail(err)
	}
	terminal := event.NewTerminal(os.Stdout, os.Stderr, false)
	defer terminal.Close()
	if err := server.TellChanges(ctx, server.Log(terminal)); err != nil {
		return fail(err)
	}
	return 0
}

// fail prints an error as Dokku does, and returns the exit code.
func fail(err error) int { return cli.Report(context.Background(), event.Screen(os.Stderr), err) }
