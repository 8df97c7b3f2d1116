package cli

import (
	"io"
	"os"

	"golang.org/x/term"

	"dokku/agent"
	"dokku/agent/event"
	"dokku/agent/keys"
)

// Env is the environment of a command, which uses nothing else of its process.
type Env struct {
	// Root is DOKKU_ROOT, the folder of the apps' repositories.
	Root string
	// Server is that of Root; nil: the command opens it.
	Server *agent.Server
	Stdin  io.Reader
	// Stdout and Stderr know whether their reader sees colours: event.Coloured.
	Stdout io.Writer
	Stderr io.Writer
	// Terminal reports whether Stdout is a terminal.
	Terminal bool
	// Quiet leaves out headings, as --quiet does: the variable DOKKU_QUIET_OUTPUT of Dokku.
	Quiet bool
	// Console is the terminal of Stdin and Stdout; nil unless both are a terminal.
	Console Console
	// Version is the program's version, for the command version and for backups.
	Version string
	// Become makes the process run as the owner of Root; nil: it does already.
	Become func() error
	// Dir is the working directory, for relative file names.
	Dir string
	// User is the name of the client's ssh key; empty on the host itself.
	User string
	// Access is what that key may do, and records what became of it. Without it a client may do
	// nothing.
	Access *keys.Access
	// Remote is what the reader types before a command over ssh; empty on the host itself.
	// See event.Hints.
	Remote string
}

// OS returns the environment of this process for a DOKKU_ROOT and, over ssh, what the key
// may do; nil on the host itself. version is the linker's; "" means the revision that the program was built from.
func OS(root string, access *keys.Access, version string) Env {
	key := ""
	if access != nil {
		key = access.Key
	}
	dir, _ := os.Getwd()
	return Env{
		Root: root, Stdin: os.Stdin, Stdout: event.Screen(os.Stdout), Stderr: event.Screen(os.Stderr),
		Terminal: term.IsTerminal(int(os.Stdout.Fd())),
		Console:  NewConsole(os.Stdin, os.Stdout, os.Getenv("TERM")),
		Quiet:    os.Getenv("DOKKU_QUIET_OUTPUT") != "",
		Version:  VersionText(version), Dir: dir, User: key, Access: access, Remote: os.Getenv(event.RemoteVar),
	}
}
