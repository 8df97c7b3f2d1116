package engine

import (
	"context"
	"io"
)

// Size is a terminal's, in characters.
type Size struct{ Width, Height int }

// Streams are what a command reads and writes while its caller waits for it.
type Streams struct {
	// Stdin is what the command reads; its end is the end of what the command
	// reads. nil: it has nothing to read. Who reads from it may stay blocked after
	// the command's end: a terminal cannot be told to stop.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// TTY gives the command a terminal: all that it prints goes to Stdout, and at
	// the end of Stdin it gets what a typed Ctrl-D is.
	TTY bool
	// Sizes are the sizes of that terminal, from the first one on; nil: unknown.
	Sizes <-chan Size
	// Started is told of the container as soon as the command runs, of an exec only
	// the id, and is waited for; it may be nil.
	Started func(Instance)
}

// Terminal runs commands whose streams are their caller's.
type Terminal interface {
	// RunAttached starts a new container as Start does, with its streams connected
	// before its process runs, and returns its last state once it has ended. The
	// container stays. The name has to be new: ErrNameInUse. A command that the
	// image does not have is ErrNoCommand. When ctx ends, or what the command
	// prints cannot be passed on, RunAttached returns at once and the process goes
	// on: the Instance has the container's id. Without an id nothing is left.
	RunAttached(ctx context.Context, spec Spec, s Streams) (Instance, error)
	// ExecAttached runs argv in a running container, with the container's
	// environment and env, and returns its exit code. A command that the container
	// does not have is ErrNoCommand. When ctx ends, or the output cannot be passed
	// on, the command is sent a hangup (as far as the container has a shell for
	// that), as by a terminal that is gone.
	ExecAttached(ctx context.Context, id string, argv, env []string, s Streams) (exit int, err error)
}
