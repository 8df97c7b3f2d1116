package docker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"dokku/agent/engine"
)

// Info implements Inspector.
func (d *Engine) Info(ctx context.Context) (engine.Info, error) {
	i, err := d.info(ctx)
	if err != nil {
		return engine.Info{}, fmt.Errorf("cannot ask the engine about itself: %w", err)
	}
	return i, nil
}

func (d *Engine) info(ctx context.Context) (i engine.Info, err error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return i, err
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	var both errgroup.Group
	both.Go(func() error {
		v, err := cli.ServerVersion(ctx)
		i.Version, i.API = v.Version, v.APIVersion
		return err
	})
	both.Go(func() error {
		about, err := cli.Info(ctx)
		i.DataRoot = about.DockerRootDir
		i.Unfiltered = err == nil && unfiltered(about.SecurityOptions)
		// A member of a swarm cannot have live-restore.
		i.EndsContainers = err == nil && !about.LiveRestoreEnabled && about.Swarm.LocalNodeState == swarm.LocalNodeStateInactive
		return err
	})
	return i, d.explain(ctx, both.Wait())
}

// unfiltered reports whether an engine with these security options filters no system calls:
// "name=seccomp,profile=default" says that it does, with its own profile.
func unfiltered(options []string) bool {
	return !slices.ContainsFunc(options, func(o string) bool {
		return strings.HasPrefix(o, "name=seccomp") && !strings.HasSuffix(o, "profile=unconfined")
	})
}

// Describe implements Inspector.
func (d *Engine) Describe(ctx context.Context, id string) ([]byte, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	_, raw, err := cli.ContainerInspectWithRaw(ctx, id, false)
	if err != nil {
		return nil, fmt.Errorf("cannot inspect container %s: %w", engine.Short(id), d.explainContainer(ctx, id, err))
	}
	return raw, nil
}

// Instance implements Inspector.
func (d *Engine) Instance(ctx context.Context, id string) (engine.Instance, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return engine.Instance{}, err
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	r, err := cli.ContainerInspect(ctx, id)
	if err != nil {
		return engine.Instance{}, fmt.Errorf("cannot inspect container %s: %w", engine.Short(id), d.explainContainer(ctx, id, err))
	}
	i := d.instance(r)
	if i.Restarts > 0 && i.Running() {
		lastEnd(ctx, cli, &i)
	}
	return i, nil
}

// lastEnd finds the last end of a process that the engine has restarted. The engine drops
// it at the restart, but its recent events may still have it.
func lastEnd(ctx context.Context, cli *client.Client, i *engine.Instance) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	messages, failed := cli.Events(ctx, events.ListOptions{
		Since: "1", Until: time.Now().UTC().Format(time.RFC3339Nano),
		Filters: filters.NewArgs(filters.Arg("container", i.ID), filters.Arg("event", string(engine.ActionDie)), filters.Arg("event", string(engine.ActionOOM))),
	})
	for {
		select {
		case m := <-messages:
			if code, err := strconv.Atoi(m.Actor.Attributes["exitCode"]); err == nil {
				i.ExitCode = code
			}
			i.OOMKilled = i.OOMKilled || engine.Action(m.Action) == engine.ActionOOM
		case <-failed:
			return
		}
	}
}
