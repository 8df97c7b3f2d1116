package hooks

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// Env is what a process was started with. OS fills it; tests replace parts.
type Env struct {
	// Root is DOKKU_ROOT. In a hook "" means the folder that holds the
	// repository, so that a push to a path works without any variable.
	Root string
	// Key is the name of the ssh key, for Shell.
	Key string

	Stdin, Stdout, Stderr *os.File
	Getenv                func(string) string

	// Open opens a DOKKU_ROOT.
	Open func(root string) (Server, error)
	// Run runs a dokku command, given without the leading "dokku", and returns
	// its exit code. The process's environment is clean by then.
	Run func(ctx context.Context, args []string) int
}

// OS returns the environment of this process, with the deploy agent behind it.
func OS() Env {
	return Env{
		Root:  os.Getenv("DOKKU_ROOT"),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv,
		Open:   func(root string) (Server, error) { return agent.Open(root) },
	}
}

// Server is the deploy agent as hooks see it. *agent.Server is one.
type Server interface {
	Deployer
	Apps
}

// Deployer takes a push through its two phases.
type Deployer interface {
	Prepare(ctx context.Context, p deploy.Push, log event.Log) error
	Reconcile(ctx context.Context, app string, log event.Log) error
	// Log returns a log that goes to the host's log and to the terminal.
	Log(term *event.Terminal) event.Log
}

// Apps makes apps, and removes the ones that nothing was pushed to.
type Apps interface {
	Load(app string) (*app.App, error)
	Settings() (app.Settings, error)
	Create(ctx context.Context, app string, provisional bool) error
	// DropProvisional removes an app that a push has made and of which nothing
	// was accepted. It leaves every other app alone.
	DropProvisional(ctx context.Context, app string, log event.Log) (dropped bool, err error)
}

// complain prints an error as Dokku prints failures and returns the exit code
// that it asks for. What a client has sent is part of it, so it is made
// printable.
func complain(w io.Writer, err error) int {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		text, _ := event.Format(event.StyleWarning, line)
		io.WriteString(w, text+"\n")
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return 1
}
