package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/swarmlab"
	"dokku/agent/engine"
	"dokku/agent/engine/enginetest"
	"dokku/agent/event"
	"dokku/agent/registry"
	"dokku/agent/store"
)

// TestClusters runs the suite of swarms on real engines.
func TestClusters(t *testing.T) {
	t.Parallel()
	l := swarmlab.New(t, 3)
	var f enginetest.ClusterFixture
	for i, n := range l.Nodes {
		f.Nodes[i] = enginetest.ClusterNode{
			Clusters: n, Address: n.Address,
			Join: func(_ *testing.T, token string) {
				l.Hurry()
				n.Join(token, l.Nodes[0].Address)
			},
			Die: func(_ *testing.T, dead bool) {
				switch {
				case i == 1 && dead: // it may go on without the others
					n.Cut()
				case i == 1:
					n.Mend()
				case dead:
					n.Kill()
				default:
					n.Start()
				}
			},
		}
	}
	enginetest.RunClusters(t, f)
}

// TestClusterCommands runs the commands on the first of three engines.
func TestClusterCommands(t *testing.T) {
	t.Parallel()
	s := swarmlab.New(t, 3)
	l := lab.New(t, map[string]any{"docker": s.Nodes[0].Socket})
	lab.Contains(t, l.Refused("cluster:nodes"), "this server is in no swarm: dokku cluster:init makes one")
	for _, n := range []*swarmlab.Node{s.Nodes[0], s.Nodes[2]} { // as an earlier swarm leaves it
		n.Open()
	}
	first := l.Dokku("cluster:init", "--advertise-addr", s.Nodes[0].Address)
	lab.Contains(t, first, "-----> This server is the first manager of a swarm, at "+s.Nodes[0].Address)
	lab.Contains(t, l.Dokku("cluster:init"), "is a manager of a swarm already, at "+s.Nodes[0].Address)
	lab.Contains(t, l.Refused("cluster:init", "--advertise-addr", "10.9.9.9"), "reach it at "+s.Nodes[0].Address+", not at 10.9.9.9")
	s.Hurry()

	// The printed line is all that a node needs.
	for n, role := range []string{"worker", "manager"} {
		join(t, s.Nodes[n+1], l.Dokku("cluster:join-token", role))
	}
	for _, n := range s.Nodes {
		lab.Contains(t, n.Bound(), "127.0.0.1")
	}
	lab.WaitFor(t, "three nodes are ready", func() bool { return strings.Count(l.Dokku("--quiet", "cluster:nodes"), " ready ") == 3 })
	out := l.Dokku("cluster:nodes")
	lab.Contains(t, out, "node1  leader   ready  active        "+s.Nodes[0].Address+"  20.", "this server", "node2  worker   ready", "node3  manager  ready",
		"3 of 3 nodes ready and active; 2 of 2 managers answer, 2 needed: none may fail", "node1 lacks no-new-privileges of services (from Docker 25)")
	lab.Contains(t, out, "the swarm has 2 managers: if either fails, nobody can change it; to fix: have 1 or 3: docker node promote NODE")
	lab.Contains(t, l.Dokku("cluster:report"), "Cluster role:                  manager", "node2=20.", "Cluster certificates until:    20")

	lab.Contains(t, l.Dokku("cluster:drain", "node2"), "node2 runs no processes of the swarm any more")
	lab.Contains(t, l.Dokku("cluster:nodes"), "node2  worker   ready  drain")
	lab.Contains(t, l.Dokku("cluster:activate", s.Nodes[1].Address), "node2 may run processes of the swarm")
	lab.Contains(t, l.Refused("cluster:drain", "node7"), "no such node: node7; the swarm has node1, node2, node3")

	s.Nodes[1].Kill()
	lab.WaitFor(t, "the node is down", func() bool { _, code := l.Try("cluster:nodes"); return code == 1 })
	lab.Contains(t, l.Refused("cluster:nodes"), "node node2 ("+s.Nodes[1].Address+") is down", "docker node rm --force ")
	lab.Contains(t, l.Refused("doctor"), "node node2 ("+s.Nodes[1].Address+") is down")

	lab.Contains(t, l.Refused("cluster:leave"), "it counts as one of 2 managers also when it is gone", "docker node demote node1")
	lab.Contains(t, l.Dokku("cluster:leave", "--force"), "This server has left its swarm")
	lab.Contains(t, l.Dokku("cluster:leave"), "This server is in no swarm")
}

// join runs the lines of cluster:join-token on a node.
func join(t *testing.T, n *swarmlab.Node, lines string) {
	t.Helper()
	if !strings.Contains(lines, "\ndocker swarm join --token ") {
		t.Fatalf("these are no lines to join with: %q", lines)
	}
	cmd := n.Inside("sh", "-ec", lines)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+n.Socket)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", n.Name, err, out)
	}
}

// TestLiveRestore: an engine that can be in no swarm is named with the mend.
func TestLiveRestore(t *testing.T) {
	t.Parallel()
	s := swarmlab.New(t, 1)
	s.Nodes[0].Configure(`{"live-restore": true}`)
	l := lab.New(t, map[string]any{"docker": s.Nodes[0].Socket})
	lab.Contains(t, l.Refused("cluster:init", "--advertise-addr", s.Nodes[0].Address),
		"the engine has live-restore, which no member of a swarm can have", `Set "live-restore": false in /etc/docker/daemon.json`)
	s.Nodes[0].Configure(`{"live-restore": false}`)
	lab.Contains(t, l.Dokku("cluster:init", "--advertise-addr", s.Nodes[0].Address), "This server is the first manager of a swarm")
}

// TestSwarmServes: what the next part stands on. Tasks reach each other over an overlay
// network, are reached on their node alone at the port that it has chosen, and are placed anew
// when their node dies.
func TestSwarmServes(t *testing.T) {
	t.Parallel()
	s := swarmlab.Swarm(t, 3, 1)
	for _, n := range s.Nodes {
		n.Import("busybox:test")
	}
	s.Docker("network", "create", "--driver", "overlay", "mesh")
	s.Docker("service", "create", "--quiet", "--no-resolve-image", "--name", "web", "--replicas", "2", "--replicas-max-per-node", "1", "--network", "mesh",
		"--endpoint-mode", "dnsrr", "--publish", "mode=host,target=8080", "busybox:test", "/bin/busybox", "httpd", "-f", "-p", "8080")
	reached := func() (nodes []string) {
		for _, n := range s.Nodes {
			for _, port := range s.Ports("web", n) {
				if conn, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", n.Address, port), 2*time.Second); err == nil {
					conn.Close()
					t.Errorf("port %d of %s is open", port, n.Name)
				}
				if n.Inside("busybox", "nc", "-w", "2", "127.0.0.1", fmt.Sprint(port), "-e", "true").Run() == nil {
					nodes = append(nodes, n.Name)
				}
			}
		}
		return nodes
	}
	lab.WaitFor(t, "two nodes serve", func() bool { return len(reached()) == 2 })
	s.Docker("service", "create", "--quiet", "--no-resolve-image", "--detach", "--name", "probe", "--mode", "global", "--restart-condition", "none", "--network", "mesh", "busybox:test",
		"/bin/busybox", "sh", "-c", "for i in 1 2 3 4 5 6; do /bin/busybox nc -w 2 tasks.web 8080 -e /bin/busybox true || exit 1; done; echo all reached")
	lab.WaitFor(t, "each node reaches both over the overlay", func() bool { return strings.Count(s.Docker("service", "logs", "--raw", "probe"), "all reached") == 3 })

	dead := reached()[1] // not node1, the only manager
	for _, n := range s.Nodes {
		if n.Name == dead {
			n.Kill()
		}
	}
	lab.WaitFor(t, "two other nodes serve", func() bool { r := reached(); return len(r) == 2 && !slices.Contains(r, dead) })
}

// TestServedRegistry: nodes pull by digest, over TLS and with the password, what this server
// has pushed to its own registry, once they trust it by the printed line. Sweep removes what
// no release has.
func TestServedRegistry(t *testing.T) {
	t.Parallel()
	s := swarmlab.New(t, 2)
	st := &store.Store{Root: t.TempDir()}
	v := servedRegistry(t, s, st)
	push, pull := s.Nodes[0], s.Nodes[1]
	auth := engine.RegistryAuth{Server: v.Server(), User: registry.User, Secret: v.Password}
	push.Import("busybox:test")
	image, err := push.Image(t.Context(), "busybox:test")
	lab.Must(t, err)
	_, err = push.Push(t.Context(), image.ID, v.Server()+"/dokku/shop:1", auth, nil)
	if err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Fatalf("an engine that does not trust the registry: %v", err)
	}
	for _, n := range s.Nodes {
		trusts(t, n, v)
	}
	name, err := push.Push(t.Context(), image.ID, v.Server()+"/dokku/shop:1", auth, nil)
	lab.Must(t, err)
	if !strings.HasPrefix(name, v.Server()+"/dokku/shop@sha256:") {
		t.Errorf("its name by digest is %q", name)
	}
	if _, err := push.Image(t.Context(), v.Server()+"/dokku/shop:1"); !errors.Is(err, engine.ErrNoImage) {
		t.Errorf("the pushed image has its name in the registry here too: %v", err)
	}
	if i, err := push.Image(t.Context(), image.ID); err != nil || len(i.Digests) > 0 {
		t.Errorf("it has names by digest here, with which nothing would remove it: %q, %v", i.Digests, err)
	}
	if err := pull.Pull(t.Context(), name, engine.RegistryAuth{}, nil); err == nil || !strings.Contains(err.Error(), "no basic auth credentials") {
		t.Errorf("without the password: %v", err)
	}
	lab.Must(t, pull.Pull(t.Context(), name, auth, nil))
	if got, err := pull.Image(t.Context(), name); err != nil || got.ID != image.ID {
		t.Errorf("the other node has %+v, %v", got, err)
	}

	if n, err := registry.Sweep(t.Context(), st, event.Log{}); err != nil || n != 1 {
		t.Errorf("it removes %d, %v", n, err)
	}
	lab.Must(t, pull.Remove(t.Context(), engine.Resource{Kind: engine.ImageKind, ID: image.ID}))
	if err := pull.Pull(t.Context(), name, auth, nil); err == nil {
		t.Error("what no release has can still be pulled")
	}
	// The registry goes on without a restart: the same layers can be pushed again.
	_, err = push.Push(t.Context(), image.ID, v.Server()+"/dokku/shop:2", auth, nil)
	lab.Must(t, err)
}

// TestPushToRegistry: the image of a release goes to the registry by a push, and one that is
// down rejects the next push before its build.
func TestPushToRegistry(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	r := l.Registry("s3cret")
	a := l.Deployed(lab.Files{"x": "1"})
	l.Dokku("registry:set", a.Name, "server", r.Address)
	l.Dokku("registry:set", a.Name, "push-on-release", "true")
	lab.Contains(t, a.Rejected(lab.Files{"x": "2"}), "cannot push the image to a registry: cannot log in to "+r.Address, "registry:login "+a.Name+" "+r.Address+" USER PASSWORD")
	l.Dokku("registry:login", a.Name, r.Address, lab.RegistryUser, "s3cret")
	out := a.Push(lab.Files{"x": "2"})
	lab.Contains(t, out, "-----> Pushing image to registry", "Image "+r.Address+"/dokku/"+a.Name+":2 pushed")
	lab.Contains(t, l.Dokku("registry:report", a.Name), "Registry image:                "+r.Address+"/dokku/"+a.Name+"@sha256:", "Registry tag version:          2")
	remote := strings.TrimSpace(l.Dokku("registry:report", a.Name, "--registry-image"))
	if !r.Has("dokku/"+a.Name, strings.TrimPrefix(remote, r.Address+"/dokku/"+a.Name+"@")) {
		t.Errorf("the registry does not have %s", remote)
	}
	if l.HasImage(r.Address + "/dokku/" + a.Name + ":2") {
		t.Error("the image keeps its name in the registry here, so nothing would remove it")
	}
	l.Dokku("ps:restart", a.Name)
	lab.Contains(t, l.Dokku("registry:report", a.Name, "--registry-image"), remote)

	// An extra tag moves to each release that serves.
	l.Dokku("registry:set", a.Name, "push-extra-tags", "latest")
	l.Dokku("ps:rebuild", a.Name)
	remote = strings.TrimSpace(l.Dokku("registry:report", a.Name, "--registry-image"))
	if got := r.Digest("dokku/"+a.Name, "latest"); got == "" || !strings.HasSuffix(remote, "@"+got) {
		t.Errorf("latest is %q in the registry, and the release %s", got, remote)
	}

	r.Stop()
	out = a.Rejected(lab.Files{"x": "3"})
	lab.Contains(t, out, "cannot push the image to a registry: ", "connection refused", "registry:set "+a.Name+" push-on-release false")
	lab.Lacks(t, out, "-----> Building", "-----> Releasing")
	a.Serves(a.Git("rev-parse", "HEAD"))
	l.Dokku("registry:set", a.Name, "push-on-release")
	lab.Lacks(t, a.Push(lab.Files{"x": "4"}), "registry")
}
