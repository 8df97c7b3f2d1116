package checks

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"dokku/agent/event"
	"dokku/scale"
)

// listening is where a process listens.
type listening struct {
	reachable []int // ports that other containers and the proxy reach, ascending
	loopback  []netip.AddrPort
	err       error // nothing is known
}

// sockets returns where a process listens.
func (g *gate) sockets(ctx context.Context, id string) listening {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	all, err := g.watch.Listening(ctx, id)
	return sorted(all, err)
}

func sorted(all []netip.AddrPort, err error) listening {
	l := listening{err: err}
	for _, s := range all {
		switch port := int(s.Port()); {
		case s.Addr().IsLoopback():
			l.loopback = append(l.loopback, s)
		case !slices.Contains(l.reachable, port):
			l.reachable = append(l.reachable, port)
		}
	}
	return l
}

// state is a clause that says where the process listens instead of on port want.
func (l listening) state(want int) string {
	switch {
	case l.err != nil:
		return fmt.Sprintf("where it listens cannot be told (%s)", l.err)
	case len(l.reachable) > 0:
		return "it listens on " + portList(l.reachable)
	case len(l.loopback) > 0:
		return fmt.Sprintf("it listens on %s only, which nothing outside of its container reaches", l.nearest(want))
	}
	return "it listens on no port"
}

// nearest is the loopback socket with the wanted port, or else the first one.
func (l listening) nearest(want int) netip.AddrPort {
	n := slices.IndexFunc(l.loopback, func(s netip.AddrPort) bool { return int(s.Port()) == want })
	return l.loopback[max(n, 0)]
}

// fix says how the process would be reached on port want.
func (l listening) fix(app string, want int) string {
	switch {
	case l.err != nil:
		return fmt.Sprintf("Let it listen on 0.0.0.0:$PORT (%d).", want)
	case slices.Contains(l.reachable, want):
		return "It listens there by now: if it only needs longer to start, raise the time that it has."
	case len(l.reachable) > 0:
		return fmt.Sprintf("Let it listen on $PORT (%d), or EXPOSE %d in the Dockerfile, or lead requests there: dokku ports:set %s http:80:%[2]d",
			want, l.reachable[0], app)
	case len(l.loopback) > 0:
		return fmt.Sprintf("Bind it to 0.0.0.0 instead of %s, on $PORT (%d).", l.nearest(want).Addr(), want)
	}
	return fmt.Sprintf("Let it listen on 0.0.0.0:$PORT (%d). A process that gets no requests is a worker: name it worker in the Procfile.", want)
}

func portList(ports []int) string {
	if len(ports) == 1 {
		return "port " + strconv.Itoa(ports[0])
	}
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = strconv.Itoa(p)
	}
	return "ports " + strings.Join(names, ", ")
}

// FindPort returns the port on which the first web target serves, for an app that names
// none: the target's own port as soon as it accepts a connection, or the one other port
// that the process listens on once that has been so for the default wait. If neither
// comes true in time, or the process ends, it is the target's own port, and Gate rejects.
func FindPort(ctx context.Context, plan Plan, targets []Target, watch Observer, log event.Log) (int, error) {
	n := slices.IndexFunc(targets, func(t Target) bool { return t.Type == scale.Web })
	if n < 0 || len(plan.Checks[scale.Web]) == 0 {
		return 0, nil
	}
	t := targets[n]
	g := &gate{plan: plan, watch: watch, log: log, start: time.Now()}
	own := &probe{gate: g, target: t, check: Check{Kind: Listening, Timeout: lastRetry}}
	var candidate int
	var since time.Time
	for retry := firstRetry; time.Since(t.Started) < plan.Settings.ListenTimeout; retry = min(retry*3/2, lastRetry) {
		if own.try(ctx).Err == nil {
			return t.Port, nil
		}
		if in, err := g.look(ctx, t.ID); err == nil && ended(t, in) != "" {
			return t.Port, nil
		}
		switch l := g.sockets(ctx, t.ID); {
		case len(l.reachable) != 1 || l.reachable[0] == t.Port:
			candidate = 0
		case l.reachable[0] != candidate:
			candidate, since = l.reachable[0], time.Now()
		case time.Since(since) >= plan.Settings.DefaultWait:
			return candidate, nil
		}
		if !sleep(ctx, retry) {
			return 0, context.Cause(ctx)
		}
	}
	return t.Port, nil
}
