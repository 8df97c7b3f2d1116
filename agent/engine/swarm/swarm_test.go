package swarm_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"

	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/swarmlab"
	"dokku/agent/engine"
	"dokku/agent/engine/enginetest"
	"dokku/agent/engine/node"
	"dokku/agent/engine/swarm"
)

// TestMain has more tests run side by side than there are processors: they wait for swarms.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "4")
	code := m.Run()
	if path, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// fixture is a swarm of managers that run what a registry has.
type fixture struct {
	*swarmlab.Lab
	engine        *swarm.Engine
	image, remote string
	auth          engine.RegistryAuth
	keys          node.Keys
}

// program builds the program of the node service.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "swarm-program")
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "dokku"), lab.GoBuild(filepath.Join(dir, "dokku"), ".")
})

// beside returns a node's engine with the swarm.
func (f fixture) beside(n *swarmlab.Node) *swarm.Engine {
	f.T.Helper()
	path, err := program()
	lab.Must(f.T, err)
	return swarm.Beside(n.Engine, swarm.Config{Keys: f.keys, Program: path})
}

func newFixture(t *testing.T, nodes int) fixture {
	t.Helper()
	l := swarmlab.Swarm(t, nodes, nodes)
	l.Heartbeat(2 * time.Second) // so that Watch notices first
	f := fixture{Lab: l, auth: l.Registry(), keys: node.Keys{Dir: t.TempDir()}}
	f.engine = f.beside(l.Nodes[0])
	f.image = imported(t, l.Nodes[0])
	var err error
	f.remote, err = l.Nodes[0].Push(t.Context(), f.image, f.auth.Server+"/test:1", f.auth, nil)
	lab.Must(t, err)
	return f
}

// imported makes an image with a shell, which claims to be of an app.
func imported(t *testing.T, n *swarmlab.Node) string {
	t.Helper()
	answer, err := n.Client().ImageImport(t.Context(), image.ImportSource{Source: bytes.NewReader(enginetest.Busybox(t)), SourceName: "-"}, "dokku/shop:1",
		image.ImportOptions{Changes: []string{"EXPOSE 8080/tcp 80 53/udp", "ENV PATH=/bin", "LABEL " + engine.LabelDyno + "=fake"}})
	lab.Must(t, err)
	_, err = io.Copy(io.Discard, answer)
	lab.Must(t, err)
	answer.Close()
	i, err := n.Image(t.Context(), "dokku/shop:1")
	lab.Must(t, err)
	return i.ID
}

// TestPlaced runs the suite of placed processes on real engines.
func TestPlaced(t *testing.T) {
	t.Parallel()
	enginetest.RunPlaced(t, newFixture(t, 3).placed())
}

// TestPlacedQuorum: if the leader dies, the other managers start what is asked of them, as soon
// as they have chosen another one. Then it runs the part of the suite in which two of three
// die.
func TestPlacedQuorum(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 3)
	leader := f.Nodes[0]
	f.Nodes[0], f.Nodes[1] = f.Nodes[1], leader
	f.engine = f.beside(f.Nodes[0])
	leader.Cut()
	leader.Kill()
	i, err := f.engine.Start(t.Context(), f.web("shop", 1, "sleep", "1000"))
	lab.Must(t, err)
	if i.Node == leader.Name {
		t.Errorf("it runs on a node that is gone: %+v", i)
	}
	lab.Must(t, f.engine.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: i.ID}))
	leader.Mend()
	leader.Start()
	lab.WaitFor(t, "all managers are back", func() bool {
		c, err := f.engine.Cluster(t.Context())
		managers, reachable, _ := c.Quorum()
		return err == nil && managers == 3 && reachable == 3
	})
	enginetest.RunPlacedQuorum(t, f.placed())
}

func (f fixture) placed() enginetest.PlacedFixture {
	p := enginetest.PlacedFixture{Host: f.engine, Image: f.image, Remote: f.remote, Auth: f.auth, Command: enginetest.Shell,
		Missing: f.remote[:len(f.remote)-8] + "00000000", Reach: f.reached}
	for i, n := range f.Nodes {
		cut := func(_ *testing.T, yes bool) {
			if yes {
				n.Cut()
			} else {
				n.Mend()
			}
		}
		die := func(t *testing.T, yes bool) {
			if cut(t, yes); yes {
				n.Kill()
			} else {
				n.Start()
			}
		}
		p.Nodes[i] = enginetest.PlacedNode{Name: n.Name, Address: n.Address, Cut: cut, Die: die}
	}
	return p
}

// reached reports whether the port of a process answers.
func (f fixture) reached(i engine.Instance) bool {
	f.T.Helper()
	keys, err := f.keys.Load()
	lab.Must(f.T, err)
	c, err := node.NewClient(keys.Door)
	lab.Must(f.T, err)
	ctx, cancel := context.WithTimeout(f.T.Context(), 5*time.Second)
	defer cancel()
	conn, err := c.Dial(ctx, "tcp", i.Reach(8080).String())
	if err == nil {
		conn.Close()
	}
	return err == nil && i.Secure
}

// web returns the Spec of the nth web process of an app, as a rollout makes it.
func (f fixture) web(app string, n int, command ...string) engine.Spec {
	return engine.Spec{App: app, Kind: engine.KindDeploy, Type: "web", Index: n, Release: 1, Attempt: "a", Name: fmt.Sprintf("%s.web.%d", app, n), Image: f.image,
		Command: command, Env: []string{fmt.Sprintf("DYNO=web.%d", n)}, RestartPolicy: "on-failure:10", StopTimeout: time.Second, Placement: &engine.Placement{Image: f.remote, Auth: f.auth}}
}

// TestSpecs: a process of a swarm of one node has all that its Spec asks for, and what a
// swarm refuses is named.
func TestSpecs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 1)
	l := f.Lab
	l.Docker("network", "create", "--driver", "overlay", "shared")
	l.Docker("network", "create", "local")

	web := f.web("shop", 1, "sh", "-c", "httpd -p 8080; sleep 1000")
	web.Joins, web.Aliases = []string{"shared"}, []string{"shop.web.internal"}
	_, err := f.engine.Start(t.Context(), web)
	lab.Must(t, err)
	odd := f.web("shop", 1, "sleep", "1000")
	odd.Type, odd.Name, odd.Index, odd.Placement.First, odd.Env = "worker", "shop.worker.3", 3, 3, []string{"DYNO=worker.3", "ODD={{.Task.Slot}} {{ }}"}
	odd.Hostname, odd.Joins, odd.Mounts = "host", []string{"shared"}, []engine.Mount{{Source: "data", Target: "/data"}}
	odd.Limits = engine.Limits{Memory: 64 << 20, NanoCPUs: 5e8}
	odd.Options = engine.Options{Hosts: []string{"db:192.0.2.1"}, ShmSize: 1 << 20, Tmpfs: map[string]string{"/tmp": "size=2m"}, Ulimits: map[string][2]int64{"nofile": {100, 200}},
		User: "7:8", ReadOnly: true, CapDrop: []string{"ALL"}}
	i, err := f.engine.Start(t.Context(), odd)
	lab.Must(t, err)
	if i.Limits != odd.Limits || i.Index != 3 || i.Name != "shop.worker.3" {
		t.Errorf("it is %+v", i)
	}
	out, _, err := f.engine.Exec(t.Context(), i.ID, []string{"sh", "-c", `echo "$DYNO|$ODD|$(busybox hostname)|$(busybox id -u)"; busybox awk '/open files/ {print $4, $5}' /proc/1/limits; busybox grep db /etc/hosts; ` +
		`busybox df -k /dev/shm /tmp | busybox awk '{print $2, $6}'; touch /x 2>&1; busybox grep CapBnd /proc/self/status; ` +
		`for to in shop.web web.shop shop.web.internal; do nc -w 5 $to 8080 -e true && echo reached $to; done`})
	lab.Must(t, err)
	lab.Contains(t, string(out), "worker.3|{{.Task.Slot}} {{ }}|host|7\n", "100 200\n", "192.0.2.1\tdb\n", "1024 /dev/shm", "2048 /tmp", "CapBnd:\t0000000000000000", "reached shop.web\n", "reached shop.web.internal\n")
	lab.Lacks(t, string(out), "reached web.shop")

	// People look for the processes of an app by its labels, on any node.
	lab.Contains(t, l.Docker("ps", "--filter", "label="+engine.LabelApp+"=shop", "--format", "{{.Names}}"), "shop_w", "shop_w")
	o, err := f.engine.Observe(t.Context(), "shop")
	lab.Must(t, err)
	if len(o.Instances) != 2 {
		t.Errorf("observed %+v", o.Instances)
	}
	text, err := f.engine.Describe(t.Context(), i.ID)
	lab.Must(t, err)
	lab.Contains(t, string(text), `"com.docker.swarm.task`)
	_, rows, err := f.engine.Processes(t.Context(), i.ID, "")
	lab.Must(t, err)
	if len(rows) < 2 {
		t.Errorf("it has the processes %q", rows)
	}

	l.Docker("service", "create", "--quiet", "--no-resolve-image", "--detach", "--name", "shop_web_hand", "--replicas", "0", "dokku/shop:1", "true")
	for want, change := range map[string]func(*engine.Spec){
		"network local is of this server alone":                                                       func(s *engine.Spec) { s.Joins = []string{"local"} },
		"no such network (missing): make it with docker network create":                               func(s *engine.Spec) { s.Joins = []string{"missing"} },
		`on node1: exec: "missing": executable file not found`:                                        func(s *engine.Spec) { s.Command, s.NoInit = []string{"missing"}, true },
		"the container name is already in use":                                                        func(s *engine.Spec) { s.Attempt = "hand" },
		"no node of the swarm takes the process: sche":                                                func(s *engine.Spec) { s.Placement.Constraints = []string{"node.role==worker"} },
		"the node cannot pull the image (node1): to see why, run there: docker pull " + f.remote[:10]: func(s *engine.Spec) { s.Placement.Image = f.remote[:len(f.remote)-8] + "00000000" },
	} {
		s := f.web("shop", 1, "sleep", "1000")
		s.Attempt = "refused"
		change(&s)
		_, err := f.engine.Start(t.Context(), s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
		if found := l.Docker("service", "ls", "--filter", "name=shop_web_refused", "--quiet"); found != "" {
			t.Errorf("after %v there is %s", err, found)
		}
	}
	// The node has pulled the image by its digest, and no release needs it.
	for _, i := range o.Instances {
		lab.Must(t, f.engine.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: i.ID}))
	}
	l.Docker("container", "prune", "--force")
	lab.Must(t, f.engine.Remove(t.Context(), engine.Resource{Kind: engine.ImageKind, ID: f.image, App: "shop"}))
	for _, name := range strings.Fields(l.Docker("image", "ls", "--all", "--format", "{{.Repository}}")) {
		if !strings.HasSuffix(name, "/dokku_node") {
			t.Errorf("the image is still there: %s", l.Docker("image", "ls", "--digests"))
		}
	}
}
