package cluster

import (
	"strings"
	"time"

	"dokku/agent/cluster"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
	"dokku/agent/text"
)

// A row is a node as --format json has it.
type row struct {
	ID           string              `json:"id"`
	Name         string              `json:"name"`
	Role         engine.Role         `json:"role"`
	Leader       bool                `json:"leader"`
	Reachable    bool                `json:"reachable"`
	State        string              `json:"state"`
	Message      string              `json:"message,omitempty"`
	Availability engine.Availability `json:"availability"`
	Address      string              `json:"address"`
	Engine       string              `json:"engine"`
	CPUs         float64             `json:"cpus"`
	Memory       int64               `json:"memory"`
	Self         bool                `json:"self"`
	Lacks        []string            `json:"lacks"`
}

func runNodes(c *cli.Call) error {
	if err := cli.OneOf("--format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	host, err := c.Engine()
	if err != nil {
		return err
	}
	swarm, err := cluster.Managed(c.Ctx, host)
	if err != nil {
		return err
	}
	problems := cluster.Judge(swarm)
	services, err := host.NodeServices(c.Ctx)
	if err != nil {
		return err
	}
	problems = append(problems, cluster.JudgeServices(services, time.Now())...)
	if c.Value("format") == "json" {
		rows := []row{}
		for _, n := range swarm.Nodes {
			rows = append(rows, row{n.ID, n.Name, n.Role, n.Leader, n.Reachable, n.State, n.Message, n.Availability, n.Address, n.Engine,
				float64(n.NanoCPUs) / 1e9, n.Memory, n.ID == swarm.Self, append([]string{}, cluster.Lacks(n)...)})
		}
		if err := c.PrintJSON(rows); err != nil {
			return err
		}
	} else {
		printNodes(c, swarm)
	}
	grave := false
	for _, p := range problems {
		c.Warn("%s; to fix: %s", p.Text, p.Fix)
		grave = grave || p.Grave
	}
	if grave {
		return cli.ErrSilent
	}
	return nil
}

func printNodes(c *cli.Call, swarm engine.Cluster) {
	var rows [][]string
	if c.Headings() {
		c.Heading("Nodes of the swarm")
		rows = append(rows, []string{"node", "role", "state", "availability", "address", "engine", "notes"})
	}
	var lacking []string // each set of what is missing, once
	for _, n := range swarm.Nodes {
		role, notes := string(n.Role), ""
		if n.Leader {
			role = "leader"
		}
		if n.ID == swarm.Self {
			notes = "this server"
		}
		rows = append(rows, []string{n.Name, role, n.State, string(n.Availability), n.Address, n.Engine, notes})
		if lacks := cluster.Lacks(n); len(lacks) > 0 {
			lacking = append(lacking, n.Name+" lacks "+strings.Join(lacks, ", "))
		}
	}
	for _, line := range text.Columns(rows, 2) {
		c.Print("%s\n", line)
	}
	if c.Headings() {
		c.Print("       %s; %s\n", cluster.Ready(swarm), cluster.Quorum(swarm))
		for _, line := range lacking {
			c.Print("       %s\n", line)
		}
	}
}
