package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Runner is what RunOnce needs of an engine.
type Runner interface {
	Processes
	Prober
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
	after, cancel := Settled(ctx, SlowCall)
	defer cancel()
	if removed := r.Remove(after, Resource{Kind: Container, ID: i.ID}); removed != nil {
		err = errors.Join(err, removed)
	}
	if err != nil {
		return Instance{}, fmt.Errorf("cannot run %s to its end: %w", spec.Title(), err)
	}
	return last, nil
}

// finish copies the log to output while the container runs and waits for its
// end. An engine may end a log that is followed before its last lines, so the
// whole log is read again at the end.
func finish(ctx context.Context, c Prober, id string, output io.Writer) (Instance, error) {
	rest := &remainder{to: output}
	if err := c.Logs(ctx, id, LogOptions{Follow: true}, rest); err != nil {
		return Instance{}, err
	}
	last, err := c.Wait(ctx, id)
	if err != nil {
		return Instance{}, err
	}
	rest.again()
	return last, c.Logs(ctx, id, LogOptions{}, rest)
}

// remainder passes on what is written to it. After again, it leaves out as much
// as it has passed on.
type remainder struct {
	to     io.Writer
	passed int64
	skip   int64
}

func (r *remainder) again() { r.skip = r.passed }

func (r *remainder) Write(p []byte) (int, error) {
	skipped := int(min(r.skip, int64(len(p))))
	r.skip -= int64(skipped)
	if skipped == len(p) {
		return len(p), nil
	}
	n, err := r.to.Write(p[skipped:])
	r.passed += int64(n)
	return skipped + n, err
}
