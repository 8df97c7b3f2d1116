package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// engineError is an error of the engine without the engine's decoration. It
// keeps the engine's error for errdefs.
type engineError struct {
	text  string
	cause error
}

func (e engineError) Error() string { return e.text }
func (e engineError) Unwrap() error { return e.cause }

// explain turns an error of the client into one that a person can act on. ctx
// is the context of the call that failed.
func (d *Engine) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
			return fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
		return context.Cause(ctx)
	case client.IsErrConnectionFailed(err):
		return d.unreachable(err)
	}
	return engineError{plain(err.Error()), err}
}

// plain takes the layers off that an error went through inside the engine.
func plain(text string) string {
	text = strings.TrimPrefix(text, "Error response from daemon: ")
	for _, layer := range []string{"unable to start container process: ", "starting container process caused: "} {
		if _, inner, ok := strings.Cut(text, layer); ok {
			text = strings.TrimSuffix(inner, ": unknown")
		}
	}
	return strings.TrimSpace(text)
}

// unreachable says why the engine cannot be reached. The client hides the
// reason for most of its errors, so it is asked for again.
func (d *Engine) unreachable(err error) error {
	host := d.Client().DaemonHost()
	reason, fix := plain(err.Error()), "is it running? try: systemctl status docker"
	if dialed := dialError(host); dialed != nil {
		reason = dialed.Error()
		if errors.Is(dialed, syscall.EACCES) {
			fix = "is this user in the group docker?"
		}
	}
	return engineError{
		text:  fmt.Sprintf("cannot reach the Docker Engine at %s: %s (%s)", host, reason, fix),
		cause: errors.Join(engine.ErrUnreachable, err),
	}
}

func dialError(host string) error {
	u, err := client.ParseHostURL(host)
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout(u.Scheme, u.Host, time.Second)
	if err == nil {
		conn.Close()
		return nil
	}
	if number := syscall.Errno(0); errors.As(err, &number) {
		return number
	}
	return err
}

// explainStart is explain for the creation and the start of a container. The engine
// tells their errors apart only in its texts.
func (d *Engine) explainStart(ctx context.Context, spec engine.Spec, err error) error {
	err = d.explain(ctx, err)
	if err == nil || errors.Is(err, engine.ErrUnreachable) || ctx.Err() != nil {
		return err
	}
	text := err.Error()
	has := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case errors.Is(err, engine.ErrNoJoin):
		return err
	case spec.HostPort != 0 &&
		(has("port is already allocated") || has("address already in use")):
		return fmt.Errorf("%w (%d): stop what listens on it, or choose another one", engine.ErrPortInUse, spec.HostPort)
	case len(spec.Publish) > 0 &&
		(has("port is already allocated") || has("address already in use") || has("cannot assign requested address")):
		return fmt.Errorf("%w, or its address is not this host's: choose another one (%w)", engine.ErrPortInUse, err)
	case has("Address already in use"):
		return fmt.Errorf("%w (%s)", engine.ErrAddressInUse, spec.Address)
	case errdefs.IsNotFound(err) && has("No such image"):
		return fmt.Errorf("%w (%s): rebuild the app with ps:rebuild", engine.ErrNoImage, spec.Image)
	case errdefs.IsNotFound(err) && has("network ") && len(spec.Joins) > 0 && !has(engine.NetworkName(spec.App)):
		for _, name := range spec.Joins {
			if has("network " + name + " not found") {
				return engine.NoJoin(name)
			}
		}
		return fmt.Errorf("a network of this container no longer exists: replace the container with ps:restart (%w)", err)
	case errdefs.IsNotFound(err) && has("network "):
		return fmt.Errorf("%w (%s)", engine.ErrNoNetwork, engine.NetworkName(spec.App))
	case has("No command specified"):
		return errors.New("the image has no command: add a CMD to the Dockerfile, such as CMD [\"./server\"], or a Procfile with a line such as web: ./server")
	case has("Range of CPUs"):
		return fmt.Errorf("a limit of %g CPUs is more than this host has: %w", float64(spec.Limits.NanoCPUs)/1e9, err)
	case has("executable file not found"),
		strings.HasPrefix(text, "exec: ") && (has("no such file or directory") || has("permission denied")):
		return fmt.Errorf("%w (%w)", err, engine.ErrNoCommand)
	}
	return err
}

// explainContainer is explain for a call on a container that exists.
func (d *Engine) explainContainer(ctx context.Context, id string, err error) error {
	err = d.explain(ctx, err)
	switch {
	case err == nil:
		return nil
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%w (%s)", engine.ErrNoContainer, engine.Short(id))
	case errdefs.IsConflict(err) && strings.Contains(err.Error(), "is not running"):
		return fmt.Errorf("%w (%s)", engine.ErrNotRunning, engine.Short(id))
	}
	return err
}
