package hooks

import (
	"context"
	"os"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/keys"
)

// Env is the environment of a hook or of the forced command. OS returns the process's
// own; tests replace parts of it.
type Env struct {
	// Root is DOKKU_ROOT. In a hook, "" means the parent folder of the repository, so
	// that a push to a path works without any variable.
	Root string
	// Key is the name of the ssh key, and Rights are the words of its grant, for Shell.
	Key    string
	Rights []string

	Stdin, Stdout, Stderr *os.File
	Getenv                func(string) string

	// Open opens a DOKKU_ROOT.
	Open func(root string) (Server, error)
	// Run runs a dokku command, without the leading "dokku", for a key, and returns its exit
	// code. Shell calls it after it has cleaned the process's environment.
	Run func(ctx context.Context, access *keys.Access, args []string) int
}

// OS returns the environment of this process; Open opens the deploy agent.
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
	// Detach judges a push that goes on without its client, and records its deploy.
	Detach(ctx context.Context, p deploy.Push, log event.Log) (*app.Deploy, error)
	Reconcile(ctx context.Context, app string, log event.Log) error
	// Log returns a log that goes to the host's log and to the terminal.
	Log(term *event.Terminal) event.Log
}

// Apps reads and creates apps, and removes the app of a rejected first push.
type Apps interface {
	Load(app string) (*app.App, error)
	Settings() (app.Settings, error)
	// Reserved says why only an admin may give domains to the app.
	Reserved(app string, domains ...string) (agent.Reservation, error)
	Create(ctx context.Context, app string, provisional bool) error
	// DropProvisional removes an app that a push created, if git accepted nothing of
	// it. It leaves every other app alone.
	DropProvisional(ctx context.Context, app string, log event.Log) (dropped bool, err error)
}
