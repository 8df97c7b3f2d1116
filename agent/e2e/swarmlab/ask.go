package swarmlab

import (
	"os/exec"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"dokku/agent/e2e/lab"
	"dokku/agent/engine"
)

// Docker runs a docker command on the first node, and returns its output.
func (l *Lab) Docker(args ...string) string {
	l.T.Helper()
	out, err := exec.Command("docker", append([]string{"-H", l.Nodes[0].Socket}, args...)...).CombinedOutput()
	if err != nil {
		l.T.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Ports returns the ports of a node at which running tasks of a service are reached.
func (l *Lab) Ports(service string, n *Node) (ports []uint32) {
	l.T.Helper()
	cli := l.Nodes[0].Client()
	nodes, err := cli.NodeList(l.T.Context(), swarm.NodeListOptions{})
	lab.Must(l.T, err)
	tasks, err := cli.TaskList(l.T.Context(), swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("service", service), filters.Arg("desired-state", "running"))})
	lab.Must(l.T, err)
	for _, task := range tasks {
		on := slices.IndexFunc(nodes, func(o swarm.Node) bool { return o.ID == task.NodeID })
		if task.Status.State != swarm.TaskStateRunning || on < 0 || nodes[on].Description.Hostname != n.Name {
			continue
		}
		for _, p := range task.Status.PortStatus.Ports { // 20.10 has each twice, for IPv4 and IPv6
			if !slices.Contains(ports, p.PublishedPort) {
				ports = append(ports, p.PublishedPort)
			}
		}
	}
	return ports
}

// Bound is the address at which the node publishes ports of processes; "": at all.
func (n *Node) Bound() string {
	n.lab.T.Helper()
	gateway, err := n.Client().NetworkInspect(n.lab.T.Context(), engine.GatewayNetwork, network.InspectOptions{})
	lab.Must(n.lab.T, err)
	return gateway.Options[engine.GatewayBinding]
}

// Open gives a node that is in no swarm the gateway network that Docker makes by itself, which
// publishes ports at all addresses.
func (n *Node) Open() {
	n.lab.T.Helper()
	options := engine.GatewayOptions()
	delete(options, engine.GatewayBinding)
	_, err := n.Client().NetworkCreate(n.lab.T.Context(), engine.GatewayNetwork, network.CreateOptions{Driver: "bridge", Options: options})
	lab.Must(n.lab.T, err)
}

// Interface is this machine's on the switch.
func (l *Lab) Interface() string { return l.name }
