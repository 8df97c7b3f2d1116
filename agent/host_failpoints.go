//go:build failpoints

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"dokku/agent/engine"
	"dokku/agent/failpoint"
)

// A countedHost is an engine each call of which is a point at which a test can
// strike.
type countedHost struct{ *engine.Docker }

func counted(d *engine.Docker) engine.Host { return countedHost{d} }

// called makes a call, unless the test wants it to fail.
func called[T any](what string, do func() (T, error)) (T, error) {
	err := failpoint.Count("engine", what)
	if err != nil && !errors.Is(err, failpoint.ErrLost) {
		var none T
		return none, fmt.Errorf("%w: %w", engine.ErrUnreachable, err)
	}
	v, failed := do()
	if err != nil {
		var none T
		return none, errors.Join(err, failed)
	}
	return v, failed
}

func change(what string, do func() error) error {
	_, err := called(what, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (h countedHost) Observe(ctx context.Context, app string) (engine.Observed, error) {
	return called("Observe", func() (engine.Observed, error) { return h.Docker.Observe(ctx, app) })
}

func (h countedHost) Start(ctx context.Context, s engine.Spec) (engine.Instance, error) {
	return called(fmt.Sprintf("Start %s.%d", s.Type, s.Index), func() (engine.Instance, error) { return h.Docker.Start(ctx, s) })
}

func (h countedHost) Rename(ctx context.Context, id, name string) error {
	return change("Rename", func() error { return h.Docker.Rename(ctx, id, name) })
}

func (h countedHost) Stop(ctx context.Context, id string, grace time.Duration) error {
	return change("Stop", func() error { return h.Docker.Stop(ctx, id, grace) })
}

func (h countedHost) Remove(ctx context.Context, r engine.Resource) error {
	return change("Remove "+string(r.Kind), func() error { return h.Docker.Remove(ctx, r) })
}

func (h countedHost) Network(ctx context.Context, app string) (engine.Network, error) {
	return called("Network", func() (engine.Network, error) { return h.Docker.Network(ctx, app) })
}

func (h countedHost) Image(ctx context.Context, ref string) (engine.ImageInfo, error) {
	return called("Image", func() (engine.ImageInfo, error) { return h.Docker.Image(ctx, ref) })
}

func (h countedHost) Tag(ctx context.Context, id, tag string) error {
	return change("Tag", func() error { return h.Docker.Tag(ctx, id, tag) })
}

func (h countedHost) Instance(ctx context.Context, id string) (engine.Instance, error) {
	return called("Instance", func() (engine.Instance, error) { return h.Docker.Instance(ctx, id) })
}

func (h countedHost) Wait(ctx context.Context, id string) (engine.Instance, error) {
	return called("Wait", func() (engine.Instance, error) { return h.Docker.Wait(ctx, id) })
}

func (h countedHost) Logs(ctx context.Context, id string, o engine.LogOptions, w io.Writer) error {
	return change("Logs", func() error { return h.Docker.Logs(ctx, id, o, w) })
}
