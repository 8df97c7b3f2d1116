package swarm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"

	"dokku/agent/engine"
)

// Logs implements Prober. The log of a placed process has those of the containers that it
// had before, as far as the swarm remembers them.
func (e *Engine) Logs(ctx context.Context, id string, o engine.LogOptions, w io.Writer) error {
	if _, _, ok := placed(id); !ok {
		return e.Host.Logs(ctx, id, o, w)
	}
	if err := e.logs(ctx, id, o, w); err != nil {
		return fmt.Errorf("cannot read the log of process %s: %w", id, err)
	}
	return nil
}

func (e *Engine) logs(ctx context.Context, id string, o engine.LogOptions, w io.Writer) error {
	m, err := e.member(ctx, id)
	if err != nil {
		return err
	}
	tasks := slices.DeleteFunc(slices.Clone(m.tasks), func(t swarm.Task) bool {
		return t.Status.ContainerStatus == nil || t.Status.ContainerStatus.ContainerID == ""
	})
	if len(tasks) == 0 {
		return nil
	}
	last := tasks[len(tasks)-1]
	follow := o.Follow && !ended(last)
	// What ended before: all of it, or its last lines.
	earlier, left := [][]byte{}, o.Tail
	for n, t := range slices.Backward(tasks) {
		if n == len(tasks)-1 && follow {
			continue
		}
		var text bytes.Buffer
		if err := e.taskLog(ctx, t, engine.LogOptions{Tail: left, Timestamps: o.Timestamps}, &text); err != nil {
			return err
		}
		earlier = append(earlier, text.Bytes())
		if left = o.Tail - count(earlier); o.Tail > 0 && left <= 0 {
			break
		}
	}
	for _, text := range slices.Backward(earlier) {
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	if !follow {
		return nil
	}
	return e.taskLog(ctx, last, o, w)
}

// count counts lines.
func count(texts [][]byte) (n int) {
	for _, text := range texts {
		n += bytes.Count(text, []byte("\n"))
	}
	return n
}

// taskLog copies the log of one container.
func (e *Engine) taskLog(ctx context.Context, t swarm.Task, o engine.LogOptions, w io.Writer) error {
	cli, err := e.docker.Manager(ctx)
	if err != nil {
		return err
	}
	// A log may be followed for days; that it begins, and one that ends, take no time.
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(engine.QuickCall, func() { cancel(engine.SlowError{Limit: engine.QuickCall}) })
	defer func() { late.Stop(); cancel(nil) }()
	tail := "all"
	if o.Tail > 0 {
		tail = strconv.Itoa(o.Tail)
	}
	log, err := cli.TaskLogs(ctx, t.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: o.Follow, Timestamps: o.Timestamps, Tail: tail})
	if err != nil {
		return e.docker.ExplainSwarm(ctx, err)
	}
	defer log.Close()
	if o.Follow {
		late.Stop()
		defer e.endWith(ctx, t, func() { log.Close() })()
	}
	_, err = stdcopy.StdCopy(w, w, log)
	return e.docker.ExplainSwarm(ctx, err)
}

// endWith calls end once the task has ended, unless stop was called before: a log that is
// followed goes on for ever.
func (e *Engine) endWith(ctx context.Context, t swarm.Task, end func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		cli, err := e.docker.Manager(ctx)
		for err == nil && !ended(t) && ctx.Err() == nil {
			engine.Pause(ctx, time.Second)
			t, _, err = cli.TaskInspectWithRaw(ctx, t.ID)
		}
		if engine.Pause(ctx, time.Second); ctx.Err() == nil { // for its last lines
			end()
		}
	}()
	return func() { cancel(); <-done }
}
