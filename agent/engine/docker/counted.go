//go:build failpoints

package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"dokku/agent/engine"
	"dokku/agent/failpoint"
)

// A countedHost counts its calls as failpoints.
type countedHost struct{ engine.Host }

// Counted makes every call of h a failpoint.
func Counted(h engine.Host) engine.Host { return countedHost{h} }

// counting makes a call, unless the test wants it to fail.
func counting[T any](what string, do func() (T, error)) (T, error) {
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

func countingError(what string, do func() error) error {
	_, err := counting(what, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (h countedHost) Observe(ctx context.Context, app string) (engine.Observed, error) {
	return counting("Observe", func() (engine.Observed, error) { return h.Host.Observe(ctx, app) })
}

func (h countedHost) Start(ctx context.Context, s engine.Spec) (engine.Instance, error) {
	return counting(fmt.Sprintf("Start %s.%d", s.Type, s.Index), func() (engine.Instance, error) { return h.Host.Start(ctx, s) })
}

func (h countedHost) Rename(ctx context.Context, id, name string) error {
	return countingError("Rename", func() error { return h.Host.Rename(ctx, id, name) })
}

func (h countedHost) JoinOverlay(ctx context.Context, owner, id string, names []string) (string, error) {
	return counting("JoinOverlay", func() (string, error) { return h.Host.JoinOverlay(ctx, owner, id, names) })
}

func (h countedHost) RemoveCaches(ctx context.Context, app string) ([]string, error) {
	return counting("RemoveCaches", func() ([]string, error) { return h.Host.RemoveCaches(ctx, app) })
}

func (h countedHost) RemoveScratch(ctx context.Context, app string) error {
	return countingError("RemoveScratch", func() error { return h.Host.RemoveScratch(ctx, app) })
}

func (h countedHost) ForgetRestarts(ctx context.Context, id string) error {
	return countingError("ForgetRestarts", func() error { return h.Host.ForgetRestarts(ctx, id) })
}

func (h countedHost) Stop(ctx context.Context, id string, grace time.Duration) error {
	return countingError("Stop", func() error { return h.Host.Stop(ctx, id, grace) })
}

func (h countedHost) Remove(ctx context.Context, r engine.Resource) error {
	return countingError("Remove "+string(r.Kind), func() error { return h.Host.Remove(ctx, r) })
}

func (h countedHost) Network(ctx context.Context, app string) (engine.Network, error) {
	return counting("Network", func() (engine.Network, error) { return h.Host.Network(ctx, app) })
}

func (h countedHost) Image(ctx context.Context, ref string) (engine.ImageInfo, error) {
	return counting("Image", func() (engine.ImageInfo, error) { return h.Host.Image(ctx, ref) })
}

func (h countedHost) Tag(ctx context.Context, id, tag string) error {
	return countingError("Tag", func() error { return h.Host.Tag(ctx, id, tag) })
}

func (h countedHost) Commit(ctx context.Context, id, image string) (string, error) {
	return counting("Commit", func() (string, error) { return h.Host.Commit(ctx, id, image) })
}

func (h countedHost) RunAttached(ctx context.Context, s engine.Spec, st engine.Streams) (engine.Instance, error) {
	return counting("RunAttached", func() (engine.Instance, error) { return h.Host.RunAttached(ctx, s, st) })
}

func (h countedHost) Instance(ctx context.Context, id string) (engine.Instance, error) {
	return counting("Instance", func() (engine.Instance, error) { return h.Host.Instance(ctx, id) })
}

func (h countedHost) Wait(ctx context.Context, id string) (engine.Instance, error) {
	return counting("Wait", func() (engine.Instance, error) { return h.Host.Wait(ctx, id) })
}

func (h countedHost) Logs(ctx context.Context, id string, o engine.LogOptions, w io.Writer) error {
	return countingError("Logs", func() error { return h.Host.Logs(ctx, id, o, w) })
}

func (h countedHost) Push(ctx context.Context, id, name string, auth engine.RegistryAuth, progress func(string)) (string, error) {
	return counting("Push", func() (string, error) { return h.Host.Push(ctx, id, name, auth, progress) })
}
