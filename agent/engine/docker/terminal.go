package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"dokku/agent/engine"
)

// detachKeys are the keys that detach a terminal from its command. The engine always
// has such keys, and holds back the first of them: by default Ctrl-P, which users of
// shells type.
const detachKeys = "ctrl-@,ctrl-_,ctrl-@,ctrl-_"

// RunAttached implements Terminal.
func (d *Engine) RunAttached(ctx context.Context, spec engine.Spec, s engine.Streams) (engine.Instance, error) {
	i, err := d.runAttached(ctx, spec, s)
	if err != nil {
		return i, fmt.Errorf("cannot run %s: %w", spec.Title(), err)
	}
	return i, nil
}

func (d *Engine) runAttached(ctx context.Context, spec engine.Spec, s engine.Streams) (engine.Instance, error) {
	spec.Attached, spec.Stdin, spec.TTY = true, s.Stdin != nil, s.TTY
	var conn types.HijackedResponse
	attach := func(ctx context.Context, cli *client.Client, id string) (err error) {
		conn, err = cli.ContainerAttach(ctx, id, container.AttachOptions{
			Stream: true, Stdin: spec.Stdin, Stdout: true, Stderr: true, DetachKeys: detachKeys,
		})
		return err
	}
	i, err := d.start(ctx, spec, attach)
	if err != nil {
		if conn.Conn != nil {
			conn.Close()
		}
		return engine.Instance{}, err
	}
	if s.Started != nil {
		s.Started(i)
	}
	// The init of the container reports a command that it cannot start, in place of the
	// command's output.
	refusal := &refusal{to: s.Stderr, begins: "[FATAL tini ("}
	if s.TTY {
		refusal.to, s.Stdout = s.Stdout, refusal
	} else {
		s.Stderr = refusal
	}
	err = d.relay(ctx, conn, s, func(ctx context.Context, o container.ResizeOptions) error {
		return d.Client().ContainerResize(ctx, i.ID, o)
	})
	if err != nil {
		return i, err
	}
	last, err := d.wait(ctx, i.ID)
	if err != nil {
		return i, err
	}
	return last, refusal.verdict(last.ExitCode)
}

// relay copies between the caller and a command until that has ended.
func (d *Engine) relay(ctx context.Context, conn types.HijackedResponse, s engine.Streams, resize func(context.Context, container.ResizeOptions) error) error {
	defer conn.Close()
	// The context does not cancel a hijacked connection.
	defer context.AfterFunc(ctx, conn.Close)()
	if s.Stdin != nil {
		go feed(conn, s)
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	sizing, stop := context.WithCancel(ctx)
	defer stop()
	wait.Go(func() { follow(sizing, s.Sizes, resize) })
	var err error
	if s.TTY {
		_, err = io.Copy(s.Stdout, conn.Reader)
	} else {
		_, err = stdcopy.StdCopy(s.Stdout, s.Stderr, conn.Reader)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return d.explain(ctx, err)
}

// feed passes the caller's input on. The engine would close a terminal's output
// together with its input, so a terminal gets a typed Ctrl-D at the end: the first one
// ends a line that has begun.
func feed(conn types.HijackedResponse, s engine.Streams) {
	io.Copy(conn.Conn, s.Stdin)
	if s.TTY {
		conn.Conn.Write([]byte{4, 4})
		return
	}
	conn.CloseWrite()
}

// follow gives a command's terminal each size. The engine refuses until the
// command has really begun.
func follow(ctx context.Context, sizes <-chan engine.Size, resize func(context.Context, container.ResizeOptions) error) {
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	var size engine.Size
	for open, pending := sizes != nil, false; open || pending; {
		var again <-chan time.Time
		if pending {
			again = retry.C
		}
		select {
		case <-ctx.Done():
			return
		case next, ok := <-sizes:
			if open = ok; !ok {
				sizes = nil
				continue
			}
			size, pending = next, true
		case <-again:
		}
		pending = resize(ctx, container.ResizeOptions{Width: uint(size.Width), Height: uint(size.Height)}) != nil
	}
}

// ExecAttached implements Terminal.
func (d *Engine) ExecAttached(ctx context.Context, id string, argv, env []string, s engine.Streams) (int, error) {
	exit, err := d.execAttached(ctx, id, argv, env, s)
	if err != nil {
		return 0, fmt.Errorf("cannot run %q in container %s: %w", argv, engine.Short(id), err)
	}
	return exit, nil
}

func (d *Engine) execAttached(ctx context.Context, id string, argv, env []string, s engine.Streams) (int, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return 0, err
	}
	c, answered, cancel := answering(ctx)
	defer cancel()
	made, err := cli.ContainerExecCreate(c, id, container.ExecOptions{
		AttachStdin: s.Stdin != nil, AttachStdout: true, AttachStderr: true, Tty: s.TTY,
		Cmd: argv, Env: env, DetachKeys: detachKeys,
	})
	if err != nil {
		return 0, d.explainContainer(c, id, err)
	}
	conn, err := cli.ContainerExecAttach(c, made.ID, container.ExecAttachOptions{Tty: s.TTY})
	if err != nil {
		return 0, d.explainContainer(c, id, err)
	}
	answered()
	if s.Started != nil {
		s.Started(engine.Instance{ID: id})
	}
	refusal := &refusal{to: s.Stdout, begins: "OCI runtime exec failed: "}
	s.Stdout = refusal
	err = d.relay(ctx, conn, s, func(ctx context.Context, o container.ResizeOptions) error {
		return cli.ContainerExecResize(ctx, made.ID, o)
	})
	if err != nil {
		d.hangUp(ctx, cli, made.ID)
		return 0, err
	}
	exit, err := exitCode(ctx, cli, made.ID)
	if err != nil {
		return 0, d.explain(ctx, err)
	}
	return exit, refusal.verdict(exit)
}

// refusal holds back the engine's own message about a command that it could not start.
// The engine writes it to the command's output.
type refusal struct {
	to     io.Writer
	begins string // how those words begin
	said   bool   // something has been written
	text   bytes.Buffer
}

func (r *refusal) Write(p []byte) (int, error) {
	if r.said && r.text.Len() == 0 || !r.said && !bytes.HasPrefix(p, []byte(r.begins)) {
		r.said = true
		return r.to.Write(p)
	}
	r.said = true
	return r.text.Write(p)
}

// verdict is ErrNoCommand if the command never started. Otherwise the held back text is
// the command's, and verdict passes it on.
func (r *refusal) verdict(exit int) error {
	if r.text.Len() == 0 {
		return nil
	}
	if exit == 126 || exit == 127 {
		text := strings.TrimSpace(r.text.String())
		if _, reason, ok := strings.Cut(text, "] exec "); ok {
			text = reason // without the name of the init
		}
		return fmt.Errorf("%s (%w)", plain(text), engine.ErrNoCommand)
	}
	_, err := r.to.Write(r.text.Bytes())
	return err
}

// hangUp ends a command in a container whose caller is gone: the engine would let
// it run. A signal can only be sent from inside, and there the process has
// another number. A busy engine tells the command's number, and moves it into the
// container, some time after its start. A command that cannot be reached ends with the
// container.
func (d *Engine) hangUp(ctx context.Context, cli *client.Client, exec string) {
	ctx, cancel := engine.Within(context.WithoutCancel(ctx), engine.QuickCall)
	defer cancel()
	for range hangUpTries {
		e, err := cli.ContainerExecInspect(ctx, exec)
		if err != nil || !e.Running {
			return
		}
		if pid, err := inner(d.proc, e.Pid, e.ContainerID); err == nil {
			d.exec(ctx, e.ContainerID, []string{"/bin/sh", "-c", "kill -HUP " + strconv.Itoa(pid)})
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(hangUpPause):
		}
	}
}

// How often hangUp looks for the number of a command that has just begun.
const (
	hangUpTries = 100
	hangUpPause = 20 * time.Millisecond
)

// inner returns the number that a container's process has inside. It makes sure
// that pid is that process, as sockets does.
func inner(proc string, pid int, id string) (int, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	if !inContainer(dir, id) {
		return 0, errors.New("not the container's process")
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(numbers)
			if len(fields) > 0 {
				return strconv.Atoi(fields[len(fields)-1])
			}
		}
	}
	return 0, errors.New("the kernel does not tell the number inside")
}
