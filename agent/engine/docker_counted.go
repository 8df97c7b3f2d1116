//go:build failpoints

package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"dokku/agent/failpoint"
)

// A countedHost is an engine each call of which is a point at which a test can
// strike.
type countedHost struct{ *Docker }

func Counted(d *Docker) Host { return countedHost{d} }

// counting makes a call, unless the test wants it to fail.
func counting[T any](what string, do func() (T, error)) (T, error) {
	err := failpoint.Count("engine", what)
	if err != nil && !errors.Is(err, failpoint.ErrLost) {
		var none T
		return none, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	v, failed := do()
	if err != nil {
		var none T
		return none, errors.Join(err, failed)
	}
	return v, failed
}

func countingError(what string, do func() error) error {
	_, err := counting(what, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (h countedHost) Observe(ctx context.Context, app string) (Observed, error) {
	return counting("Observe", func() (Observed, error) { return h.Docker.Observe(ctx, app) })
}

func (h countedHost) Start(ctx context.Context, s Spec) (Instance, error) {
	return counting(fmt.Sprintf("Start %s.%d", s.Type, s.Index), func() (Instance, error) { return h.Docker.Start(ctx, s) })
}

func (h countedHost) Rename(ctx context.Context, id, name string) error {
	return countingError("Rename", func() error { return h.Docker.Rename(ctx, id, name) })
}

func (h countedHost) Stop(ctx context.Context, id string, grace time.Duration) error {
	return countingError("Stop", func() error { return h.Docker.Stop(ctx, id, grace) })
}

func (h countedHost) Remove(ctx context.Context, r Resource) error {
	return countingError("Remove "+string(r.Kind), func() error { return h.Docker.Remove(ctx, r) })
}

func (h countedHost) Network(ctx context.Context, app string) (Network, error) {
	return counting("Network", func() (Network, error) { return h.Docker.Network(ctx, app) })
}

func (h countedHost) Image(ctx context.Context, ref string) (ImageInfo, error) {
	return counting("Image", func() (ImageInfo, error) { return h.Docker.Image(ctx, ref) })
}

func (h countedHost) Tag(ctx context.Context, id, tag string) error {
	return countingError("Tag", func() error { return h.Docker.Tag(ctx, id, tag) })
}

func (h countedHost) Instance(ctx context.Context, id string) (Instance, error) {
	return counting("Instance", func() (Instance, error) { return h.Docker.Instance(ctx, id) })
}

func (h countedHost) Wait(ctx context.Context, id string) (Instance, error) {
	return counting("Wait", func() (Instance, error) { return h.Docker.Wait(ctx, id) })
}

func (h countedHost) Logs(ctx context.Context, id string, o LogOptions, w io.Writer) error {
	return countingError("Logs", func() error { return h.Docker.Logs(ctx, id, o, w) })
}
