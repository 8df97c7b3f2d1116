package engine

import (
	"context"
	"io"
)

// Size is a terminal's, in characters.
type Size struct{ Width, Height int }

// Streams are the input and output of a command whose caller waits for it.
type Streams struct {
	// Stdin is the command's input; the command sees its end. nil: no input. A read
	// from it may stay blocked after the command's end: a terminal cannot be told to
	// stop.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// TTY gives the command a terminal: all its output goes to Stdout, and the end
	// of Stdin reaches it as a typed Ctrl-D.
	TTY bool
	// Sizes are the sizes of that terminal, from the first one on; nil: unknown.
	Sizes <-chan Size
	// Started, if it is not nil, is called with the container as soon as the command
	// runs; of an exec only with its id. The command's streams wait until it returns.
	Started func(Instance)
}

// Terminal runs commands with the streams of their caller.
type Terminal interface {
	// RunAttached starts a new container as Start does, with its streams connected
	// before its process runs, and returns its last state once it has ended. The
	// container stays. The name has to be new: ErrNameInUse. A command that the
	// image does not have is ErrNoCommand. When ctx ends, or the output
	// cannot be passed on, RunAttached returns at once and the process goes on: the
	// Instance has the container's id. Without an id nothing is left.
	RunAttached(ctx context.Context, spec Spec, s Streams) (Instance, error)
	// ExecAttached runs argv in a running container, with the container's
	// environment and env, and returns its exit code. A command that the container
	// does not have is ErrNoCommand. When ctx ends, or the output cannot be passed
	// on, the command gets a hangup, as from a closed terminal, if the container has
	// a shell that can send it.
	ExecAttached(ctx context.Context, id string, argv, env []string, s Streams) (exit int, err error)
}
