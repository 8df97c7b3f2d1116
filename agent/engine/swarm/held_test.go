package swarm_test

import (
	"bufio"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
	"dokku/agent/engine"
	"dokku/agent/engine/node"
)

// heldEnv has the address of a node and ports of it for TestHeldPorts.
const heldEnv = "DOKKU_TEST_HELD"

// TestPortTaken: processes whose ports other programs of their nodes hold end soon, with their whole
// group, and are served at other ports when they start again.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 2)
	f.startAll(1) // the service runs from then on
	for _, n := range f.Nodes {
		c := n.Inside(os.Args[0], "-test.run=^TestHeldPorts$")
		// The engine counts up from 32768: one node has published that, and the other nothing.
		c.Env = append(os.Environ(), heldEnv+"="+n.Address+" "+strconv.Itoa(node.Port(32768))+" "+strconv.Itoa(node.Port(32769)))
		in, err := c.StdinPipe()
		lab.Must(t, err)
		out, err := c.StdoutPipe()
		lab.Must(t, err)
		lab.Must(t, c.Start())
		t.Cleanup(func() { in.Close(); c.Wait() })
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
			t.Fatalf("it says %q, %v", line, err)
		}
	}
	start := func() (started []engine.Instance, failed []error) {
		started, failed = make([]engine.Instance, 2), make([]error, 2)
		var all sync.WaitGroup
		for n := range started {
			all.Go(func() {
				s := f.httpd(n+1, len(started))
				s.Attempt = "b"
				started[n], failed[n] = f.engine.Start(t.Context(), s)
			})
		}
		all.Wait()
		return started, failed
	}
	begun := time.Now()
	_, failed := start()
	err := errors.Join(failed...)
	if !errors.Is(err, engine.ErrPortTaken) || !strings.Contains(err.Error(), "address already in use by another program of this node: ss -tanp sport = :") {
		t.Fatalf("they start at ports that are held: %v", failed)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("that takes %s", took)
	}
	if left := f.Docker("service", "ls", "--format", "{{.Name}}"); strings.Contains(left, "_b") {
		t.Errorf("left is %s", left)
	}
	for tries := 0; errors.Is(err, engine.ErrPortTaken) && tries < 2; tries++ {
		_, failed = start()
		err = errors.Join(failed...)
	}
	lab.Must(t, err)
}

// TestHeldPorts has connections from the ports that TestPortTaken names, until its input ends.
func TestHeldPorts(t *testing.T) {
	words := strings.Fields(os.Getenv(heldEnv))
	if len(words) == 0 {
		return // there are none
	}
	l, err := net.Listen("tcp", net.JoinHostPort(words[0], "0"))
	lab.Must(t, err)
	defer l.Close()
	for _, word := range words[1:] {
		port, err := strconv.Atoi(word)
		lab.Must(t, err)
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(words[0]), Port: port}}
		if c, err := d.Dial("tcp", l.Addr().String()); err == nil { // else a process is served there
			defer c.Close()
		}
	}
	os.Stdout.WriteString("held\n")
	bufio.NewReader(os.Stdin).ReadString('\n')
}

// TestPullsAhead: the nodes that run an app pull its next image before Swarm has told them to, and also
// if it never does.
func TestPullsAhead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 2)
	f.startAll(2)
	s := f.httpd(1, 1)
	s.Attempt, s.Placement.Constraints = "b", []string{"node.labels.none == of them"}
	tagged, err := f.Nodes[0].Push(t.Context(), f.image, f.auth.Server+"/shop:2", f.auth, nil)
	lab.Must(t, err)
	s.Placement.Image = tagged
	if _, err := f.engine.Start(t.Context(), s); !errors.Is(err, engine.ErrNoPlace) {
		t.Fatalf("it starts: %v", err)
	}
	if _, err := f.Nodes[1].Image(t.Context(), tagged); err != nil {
		t.Errorf("the node does not have the image: %v", err)
	}
}
