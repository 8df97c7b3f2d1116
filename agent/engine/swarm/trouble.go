package swarm

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"

	"dokku/agent/engine"
	"dokku/agent/engine/node"
)

// trouble says what the swarm knows of the node service on a node that does not answer, to be
// added to an error.
func (e *Engine) trouble(ctx context.Context, id string) string {
	ctx, cancel := engine.Within(context.WithoutCancel(ctx), lookLimit)
	defer cancel()
	_, why := e.onNode(ctx, id)
	return why
}

// unserved says why the node service does not serve a process at an address, to be added to an
// error: what it says itself, or else what the swarm knows of it.
func (e *Engine) unserved(ctx context.Context, m member, at netip.AddrPort) string {
	ctx, cancel := engine.Within(context.WithoutCancel(ctx), lookLimit)
	defer cancel()
	t, why := e.onNode(ctx, m.task.NodeID)
	if s := t.Status.ContainerStatus; s != nil && t.Status.State == swarm.TaskStateRunning {
		if said := node.Unserved(e.logOf(ctx, m.Address.String(), s.ContainerID), at); said != "" {
			return "; " + ServiceName + " says there: " + said
		}
	}
	return why
}

// logOf returns the last lines of a container on the node at an address, as far as the node's
// engine tells.
func (e *Engine) logOf(ctx context.Context, address, id string) string {
	d, err := e.engineAt(address)
	if err != nil {
		return ""
	}
	cli, err := d.Manager(ctx)
	if err != nil {
		return ""
	}
	r, err := cli.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: "1000"})
	if err != nil {
		return ""
	}
	defer r.Close()
	var text bytes.Buffer
	_, _ = stdcopy.StdCopy(&text, &text, r)
	return text.String()
}

// onNode returns the newest task of the node service on a node, and what to say of it where the
// node does not answer.
func (e *Engine) onNode(ctx context.Context, id string) (last swarm.Task, why string) {
	s, err := e.named(ctx, ServiceName)
	if err != nil {
		return last, ""
	}
	if s.ID == "" {
		return last, "; the node service " + ServiceName + " is gone, and the next push makes it anew"
	}
	tasks, err := e.tasks(ctx, []string{s.ID})
	if err != nil {
		return last, ""
	}
	for _, t := range tasks {
		if t.NodeID == id && t.ServiceID == s.ID && (last.ID == "" || t.CreatedAt.After(last.CreatedAt)) {
			last = t
		}
	}
	state := string(last.Status.State)
	if reason := last.Status.Err; reason != "" {
		state += ": " + reason
	}
	switch {
	case last.ID == "":
		why = "; the swarm has not placed " + ServiceName + " there"
	case last.Status.State == swarm.TaskStateRunning:
		why = fmt.Sprintf("; %s runs there: open the TCP ports %d and 32768 to 65535 between the servers, or see docker service logs %[1]s", ServiceName, node.APIPort)
	default:
		why = fmt.Sprintf("; %s does not run there (%s): docker service ps --no-trunc %[1]s", ServiceName, state)
	}
	return last, why
}
