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
	"dokku/agent/cgroup"
	"dokku/agent/command"
	"dokku/agent/command/cli"
	"dokku/agent/engine/docker"
	"dokku/agent/engine/node"
	"dokku/agent/event"
	"dokku/agent/firewall"
	"dokku/agent/keys"
	"dokku/agent/proc"
	"dokku/agent/proxy/doors"
	"dokku/agent/proxy/nginx"
	"dokku/agent/watch"
	"dokku/build/daemon"
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
	case word == "shell" && len(args) >= 2:
		return shell(root, args[1], args[2:])
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
	case word == node.Command && len(args) == 1:
		if err := node.Run(); err != nil {
			return fail(err)
		}
		return 0
	case word == docker.SizeCommand && len(args) == 1:
		if err := docker.PrintSize(os.Stdout); err != nil {
			return fail(err)
		}
		return 0
	case word == agent.BuilderEnterCommand && len(args) == 1:
		return fail(daemon.Enter())
	case word == firewall.ServeCommand || word == firewall.BootCommand || word == firewall.RemoveCommand:
		return runFirewall(word, args[1:])
	case word == cgroup.RunCommand:
		if err := cgroup.Run(args[1:]); err != nil {
			return fail(err)
		}
		return 0
	case word == cgroup.MakeCommand || word == cgroup.RemoveCommand || word == cgroup.KeepCommand:
		return runCgroup(word, args[1:])
	case word == "install:print" && len(args) == 2:
		return printInstalled(root, args[1])
	}
	ctx, stop := proc.Cancelled(context.Background())
	defer stop()
	switch {
	case word == "agent":
		return runAgent(ctx, root, args[1:])
	case word == agent.BuilderCommand && len(args) == 3:
		if err := agent.ServeBuilder(ctx, root, args[1], args[2], logLine); err != nil {
			return fail(err)
		}
		return 0
	case word == "install:changes" && len(args) == 1:
		return tellChanges(ctx, root)
	}
	env := cli.OS(root, nil, version)
	env.Become = func() error { return proc.Become(root) }
	return command.Execute(ctx, env, args)
}

// runFirewall is root's part of the firewall: sudo runs it for the agent, and the init system at boot.
func runFirewall(word string, args []string) int {
	root, err := firewall.RootOf(args)
	ctx, stop := proc.Cancelled(context.Background())
	defer stop()
	switch {
	case err != nil:
	case word == firewall.ServeCommand:
		err = root.Serve(ctx, os.Stdin)
	case word == firewall.BootCommand:
		err = root.Boot(ctx)
	default:
		err = root.Remove(ctx)
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

// runCgroup makes, removes or keeps the cgroups of gits: the init system and install.sh run it.
// The user that they are for has their name.
func runCgroup(word string, args []string) int {
	if len(args) != 1 {
		return fail(fmt.Errorf("%s has the argument NAME, which is dokku or dokku-beside", word))
	}
	var err error
	switch word {
	case cgroup.MakeCommand:
		err = cgroup.Make(args[0])
	case cgroup.RemoveCommand:
		err = cgroup.Remove(args[0])
	default:
		ctx, stop := proc.Cancelled(context.Background())
		defer stop()
		err = cgroup.Keep(ctx, args[0])
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

// printInstalled prints a file that install.sh installs for root, before there is a
// DOKKU_ROOT. The texts are in the package that relies on them.
func printInstalled(root, name string) int {
	dir := filepath.Join(root, ".dokku", "nginx")
	text, ok := map[string]string{"nginx-conf": nginx.ConfD(dir), "nginx-conf-beside": nginx.ConfDBeside(dir),
		"nginx-check":        nginx.CheckScript(dir, "/etc/nginx/conf.d/dokku.conf"),
		"nginx-check-beside": nginx.CheckScript(dir, "/etc/nginx/conf.d/dokku-beside.conf"),
		"nginx-reload":       nginx.ReloadScript(),
		"firewall":           firewall.Script("/usr/local/bin/dokku", "dokku"),
		"firewall-beside":    firewall.Script("/usr/local/lib/dokku-beside/dokku", "dokku-beside")}[name]
	if !ok {
		return fail(fmt.Errorf("install:print knows nginx-conf, nginx-check and firewall, all with -beside too, and nginx-reload, not %q", name))
	}
	fmt.Print(text)
	return 0
}

// shell serves an ssh client. key is the name of its key, and rights are what follows that in
// the forced command. The process runs as the user dokku already.
func shell(root, key string, rights []string) int {
	env := hooks.OS()
	env.Root, env.Key, env.Rights = root, key, rights
	env.Run = func(ctx context.Context, access *keys.Access, args []string) int {
		ctx, stop := proc.Cancelled(ctx)
		defer stop()
		return command.Execute(ctx, cli.OS(root, access, version), args)
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

// logLine prints what a service says, for the host's log.
func logLine(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

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
	err = server.TellChanges(ctx, server.Log(terminal))
	if all, kerr := keys.List(root); err == nil && kerr == nil {
		err = server.TellOnce(ctx, "keys-have-roles", keys.Advice(all), server.Log(terminal))
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

// fail prints an error as Dokku does, and returns the exit code.
func fail(err error) int { return cli.Report(context.Background(), event.Screen(os.Stderr), err) }
