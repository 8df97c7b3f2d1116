package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/cluster"
	"dokku/agent/engine"
)

// checkCluster looks at the swarm that this server's engine is in, if it is in one.
func (d *examination) checkCluster(ctx context.Context) []Finding {
	const check = "cluster"
	if _, err := d.engine(); err != nil {
		return nil // checkEngine says so
	}
	host, err := d.Server.Env.Engine(d.set)
	if err != nil {
		return nil
	}
	c, err := host.Cluster(ctx)
	var found []cluster.Problem
	switch {
	case errors.Is(err, engine.ErrNoCluster):
		return nil
	case errors.Is(err, engine.ErrNoQuorum):
		found = append(found, cluster.Lost(c))
	case err != nil:
		return []Finding{wrong(check, HealthProblem, "docker info", "%s", err)}
	case c.Role != engine.RoleManager:
		return fine(check, "this server is a worker of the swarm of %s", strings.Join(c.Managers, ", "))
	default:
		found = cluster.Judge(c)
	}
	services, err := host.NodeServices(ctx)
	if err != nil {
		found = append(found, cluster.Problem{Text: "the node service cannot be seen: " + err.Error(), Fix: "docker service ps dokku-node"})
	}
	found = append(found, cluster.JudgeServices(services, time.Now())...)
	until, troubles := d.certificates(ctx, c)
	found = append(found, troubles...)
	if len(c.Nodes) > 1 && !d.Synchronised() {
		found = append(found, cluster.Problem{Text: "nothing sets the clock of this server; a node whose clock is off by hours loses its swarm", Fix: "apt-get install chrony"})
	}
	var list []Finding
	for _, p := range found {
		health := HealthWarning
		if p.Grave {
			health = HealthProblem
		}
		list = append(list, wrong(check, health, p.Fix, "%s", p.Text))
	}
	if len(list) == 0 {
		return fine(check, "%s; %s%s", cluster.Ready(c), cluster.Quorum(c), until)
	}
	return list
}

// certificates judges those of the swarm's managers; until says when the first one ends.
func (d *examination) certificates(ctx context.Context, c engine.Cluster) (until string, found []cluster.Problem) {
	var first time.Time
	for _, v := range cluster.Validities(ctx, c, d.Dial) {
		found = append(found, v.Judge(time.Now())...)
		if first.IsZero() || v.Until.Before(first) {
			first = v.Until
		}
	}
	if !first.IsZero() {
		until = "; certificates until " + first.UTC().Format(time.DateOnly)
	}
	return until, found
}

// synchronised asks the kernel whether its clock is set by a program such as chrony.
func synchronised() bool {
	const timeError = 5 // TIME_ERROR of adjtimex(2)
	state, err := unix.Adjtimex(&unix.Timex{})
	return err != nil || state != timeError
}
