package cluster

import (
	"errors"
	"net"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/cluster"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
)

// Commands are the commands of this package.
var Commands = []cli.Spec{
	{
		Use: "cluster:init", Role: cli.Admin, Short: "Make this server the first manager of a swarm of servers",
		Long: "Others join it with the line of cluster:join-token. They need Docker alone, and these ports between all of them: TCP 2377, 7946, 7947 and 32768 to 65535, UDP 7946 and 4789.\n" +
			"The engine must not have live-restore. If this server is a manager already, nothing changes.",
		Example: "dokku cluster:init --advertise-addr 10.0.0.1",
		Flags: func(f *pflag.FlagSet) {
			f.String("advertise-addr", "", "the address, or the network interface, by which other servers reach this one; needed if it has several")
		},
		Run: runInit,
	},
	{
		Use: "cluster:join-token [ROLE]", Role: cli.Admin, Short: "Print the line with which a server joins, as worker or manager",
		Long: "ROLE is worker, if it is not given: it runs processes. Managers also keep the state of the swarm; with 3 of them, one may fail.\n" +
			"Who has the line can join: --rotate makes a new one, and the former line of that role is void. Servers that have joined stay.",
		Example: "dokku cluster:join-token\ndokku cluster:join-token manager --rotate",
		Flags:   func(f *pflag.FlagSet) { f.Bool("rotate", false, "make a new token; the former one is void") },
		Words:   cli.OneOfWords(string(engine.RoleWorker), string(engine.RoleManager)),
		Run:     runToken,
	},
	{
		Use: "cluster:nodes", Role: cli.Admin, Short: "List the servers of the swarm, and what is wrong with them", Flags: cli.FormatFlag,
		Long: "It exits with 1 if a node is down or a manager does not answer.\n\n" +
			"--format json prints a list of objects with these keys: id, name, role, leader, reachable, state, message, availability, address, engine,\n" +
			"cpus, memory (bytes), self (this server), lacks (what processes cannot have there).",
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run:    runNodes,
	},
	{
		Use: "cluster:drain NODE", Role: cli.Admin, Short: "Take all processes of the swarm off a server, for maintenance", Missing: "No node specified",
		Long:    "Swarm starts them on the others. NODE is a name, an address or an id of cluster:nodes. The last server that may run processes is not drained.",
		Example: "dokku cluster:drain node2", Words: nodeWords, Run: runDrain,
	},
	{
		Use: "cluster:activate NODE", Role: cli.Admin, Short: "Let a server run processes of the swarm again", Missing: "No node specified",
		Example: "dokku cluster:activate node2", Words: nodeWords, Run: runActivate,
	},
	{
		Use: "cluster:leave", Role: cli.Admin, Short: "Take this server out of its swarm",
		Long: "A manager leaves with --force alone, since it counts as a manager also when it is gone.\n" +
			"While apps of this server run on the swarm, it is refused: nothing would serve them.",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("force", false, "also as a manager, and as the last one, with which the swarm ends")
			f.Bool("abandon-apps", false, "also while apps run on the swarm")
		},
		Run: runLeave,
	},
	{
		Use: "cluster:rotate-certificates", Role: cli.Admin, Short: "Change the certificates between this server, its front doors and the nodes",
		Long: "A new authority signs new ones for all of them, and the old one is taken out. No request is lost. All nodes that may run processes have to answer.\n" +
			"It takes some seconds for each node, and wait-to-retire (a minute) for requests that began before. If it is interrupted, the agent finishes it; " +
			"the agent also does all of it a year before the certificates end.\n" +
			"The certificates between the managers of the swarm are Docker's own: docker swarm ca --rotate.",
		Example: "dokku cluster:rotate-certificates", Run: runRotate,
	},
	{
		Use: "cluster:report", Role: cli.Admin, Short: "Show the swarm of this server", Flags: cli.FormatFlag,
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run:    runReport,
	},
}

func runInit(c *cli.Call) error {
	host, err := c.Engine()
	if err != nil {
		return err
	}
	swarm, made, err := cluster.Init(c.Ctx, host, c.Value("advertise-addr"))
	if err != nil {
		return err
	}
	if made {
		c.Events().Step("This server is the first manager of a swarm, at %s", swarm.Address)
	} else {
		c.Events().Step("This server is a manager of a swarm already, at %s", swarm.Address)
	}
	lines, err := cluster.JoinLines(c.Ctx, host, engine.RoleWorker, false)
	if err != nil {
		return err
	}
	c.Events().Detail("To let another server run processes, run there:")
	for _, line := range lines {
		c.Events().Detail("%s", line)
	}
	c.Events().Detail("To make it a manager too: dokku cluster:join-token manager")
	return nil
}

func runToken(c *cli.Call) error {
	role := engine.RoleWorker
	if len(c.Args) > 0 {
		if err := cli.OneOf("role", c.Args[0], string(engine.RoleWorker), string(engine.RoleManager)); err != nil {
			return err
		}
		role = engine.Role(c.Args[0])
	}
	host, err := c.Engine()
	if err != nil {
		return err
	}
	lines, err := cluster.JoinLines(c.Ctx, host, role, c.Flag("rotate"))
	if err != nil {
		return err
	}
	c.Print("%s\n", strings.Join(lines, "\n"))
	return nil
}

func runDrain(c *cli.Call) error {
	return set(c, engine.NodeDrained, "%s runs no processes of the swarm any more", "%s is drained already")
}

func runActivate(c *cli.Call) error {
	return set(c, engine.NodeActive, "%s may run processes of the swarm", "%s is active already")
}

func set(c *cli.Call, a engine.Availability, changed, same string) error {
	host, err := c.Engine()
	if err != nil {
		return err
	}
	n, did, err := cluster.Set(c.Ctx, host, c.Args[0], a)
	if err != nil {
		return err
	}
	if !did {
		changed = same
	}
	c.Events().Step(changed, n.Name)
	return nil
}

func runRotate(c *cli.Call) error {
	host, err := c.Engine()
	if err != nil {
		return err
	}
	if _, err := cluster.Managed(c.Ctx, host); err != nil {
		return err
	}
	if err := c.Server.RotateNodeKeys(c.Ctx, c.Events()); err != nil {
		return err
	}
	services, err := host.NodeServices(c.Ctx)
	if err != nil {
		return err
	}
	until := ""
	if said := cluster.Until(services); said != "" {
		until = ", valid until " + said
	}
	c.Events().Step("All nodes and front doors have new certificates%s", until)
	return nil
}

func runLeave(c *cli.Call) error {
	host, err := c.Engine()
	if err != nil {
		return err
	}
	if _, err := host.Cluster(c.Ctx); !errors.Is(err, engine.ErrNoCluster) && !c.Flag("abandon-apps") {
		if err := noApps(c); err != nil {
			return err
		}
	}
	left, err := cluster.Leave(c.Ctx, host, c.Flag("force"))
	switch {
	case err != nil:
		return err
	case left:
		c.Events().Step("This server has left its swarm")
	default:
		c.Events().Step("This server is in no swarm")
	}
	return nil
}

// noApps refuses while apps of this server run on the swarm.
func noApps(c *cli.Call) error {
	names, err := c.Server.Env.Store.Apps()
	if err != nil {
		return err
	}
	var on []string
	for _, name := range names {
		a, err := c.Server.Load(name)
		if none := new(app.NoAppError); errors.As(err, &none) {
			continue // it was destroyed meanwhile
		}
		if err != nil {
			return err
		}
		if a.Current != nil && a.Current.OnSwarm() {
			on = append(on, name)
		}
	}
	if len(on) == 0 {
		return nil
	}
	return cli.Refuse("These apps run on the swarm, and nothing would serve them: %s\nMove each to this server first: dokku scheduler:set %s selected %s; to leave all the same: --abandon-apps",
		strings.Join(on, ", "), on[0], app.SchedulerLocal)
}

// nodeWords completes the names of nodes.
func nodeWords(c *cli.Call) []string {
	host, err := c.Engine()
	if err != nil || len(c.Args) > 0 {
		return nil
	}
	swarm, _ := host.Cluster(c.Ctx)
	var names []string
	for _, n := range swarm.Nodes {
		names = append(names, n.Name)
	}
	return names
}

// report are the values of cluster:report, in their order.
func report(c *cli.Call) ([][2]string, error) {
	host, err := c.Engine()
	if err != nil {
		return nil, err
	}
	swarm, err := host.Cluster(c.Ctx)
	state := "active"
	switch {
	case errors.Is(err, engine.ErrNoCluster):
		return [][2]string{{"state", "none"}}, nil
	case errors.Is(err, engine.ErrNoQuorum):
		state = "no quorum"
	case err != nil:
		return nil, err
	}
	rows := [][2]string{{"state", state}, {"role", string(swarm.Role)}, {"address", swarm.Address}, {"managers", strings.Join(swarm.Managers, " ")}}
	if len(swarm.Nodes) == 0 {
		return rows, nil
	}
	var engines []string
	for _, n := range swarm.Nodes {
		engines = append(engines, n.Name+"="+n.Engine)
	}
	ends := ""
	for _, v := range cluster.Validities(c.Ctx, swarm, (&net.Dialer{}).DialContext) {
		if until := v.Until.UTC().Format(time.RFC3339); ends == "" || until < ends {
			ends = until
		}
	}
	services, err := host.NodeServices(c.Ctx)
	if err != nil {
		return nil, err
	}
	return append(rows, [2]string{"id", swarm.ID}, [2]string{"nodes", cluster.Ready(swarm)}, [2]string{"quorum", cluster.Quorum(swarm)},
		[2]string{"engines", strings.Join(engines, " ")}, [2]string{"certificates-until", ends},
		[2]string{"node-service", cluster.Served(services)}), nil
}

func runReport(c *cli.Call) error {
	if len(c.Args) > 0 {
		return nil // "report APP" asks all reports about an app
	}
	if err := cli.OneOf("--format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	rows, err := report(c)
	if err != nil {
		return err
	}
	if c.Value("format") == "json" {
		values := map[string]string{}
		for _, r := range rows {
			values["cluster-"+r[0]], values[r[0]] = r[1], r[1]
		}
		return c.PrintJSON(values)
	}
	if c.Headings() {
		c.Heading("Cluster information")
	}
	for _, r := range rows {
		c.Print("       %-31s%s\n", "Cluster "+strings.ReplaceAll(r[0], "-", " ")+":", r[1])
	}
	return nil
}
