package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
)

// Inspector looks at one container, and at the engine itself.
type Inspector interface {
	// Info says which engine it is; ErrUnreachable when it is down.
	Info(ctx context.Context) (Info, error)
	// Instance returns the state of a container; ErrNoContainer when it is gone.
	Instance(ctx context.Context, id string) (Instance, error)
	// Describe returns the engine's own description, a JSON object as docker
	// inspect prints it; ErrNoContainer when the container is gone.
	Describe(ctx context.Context, id string) ([]byte, error)
}

// Describe implements Inspector.
func (d *Docker) Describe(ctx context.Context, id string) ([]byte, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(ctx, quickCall)
	defer cancel()
	_, raw, err := cli.ContainerInspectWithRaw(ctx, id, false)
	if err != nil {
		return nil, fmt.Errorf("cannot inspect container %s: %w", short(id), d.explainContainer(ctx, id, err))
	}
	return raw, nil
}

// Instance implements Inspector.
func (d *Docker) Instance(ctx context.Context, id string) (Instance, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return Instance{}, err
	}
	ctx, cancel := within(ctx, quickCall)
	defer cancel()
	r, err := cli.ContainerInspect(ctx, id)
	if err != nil {
		return Instance{}, fmt.Errorf("cannot inspect container %s: %w", short(id), d.explainContainer(ctx, id, err))
	}
	i := instance(r)
	if i.Restarts > 0 && i.Running() {
		lastEnd(ctx, cli, &i)
	}
	return i, nil
}

// lastEnd tells of a process that the engine has started again how it had ended:
// the engine forgets that when it starts it. Its recent events still know; where
// they do not any longer, nothing changes.
func lastEnd(ctx context.Context, cli *client.Client, i *Instance) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	messages, failed := cli.Events(ctx, events.ListOptions{
		Since: "1", Until: time.Now().UTC().Format(time.RFC3339Nano),
		Filters: filters.NewArgs(filters.Arg("container", i.ID), filters.Arg("event", string(ActionDie)), filters.Arg("event", string(ActionOOM))),
	})
	for {
		select {
		case m := <-messages:
			if code, err := strconv.Atoi(m.Actor.Attributes["exitCode"]); err == nil {
				i.ExitCode = code
			}
			i.OOMKilled = i.OOMKilled || Action(m.Action) == ActionOOM
		case <-failed:
			return
		}
	}
}

// Instance implements Inspector.
func (m *Memory) Instance(ctx context.Context, id string) (Instance, error) {
	return call(ctx, m, func() (Instance, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.find(id)
		if p == nil {
			return Instance{}, fmt.Errorf("cannot inspect container %s: %w", short(id), ErrNoContainer)
		}
		return p.Instance, nil
	}, "Instance", id)
}

// Describe implements Inspector.
func (m *Memory) Describe(ctx context.Context, id string) ([]byte, error) {
	return call(ctx, m, func() ([]byte, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.find(id)
		if p == nil {
			return nil, fmt.Errorf("cannot inspect container %s: %w", short(id), ErrNoContainer)
		}
		return json.Marshal(map[string]any{"Id": p.ID, "Name": "/" + p.Name,
			"State":  map[string]any{"Status": p.Status, "Running": p.Running()},
			"Config": map[string]any{"Env": p.spec.Env, "Labels": p.spec.labels()}})
	}, "Describe", id)
}
