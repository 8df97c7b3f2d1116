package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"dokku/agent/engine"
)

// Logs implements Prober.
func (d *Engine) Logs(ctx context.Context, id string, o engine.LogOptions, w io.Writer) error {
	if err := d.logs(ctx, id, o, w); err != nil {
		return fmt.Errorf("cannot read the log of container %s: %w", engine.Short(id), err)
	}
	return nil
}

func (d *Engine) logs(ctx context.Context, id string, o engine.LogOptions, w io.Writer) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	tail := "all"
	if o.Tail > 0 {
		tail = strconv.Itoa(o.Tail)
	}
	ctx, answered, cancel := answering(ctx)
	defer cancel()
	log, err := cli.ContainerLogs(ctx, id, container.LogsOptions{
		ShowStdout: true, ShowStderr: true,
		Follow: o.Follow, Timestamps: o.Timestamps, Tail: tail,
	})
	if err != nil {
		return d.explainContainer(ctx, id, err)
	}
	defer log.Close()
	r, err := cli.ContainerInspect(ctx, id)
	if err != nil {
		return d.explainContainer(ctx, id, err)
	}
	answered()
	if r.Config != nil && r.Config.Tty { // one stream only
		_, err = io.Copy(w, log)
	} else {
		_, err = stdcopy.StdCopy(w, w, log)
	}
	return d.explain(ctx, err)
}

// answering bounds the time until a call's answer begins, not its duration: a log may be
// followed for days.
func answering(ctx context.Context) (c context.Context, answered, cancel func()) {
	c, stop := context.WithCancelCause(ctx)
	timer := time.AfterFunc(engine.QuickCall, func() { stop(engine.SlowError{Limit: engine.QuickCall}) })
	return c, func() { timer.Stop() }, func() { timer.Stop(); stop(nil) }
}

// Wait implements Prober.
func (d *Engine) Wait(ctx context.Context, id string) (engine.Instance, error) {
	i, err := d.wait(ctx, id)
	if err != nil {
		return engine.Instance{}, fmt.Errorf("cannot wait for container %s: %w", engine.Short(id), err)
	}
	return i, nil
}

func (d *Engine) wait(ctx context.Context, id string) (engine.Instance, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return engine.Instance{}, err
	}
	code, err := ended(ctx, cli, id, container.WaitConditionNotRunning)
	if err != nil {
		return engine.Instance{}, d.explainContainer(ctx, id, err)
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	r, err := cli.ContainerInspect(ctx, id)
	if errdefs.IsNotFound(err) {
		return engine.Instance{ID: id, Status: engine.StatusExited, ExitCode: code}, nil
	}
	if err != nil {
		return engine.Instance{}, d.explain(ctx, err)
	}
	return d.instance(r), nil
}

// ended waits until the container has ended, or has been removed.
func ended(ctx context.Context, cli *client.Client, id string, c container.WaitCondition) (code int, err error) {
	result, failed := cli.ContainerWait(ctx, id, c)
	select {
	case r := <-result:
		if r.Error != nil {
			return 0, errors.New(r.Error.Message)
		}
		return int(r.StatusCode), nil
	case err := <-failed:
		return 0, err
	}
}

// Exec implements Prober.
func (d *Engine) Exec(ctx context.Context, id string, argv []string) ([]byte, int, error) {
	output, exit, err := d.exec(ctx, id, argv)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot run %q in container %s: %w", argv, engine.Short(id), err)
	}
	return output, exit, nil
}

func (d *Engine) exec(ctx context.Context, id string, argv []string) ([]byte, int, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return nil, 0, err
	}
	ctx, answered, cancel := answering(ctx)
	defer cancel()
	made, err := cli.ContainerExecCreate(ctx, id, container.ExecOptions{
		AttachStdout: true, AttachStderr: true, Cmd: argv,
	})
	if err != nil {
		return nil, 0, d.explainContainer(ctx, id, err)
	}
	streams, err := cli.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return nil, 0, d.explainContainer(ctx, id, err)
	}
	defer streams.Close()
	answered()
	// The context does not cancel a hijacked connection.
	defer context.AfterFunc(ctx, streams.Close)()
	var output bounded
	if _, err := stdcopy.StdCopy(&output, &output, streams.Reader); err != nil {
		return nil, 0, d.explain(ctx, err)
	}
	exit, err := exitCode(ctx, cli, made.ID)
	return output, exit, d.explain(ctx, err)
}

// exitCode polls until the engine has noticed the end of a command whose output has ended.
func exitCode(ctx context.Context, cli *client.Client, exec string) (int, error) {
	retry := time.NewTicker(5 * time.Millisecond)
	defer retry.Stop()
	for {
		e, err := cli.ContainerExecInspect(ctx, exec)
		if err != nil || !e.Running {
			return e.ExitCode, err
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// bounded keeps the first MaxExecOutput bytes that are written to it.
type bounded []byte

func (b *bounded) Write(p []byte) (int, error) {
	*b = append(*b, p[:min(len(p), engine.MaxExecOutput-len(*b))]...)
	return len(p), nil
}
