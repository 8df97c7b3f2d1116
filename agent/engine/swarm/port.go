package swarm

import (
	"context"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

const (
	// labelTask is the label that engines give containers of tasks.
	labelTask = "com.docker.swarm.task.id"
	// askPortAgain is how long a node is not asked again that had no answer.
	askPortAgain = 5 * time.Second
)

// ports are those of processes whose tasks do not name them, by the tasks' ids.
type ports struct {
	mu    sync.Mutex
	known map[string]knownPort
}

// knownPort is what a node's engine has said; without a number, it is asked again at a time.
type knownPort struct {
	number uint32
	again  time.Time
}

// fillPorts asks the engines of nodes for the ports that running tasks do not name.
func (e *Engine) fillPorts(ctx context.Context, s *state) {
	publishes := map[string]bool{}
	for _, service := range s.services {
		publishes[service.ID] = service.Spec.EndpointSpec != nil && len(service.Spec.EndpointSpec.Ports) > 0
	}
	v := e.view(*s)
	var all sync.WaitGroup
	for n := range s.tasks {
		t := &s.tasks[n]
		if !publishes[t.ServiceID] || t.Status.State != swarm.TaskStateRunning || v.nodePort(*t) != 0 || v.lost(t.NodeID) {
			continue
		}
		all.Go(func() {
			if port := e.portOf(ctx, *t, v.nodes[t.NodeID]); port != 0 {
				t.Status.PortStatus.Ports = []swarm.PortConfig{{Protocol: swarm.PortConfigProtocolTCP, PublishedPort: port, PublishMode: swarm.PortConfigPublishModeHost}}
			}
		})
	}
	all.Wait()
}

// portOf returns the port that a node publishes for a task; 0: nobody says it. A container has
// the same one until it ends.
func (e *Engine) portOf(ctx context.Context, t swarm.Task, n engine.Node) uint32 {
	e.ports.mu.Lock()
	known := e.ports.known[t.ID]
	e.ports.mu.Unlock()
	if known.number != 0 || time.Now().Before(known.again) {
		return known.number
	}
	known = knownPort{e.askPort(ctx, t.ID, n), time.Now().Add(askPortAgain)}
	e.ports.mu.Lock()
	defer e.ports.mu.Unlock()
	if e.ports.known == nil {
		e.ports.known = map[string]knownPort{}
	}
	e.ports.known[t.ID] = known
	return known.number
}

// askPort asks this machine's engine for the port of a task's container, and then that of the
// task's node.
func (e *Engine) askPort(ctx context.Context, task string, n engine.Node) uint32 {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if cli, err := e.docker.Manager(ctx); err == nil {
		if port := publishedPort(ctx, cli, task); port != 0 {
			return port
		}
	}
	if e.guard.config.Keys.Dir == "" {
		return 0
	}
	d, err := e.engineAt(n.Address)
	if err != nil {
		return 0
	}
	cli, err := d.Manager(ctx)
	if err != nil {
		return 0
	}
	return publishedPort(ctx, cli, task)
}

// publishedPort is the port at which an engine publishes the container of a task; 0: it has no
// such container.
func publishedPort(ctx context.Context, cli *client.Client, task string) uint32 {
	list, err := cli.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labelTask+"="+task))})
	if err != nil {
		return 0
	}
	for _, c := range list {
		for _, p := range c.Ports {
			if c.Labels[labelTask] == task && p.PublicPort != 0 {
				return uint32(p.PublicPort)
			}
		}
	}
	return 0
}

// forgetPorts forgets the ports of tasks that are gone.
func (e *Engine) forgetPorts(tasks []swarm.Task) {
	e.ports.mu.Lock()
	defer e.ports.mu.Unlock()
	if len(e.ports.known) == 0 {
		return
	}
	left := map[string]knownPort{}
	for _, t := range tasks {
		if p, known := e.ports.known[t.ID]; known {
			left[t.ID] = p
		}
	}
	e.ports.known = left
}
