package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Runner is what RunOnce needs of an engine.
type Runner interface {
	Engine
	Console
}

// RunOnce runs a container to its end, copies what it prints to output while it
// runs, removes it, and returns its last state. When ctx ends, the container is
// killed and removed. A command that fails is not an error: see ExitCode and
// OOMKilled.
func RunOnce(ctx context.Context, r Runner, spec Spec, output io.Writer) (Instance, error) {
	spec.RestartPolicy = "no"
	i, err := r.Start(ctx, spec)
	if err != nil {
		return Instance{}, err
	}
	last, err := finish(ctx, r, i.ID, output)
	after, cancel := settled(ctx, slowCall)
	defer cancel()
	if removed := r.Remove(after, Resource{Container, i.ID}); removed != nil {
		err = errors.Join(err, removed)
	}
	if err != nil {
		return Instance{}, fmt.Errorf("cannot run %s to its end: %w", spec.title(), err)
	}
	return last, nil
}

// finish is through with the log before it asks for the end, which is kept
// until the container is removed.
func finish(ctx context.Context, c Console, id string, output io.Writer) (Instance, error) {
	if err := c.Logs(ctx, id, LogOptions{Follow: true}, output); err != nil {
		return Instance{}, err
	}
	return c.Wait(ctx, id)
}
