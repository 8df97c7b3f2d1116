package docker

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"

	"dokku/agent/engine"
)

// JoinOverlay implements engine.Networks.
func (d *Engine) JoinOverlay(ctx context.Context, owner, id string, names []string) (string, error) {
	ctx, cancel := engine.Settled(ctx, engine.SlowCall)
	defer cancel()
	name, err := d.Overlay(ctx, owner)
	if err != nil || id == "" {
		return name, err
	}
	cli, err := d.connect(ctx)
	if err != nil {
		return name, err
	}
	err = join(ctx, cli, engine.Spec{Joins: []string{name}, Aliases: names}, id)
	if errdefs.IsNotFound(err) {
		err = engine.ErrNoContainer
	}
	if err != nil {
		err = fmt.Errorf("cannot let container %s join network %s: %w", id, name, err)
	}
	return name, err
}
