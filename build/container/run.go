package container

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"dokku/build"
)

// End is how a container's process ended.
type End struct {
	ExitCode int
	// OOM: the kernel killed it because the memory limit was reached. An engine that learns
	// of the end before it learns of the cause never says so.
	OOM bool
	// Output are the last lines that it printed.
	Output []string
}

// Failure is the error of a build whose step ended with an exit code other than 0.
func (e End) Failure(commit, step string) *build.Error {
	f := &build.Error{Commit: commit, Step: step, ExitCode: e.ExitCode, Output: e.Output}
	if e.OOM {
		f.ExitCode = 137
	}
	return f
}

// Run starts the container and waits for its end. It prints the name of the step, its
// output and signs of life; print is called by the caller's goroutine. When ctx is done
// the container is killed, and the error is ctx's cause.
func (c *Container) Run(ctx context.Context, step string, print func(build.Line)) (End, error) {
	failed := "cannot run the container " + c.spec.Name
	cli := c.engine.config.Client()
	streams, err := cli.ContainerAttach(ctx, c.id, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return End{}, explain(ctx, failed, err)
	}
	defer streams.Close()
	waiting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended, lost := cli.ContainerWait(waiting, c.id, container.WaitConditionNextExit)
	if err := cli.ContainerStart(ctx, c.id, container.StartOptions{}); err != nil {
		return End{}, explain(ctx, failed, err)
	}
	p := newPrinter(step, print)
	output := make(chan chunk)
	done := make(chan struct{})
	defer func() { // before streams.Close, which ends the copy where the engine did not
		streams.Close()
		for range output {
		}
	}()
	defer close(done)
	go func() {
		defer close(output)
		stdcopy.StdCopy(writer{output, done, 0}, writer{output, done, 1}, streams.Reader)
	}()
	if err := p.follow(ctx, output); err != nil {
		c.kill()
		return End{}, fmt.Errorf("%s: %w", failed, err)
	}
	select {
	case w := <-ended:
		return c.ended(ctx, p, int(w.StatusCode))
	case err := <-lost:
		c.kill()
		return End{}, explain(ctx, failed, err)
	case <-ctx.Done():
		c.kill()
		return End{}, fmt.Errorf("%s: %w", failed, context.Cause(ctx))
	}
}

// ended prints the step's end, and asks whether memory ran out.
func (c *Container) ended(ctx context.Context, p *printer, code int) (End, error) {
	e := End{ExitCode: code, Output: p.tail}
	r, err := c.engine.config.Client().ContainerInspect(ctx, c.id)
	if err != nil {
		return e, explain(ctx, "cannot look at the container "+c.spec.Name, err)
	}
	e.OOM = r.State.OOMKilled
	if code == 0 && e.OOM {
		e.OOM = false // of a process that the build could do without
	}
	p.end(time.Now(), code != 0)
	return e, nil
}

// kill ends the container's processes. Remove would do so too, but not at once.
func (c *Container) kill() {
	ctx, cancel := context.WithTimeout(context.Background(), slowCall)
	defer cancel()
	c.engine.config.Client().ContainerKill(ctx, c.id, "KILL") // fails if it has ended, which is as well
}

// chunk is output of one stream.
type chunk struct {
	stream int
	data   []byte
}

// writer sends what is written to the goroutine that prints.
type writer struct {
	to     chan<- chunk
	done   <-chan struct{}
	stream int
}

// Write implements io.Writer.
func (w writer) Write(b []byte) (int, error) {
	select {
	case w.to <- chunk{w.stream, append([]byte(nil), b...)}:
		return len(b), nil
	case <-w.done:
		return 0, io.ErrClosedPipe
	}
}
