package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"dokku/agent/engine"
	"dokku/agent/engine/node"
	"dokku/agent/text"
)

// A Problem is what is wrong with a swarm.
type Problem struct {
	Text string
	Fix  string
	// Grave: something does not work now. Else it is a risk.
	Grave bool
}

// Judge returns the problems of a swarm that this server manages.
func Judge(c engine.Cluster) []Problem {
	var found []Problem
	for _, n := range c.Nodes {
		switch {
		case n.State != engine.NodeReady:
			found = append(found, Problem{Grave: true, Text: fmt.Sprintf("node %s (%s) is %s%s", n.Name, n.Address, n.State, because(n.Message)),
				Fix: "start it, or take it out: docker node rm --force " + n.ID})
		case n.Role == engine.RoleManager && !n.Reachable:
			found = append(found, Problem{Grave: true, Text: fmt.Sprintf("the other managers do not reach %s (%s)", n.Name, n.Address),
				Fix: fmt.Sprintf("open the TCP ports %d and 7946 and the UDP ports 7946 and 4789 between all nodes", engine.JoinPort)})
		}
	}
	managers, reachable, needed := c.Quorum()
	switch {
	case managers == 2:
		found = append(found, Problem{Text: "the swarm has 2 managers: if either fails, nobody can change it",
			Fix: "have 1 or 3: docker node promote NODE, or docker node demote NODE"})
	case managers > 2 && reachable == needed:
		found = append(found, Problem{Text: fmt.Sprintf("%d of %d managers answer: if one more fails, nobody can change the swarm", reachable, managers),
			Fix: "bring the others back"})
	}
	if len(c.Nodes) > 0 && !slices.ContainsFunc(c.Nodes, engine.Node.Up) {
		found = append(found, Problem{Grave: true, Text: "no node may run processes", Fix: "dokku cluster:activate NODE"})
	}
	return found
}

// JudgeServices returns the problems of the node service.
func JudgeServices(list []engine.NodeService, now time.Time) []Problem {
	var found []Problem
	for _, s := range list {
		if s.Trouble != "" {
			found = append(found, Problem{Grave: true, Text: "the node service does not serve on " + s.Trouble,
				Fix: fmt.Sprintf("open the TCP ports 7946, %d and 32768 to 65535 between all servers; docker service ps dokku-node says more", node.APIPort)})
		}
		if s.Open != "" {
			found = append(found, Problem{Text: fmt.Sprintf("%s also publishes the ports of processes without TLS, at %s", s.Node.Name, s.Open),
				Fix: "let it join anew: dokku cluster:drain " + s.Node.Name + ", on it docker swarm leave, and then the lines of dokku cluster:join-token"})
		}
		if off := s.Off.Abs(); off > maxOff {
			found = append(found, Problem{Grave: true, Text: fmt.Sprintf("the clock of %s is off by %s", s.Node.Name, off.Round(time.Second)),
				Fix: "set the clocks of all servers: apt-get install chrony"})
		}
		if s.Outdated {
			found = append(found, Problem{Text: "the node service on " + s.Node.Name + " is of another version than this server", Fix: "wait for the agent, which renews it; docker service ps dokku-node says more"})
		}
	}
	if len(list) > 0 && !list[0].Until.IsZero() && list[0].Until.Sub(now) < yearBefore {
		found = append(found, Problem{Grave: now.After(list[0].Until), Text: "the certificates between this server and the nodes end on " + day(list[0].Until),
			Fix: "dokku cluster:rotate-certificates; the agent tries it too, and its log says what kept it from that"})
	}
	return found
}

// maxOff is how far a clock may be off: certificates are valid to the minute.
const maxOff = time.Minute

// yearBefore is how long before its end a certificate of ten years is a risk.
const yearBefore = 365 * 24 * time.Hour

// Served says on how many nodes the node service serves; "" if there is none.
func Served(list []engine.NodeService) string {
	if len(list) == 0 {
		return ""
	}
	serve := 0
	for _, s := range list {
		if s.Trouble == "" {
			serve++
		}
	}
	said := fmt.Sprintf("%d of %s", serve, text.Plural(len(list), "node"))
	if until := Until(list); until != "" {
		said += ", certificates until " + until
	}
	return said
}

// Until is the day on which the first of the certificates of the node service ends; "" if there
// are none.
func Until(list []engine.NodeService) string {
	if len(list) == 0 || list[0].Until.IsZero() {
		return ""
	}
	return day(list[0].Until)
}

func because(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}

// revive says what helps a swarm without a quorum.
func revive(c engine.Cluster) string {
	return fmt.Sprintf("Its managers are %s: start more than half of them. What runs goes on.\n"+
		"If they are lost for ever, this server can go on alone: docker swarm init --force-new-cluster --advertise-addr %s", strings.Join(c.Managers, ", "), c.Address)
}

// Lost is the problem of a swarm without a quorum.
func Lost(c engine.Cluster) Problem {
	fix, _, _ := strings.Cut(revive(c), "\n")
	return Problem{Grave: true, Text: engine.ErrNoQuorum.Error() + ": nobody can change it", Fix: fix}
}

// Quorum says how many managers answer, and how many may fail.
func Quorum(c engine.Cluster) string {
	managers, reachable, needed := c.Quorum()
	may := "none may fail"
	if spare := reachable - needed; spare > 0 {
		may = fmt.Sprintf("%d may fail", spare)
	}
	return fmt.Sprintf("%d of %d managers answer, %d needed: %s", reachable, managers, needed, may)
}

// Ready says how many nodes may run processes.
func Ready(c engine.Cluster) string {
	up := 0
	for _, n := range c.Nodes {
		if n.Up() {
			up++
		}
	}
	return fmt.Sprintf("%d of %s ready and active", up, text.Plural(len(c.Nodes), "node"))
}

// features are what an engine needs a version for, by its first number and its second one.
var features = []struct {
	major, minor int
	name         string
}{
	{20, 10, "capabilities and ulimits of services"},
	{25, 0, "no-new-privileges of services"},
}

// Lacks names what processes of a node cannot have, because of its engine.
func Lacks(n engine.Node) []string {
	var lacks []string
	if !slices.Contains(n.Networks, "overlay") {
		lacks = append(lacks, "overlay networks")
	}
	var major, minor int
	if _, err := fmt.Sscanf(n.Engine, "%d.%d", &major, &minor); err != nil {
		return lacks
	}
	for _, f := range features {
		if major < f.major || major == f.major && minor < f.minor {
			lacks = append(lacks, fmt.Sprintf("%s (from Docker %d)", f.name, f.major))
		}
	}
	return lacks
}

// A Validity is the time of a manager's certificate.
type Validity struct {
	Node        engine.Node
	From, Until time.Time
}

// Dialer opens the connections of Validities.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Validities asks each reachable manager for its certificate. A manager that does not answer
// is left out: its state says that.
func Validities(ctx context.Context, c engine.Cluster, dial Dialer) []Validity {
	var list []Validity
	for _, n := range c.Nodes {
		if n.Role != engine.RoleManager || !n.Reachable {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		if v, err := validity(ctx, n, dial); err == nil {
			list = append(list, v)
		}
		cancel()
	}
	return list
}

func validity(ctx context.Context, n engine.Node, dial Dialer) (Validity, error) {
	conn, err := dial(ctx, "tcp", net.JoinHostPort(n.Address, strconv.Itoa(engine.JoinPort)))
	if err != nil {
		return Validity{}, err
	}
	defer conn.Close()
	// Nothing is sent or believed but the times: the engine itself checks who answers.
	t := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err := t.HandshakeContext(ctx); err != nil {
		return Validity{}, err
	}
	leaf := t.ConnectionState().PeerCertificates[0]
	return Validity{n, leaf.NotBefore, leaf.NotAfter}, nil
}

// Judge returns what is wrong with a certificate now. A node renews its own when between
// half and four fifths of its time are over, so one with less than a tenth left will not.
func (v Validity) Judge(now time.Time) []Problem {
	rotate := "on that node: systemctl restart docker; docker swarm ca --rotate makes new ones for all"
	switch left := v.Until.Sub(now); {
	case left <= 0:
		return []Problem{{Grave: true, Text: fmt.Sprintf("the swarm's certificate of %s has ended on %s", v.Node.Name, day(v.Until)),
			Fix: "that node has to leave the swarm and join again"}}
	case left < v.Until.Sub(v.From)/10:
		return []Problem{{Text: fmt.Sprintf("the swarm's certificate of %s ends on %s and was not renewed", v.Node.Name, day(v.Until)), Fix: rotate}}
	case v.From.After(now):
		return []Problem{{Grave: true, Text: fmt.Sprintf("the swarm's certificate of %s begins in the future, at %s: a clock is off", v.Node.Name, v.From.UTC().Format(time.RFC3339)),
			Fix: "set the clocks of all servers: apt-get install chrony"}}
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
