package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Env is the environment of a command. A command uses nothing else of its
// process.
type Env struct {
	// Root is the DOKKU_ROOT, the folder with the apps' repositories.
	Root   string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Terminal: Stdout is a terminal that a person looks at.
	Terminal bool
	// Console is the terminal that Stdin and Stdout both are; nil: they are none.
	Console Console
	// Version is the text of the command version.
	Version string
	// Become makes the process the owner of Root, before a command that needs that;
	// nil: the process is the owner already.
	Become func() error
	// Dir is where the command was called; relative names of files begin there.
	Dir string
	// User is the name of the ssh key that the command came with; empty on the
	// host itself.
	User string
}

// OS is the environment of this process, for a DOKKU_ROOT and, over SSH, the name
// of a key. version is the linker's; "": the revision that the program was built
// from.
func OS(root, key, version string) Env {
	dir, _ := os.Getwd()
	return Env{
		Root: root, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Terminal: term.IsTerminal(int(os.Stdout.Fd())),
		Console:  NewConsole(os.Stdin, os.Stdout, os.Getenv("TERM")),
		Version:  versionText(version), Dir: dir, User: key,
	}
}
