package machine

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/watch"
)

// The swarm of TestManyNodes.
const (
	manyNodes = 50
	manyApps  = 100 // of 8 web processes and 2 workers each
)

// TestManyNodes measures what a swarm of 50 nodes with 1,000 processes costs this server:
// a push, the agent's work while nothing changes, and the death of a node. The engine and the
// proxy are in memory, so it is the cost of the program alone. TestLargeSwarm of engine/swarm
// has that of the questions to the managers.
func TestManyNodes(t *testing.T) { synctest.Test(t, manyNodesCost) }

func manyNodesCost(t *testing.T) {
	c := newCrowd(t)
	l := c.member(0)
	ctx := t.Context()
	check(t, c.engine.InitCluster(ctx, "10.0.0.1"))
	for n := 2; n <= manyNodes; n++ {
		c.engine.Swarm().Add(fmt.Sprintf("node%d", n), fmt.Sprintf("10.0.0.%d", n), nil)
	}
	check(t, l.server.Env.Store.UpdateSettings(ctx, func(set *app.Settings) error {
		set.Registry, set.Scheduler = map[string]string{app.PropRegistry: "registry.test"}, map[string]string{app.PropSelected: app.SchedulerSwarm}
		return nil
	}))
	name := func(n int) string { return fmt.Sprintf("app%d", n) }
	for n := range manyApps {
		check(t, l.run(agenttest.Command{Verb: "apps:create", App: name(n)}))
		check(t, l.server.Scale(ctx, name(n), map[string]int{"web": 8, "worker": 2}, false, event.Log{}))
		check(t, l.run(agenttest.Command{Verb: "push", App: name(n), New: c.commits[0]}))
	}
	if o, err := c.engine.Observe(ctx, ""); err != nil || len(o.Instances) != 10*manyApps {
		t.Fatalf("%d processes run, want %d: %v", len(o.Instances), 10*manyApps, err)
	}

	spent := processor()
	const pushes = 10
	for n := range pushes {
		check(t, l.run(agenttest.Command{Verb: "push", App: name(n), Old: c.commits[0], New: c.commits[1]}))
	}
	push := (processor() - spent) / pushes

	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- watch.Run(running, c.member(1).server, event.Log{}) }()
	c.routedOnly("")
	spent = processor()
	time.Sleep(10 * time.Minute)
	idle := (processor() - spent) / 10
	spent = processor()
	begun := time.Now()
	c.engine.Swarm().Die("node7", true)
	c.routedOnly("10.0.0.7")
	death, took := processor()-spent, time.Since(begun)
	stop()
	<-ended
	t.Logf("%d nodes with %d processes: %s of processor time for a push, %s a minute while nothing changes, %s for a node's death, %s after which all routes are right",
		manyNodes, 10*manyApps, push.Round(time.Millisecond), idle.Round(time.Millisecond), death.Round(time.Millisecond), took.Round(time.Millisecond))
	if push > time.Second || idle > 3*time.Second || death > 20*time.Second || took > 2*time.Second {
		t.Errorf("a push takes %s of processor time, a minute %s, a node's death %s; its routes are right %s after it", push, idle, death, took)
	}
}

// routedOnly waits until all routes lead to all processes that run, and none to an address.
func (c *crowd) routedOnly(dead string) {
	c.t.Helper()
	right := func(name string) bool {
		live, ok, err := c.proxy.Live(context.Background(), name)
		check(c.t, err)
		o, err := c.engine.Observe(context.Background(), name)
		check(c.t, err)
		serving := 0
		for _, i := range o.Instances {
			if i.Type == "web" && i.Running() {
				serving++
			}
			if dead != "" && i.Running() && i.Address.String() == dead {
				return false
			}
		}
		return ok && len(live.Upstreams) == serving && serving > 0 && !slices.ContainsFunc(live.Upstreams, func(u netip.AddrPort) bool { return u.Addr().String() == dead })
	}
	late := time.After(2 * time.Minute)
	for tick := time.Tick(20 * time.Millisecond); ; {
		wrong := ""
		for n := range manyApps {
			if name := fmt.Sprintf("app%d", n); wrong == "" && !right(name) {
				wrong = name
			}
		}
		if wrong == "" {
			return
		}
		select {
		case <-tick:
		case <-late:
			live, _, err := c.proxy.Live(context.Background(), wrong)
			c.t.Fatalf("the route of %s leads to %v, %v", wrong, live.Upstreams, err)
		}
	}
}

// processor is the processor time that this program has taken.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
