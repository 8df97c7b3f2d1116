package swarm_test

import (
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"dokku/agent/e2e/lab"
	"dokku/agent/engine"
	"dokku/agent/engine/swarm"
)

// busyEnv has the address of a node for TestConnections.
const busyEnv = "DOKKU_TEST_NODE"

// TestBusyNodes: processes that are started on nodes whose ports connections have used up, as far
// as the kernel prefers them, are reached at once.
func TestBusyNodes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 2)
	first := f.startAll(1) // the service runs from then on
	var all sync.WaitGroup
	for _, n := range f.Nodes {
		all.Go(func() {
			c := n.Inside(os.Args[0], "-test.run=^TestConnections$", "-test.v")
			c.Env = append(os.Environ(), busyEnv+"="+n.Address)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	started := make([]engine.Instance, 6)
	failed := make([]error, len(started))
	for n := range started {
		all.Go(func() {
			s := f.httpd(n+1, len(started))
			s.Attempt = "b"
			started[n], failed[n] = f.engine.Start(t.Context(), s)
		})
	}
	all.Wait()
	client := f.client()
	for n, i := range append(started, first...) {
		if n < len(failed) {
			lab.Must(t, failed[n])
		}
		lab.WaitFor(t, "the process answers", func() bool { _, err := get(client, "http://"+i.Reach(0).String()); return err == nil })
	}
	if log := f.Docker("service", "logs", swarm.ServiceName); strings.Contains(log, "cannot serve") || strings.Count(log, " is served at ") < len(started)+len(first) {
		t.Errorf("the service had to wait for ports:\n%s", log)
	}
}

// TestConnections opens and closes connections at the node that TestBusyNodes names, until the
// kernel has no more ports of those that it prefers. They stay in TIME_WAIT for a minute.
func TestConnections(t *testing.T) {
	node := os.Getenv(busyEnv)
	if node == "" {
		return // there is none
	}
	l, err := net.Listen("tcp", node+":0")
	lab.Must(t, err)
	defer l.Close()
	for {
		c, err := net.Dial("tcp", l.Addr().String())
		lab.Must(t, err)
		accepted, err := l.Accept()
		lab.Must(t, err)
		port := c.LocalAddr().(*net.TCPAddr).Port
		c.Close()
		accepted.Close()
		if port%2 != 0 {
			return
		}
	}
}
