package e2e

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/deploy"
	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/load"
	"dokku/agent/e2e/swarmlab"
	"dokku/agent/engine/node"
	"dokku/agent/registry"
	"dokku/agent/store"
)

// ownRegistry is a registry of a server's own. The script starts and stops it.
type ownRegistry struct {
	registry.Served
	script string
}

func (r ownRegistry) told(t *testing.T, verb string) {
	t.Helper()
	if out, err := exec.Command(r.script, verb).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", r.script, verb, err, out)
	}
}

// servedRegistry starts a registry of a server's own, which the nodes trust by its printed line.
func servedRegistry(t *testing.T, s *swarmlab.Lab, st *store.Store) ownRegistry {
	t.Helper()
	free, err := net.Listen("tcp", s.Host+":0")
	lab.Must(t, err)
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	v, changed, err := registry.Prepare(st, s.Host, port, time.Now())
	lab.Must(t, err)
	service := registry.Host{Etc: t.TempDir(), Name: fmt.Sprintf("dokku-registry-e2e%d", port)}
	t.Cleanup(func() {
		exec.Command(service.Etc+"/init.d/"+service.Name, "stop").Run()
		os.Remove("/var/log/" + service.Name + ".log")
	})
	lab.Must(t, service.Install(t.Context(), st, v, changed))
	return ownRegistry{v, service.Etc + "/init.d/" + service.Name}
}

// trusts has a node trust a registry by the line that registry:serve prints.
func trusts(t *testing.T, n *swarmlab.Node, v ownRegistry) {
	t.Helper()
	line := strings.ReplaceAll(v.TrustLine(), "/etc/docker/certs.d", n.Certs)
	if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// onSwarm starts a server whose engine is the first manager of a swarm, with a registry of
// its own, whose apps run on the swarm.
func onSwarm(t *testing.T, nodes, managers int, settings map[string]any) (*lab.Lab, *swarmlab.Lab) {
	t.Helper()
	tools, err := lab.Shared()
	lab.Must(t, err)
	return onSwarmWith(t, tools, nodes, managers, settings)
}

// onSwarmWith is onSwarm with another build of the program.
func onSwarmWith(t *testing.T, tools *lab.Tools, nodes, managers int, settings map[string]any) (*lab.Lab, *swarmlab.Lab) {
	t.Helper()
	l, s, _ := onSwarmOf(t, tools, nodes, managers, settings)
	return l, s
}

// onSwarmOf is onSwarmWith, and returns the registry.
func onSwarmOf(t *testing.T, tools *lab.Tools, nodes, managers int, settings map[string]any) (*lab.Lab, *swarmlab.Lab, ownRegistry) {
	t.Helper()
	s := swarmlab.Swarm(t, nodes, managers)
	all := map[string]any{"docker": s.Nodes[0].Socket}
	for k, v := range settings {
		all[k] = v
	}
	l := lab.NewOf(t, tools.On(t, s.Nodes[0].Client()), all)
	v := servedRegistry(t, s, &store.Store{Root: l.Root})
	for _, n := range s.Nodes {
		trusts(t, n, v)
	}
	l.Dokku("registry:login", "--global", v.Server(), registry.User, v.Password)
	l.Dokku("registry:set", "--global", "server", v.Server())
	l.Dokku("scheduler:set", "--global", "selected", "docker-swarm")
	l.StartAgent()
	return l, s, v
}

// nodesOf are the nodes that run an app's processes of a type, by ps:report.
func nodesOf(l *lab.Lab, app, typ string) (nodes []string) {
	for _, line := range strings.Split(l.Dokku("ps:report", app), "\n") {
		if f := strings.Fields(line); len(f) == 4 && f[0] == "Node" && f[1] == typ {
			nodes = append(nodes, f[3])
		}
	}
	return nodes
}

// TestNoRequestIsLostOnSwarm: a swarm keeps the promise of TestNoRequestIsLost, with the
// processes on three nodes.
func TestNoRequestIsLostOnSwarm(t *testing.T) {
	l, _ := onSwarm(t, 3, 1, map[string]any{"checks": map[string]string{"default-wait": "1", "wait-to-retire": fmt.Sprint(load.Retire.Seconds())}})
	issuer := load.NewIssuer(t)
	a := load.NewApp(l, issuer)
	running := load.Generate(l, *loadRate/2, []*load.App{a}, issuer)
	for round := range max(*loadRounds/2, 2) {
		a.Round(round)
	}
	lab.WaitFor(t, "no process retires", func() bool { st := a.App.State(); return len(st.Retiring) == 0 && st.Staged == nil })
	report := running.Stop()
	report.Print(t)
	report.Check(t, *loadRate/2, []*load.App{a})
	a.App.Serves(a.App.Tip("main"))
}

// TestNodeDies: when a node loses power, or its link, under 200 requests a second, at most
// those are lost that it had and those of one second. The swarm places its processes anew, and
// nginx follows.
func TestNodeDies(t *testing.T) {
	l, s := onSwarm(t, 3, 1, nil)
	a := l.App(lab.Files{"Procfile": "web: /server\n", "DOKKU_SCALE": "web=3\n"})
	a.Push(nil)
	for _, c := range []struct {
		name   string
		victim *swarmlab.Node
		die    func(*swarmlab.Node)
	}{{"power", s.Nodes[2], (*swarmlab.Node).Kill}, {"link", s.Nodes[1], (*swarmlab.Node).Cut}} {
		t.Run(c.name, func(t *testing.T) {
			a := a.With(t)
			if nodes := nodesOf(a.Lab, a.Name, "web"); len(nodes) != 3 || !slices.Contains(nodes, c.victim.Name) {
				t.Fatalf("web runs on %q", nodes)
			}
			traffic := load.Ask(a, "/", 200)
			died := time.Now()
			c.die(c.victim)
			lab.WaitFor(t, "the swarm places its processes anew", func() bool {
				nodes := nodesOf(a.Lab, a.Name, "web")
				return len(nodes) == 3 && !slices.Contains(nodes, c.victim.Name)
			})
			lost, within := traffic.Lost(died)
			t.Logf("%d requests were lost, the last of them %s after the node", lost, within.Round(time.Millisecond))
			if lost > 200 || within > 2*time.Second {
				t.Errorf("%d requests were lost within %s", lost, within)
			}
		})
	}
}

var swarmRatio = flag.Float64("swarm.ratio", 2, "how many times as long as to one machine a push to three nodes may take; 1.5 holds where nothing else runs, and all four engines have two cores")

// TestSwarmPushTakes: a push to three nodes, with the registry, takes hardly longer than the
// same push to one machine. Pushes of both kinds take turns.
func TestSwarmPushTakes(t *testing.T) {
	l, _ := onSwarm(t, 3, 1, nil)
	var apps [2]*lab.App
	var took [2][]time.Duration
	for i := range apps {
		apps[i] = l.App(lab.Files{"Procfile": "web: /server\n", "DOKKU_SCALE": "web=3\n"})
		if i == 0 {
			l.Dokku("apps:create", apps[i].Name)
			l.Dokku("scheduler:set", apps[i].Name, "selected", "docker-local")
		}
		apps[i].Push(nil)
	}
	for n := range 11 {
		for i, a := range apps {
			a.Commit(lab.Files{"version": fmt.Sprint(n)})
			begun := time.Now()
			a.Push(nil)
			took[i] = append(took[i], time.Since(begun))
		}
	}
	one, three := median(took[0]), median(took[1])
	t.Logf("a push takes %s on one machine and %s on three nodes: %.2f times as long", one.Round(time.Millisecond), three.Round(time.Millisecond), float64(three)/float64(one))
	if float64(three) > *swarmRatio*float64(one) {
		t.Errorf("a push to three nodes takes %.2f times as long as one to this machine: %v, %v", float64(three)/float64(one), took[1], took[0])
	}
	for _, a := range apps { // a swarm removes the containers, which hold the image, later than the engine does
		l.Dokku("apps:destroy", "--force", a.Name)
		if left := a.Left(); left != "" {
			t.Errorf("%s leaves %s", a.Name, left)
		}
	}
}

func median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// TestRotateCertificates: all certificates between nginx and the nodes are changed under
// requests, none of which is lost, and the old ones open nothing any more.
func TestRotateCertificates(t *testing.T) {
	l, s := onSwarm(t, 3, 1, map[string]any{"checks": map[string]string{"wait-to-retire": "2"}})
	lab.Contains(t, l.Refused("cluster:rotate-certificates"), "there is no node service yet")
	a := l.App(lab.Files{"Procfile": "web: /server\n", "DOKKU_SCALE": "web=3\n"})
	a.Push(nil)
	keys := deploy.NodeKeys(&store.Store{Root: l.Root})
	old, err := keys.Load()
	lab.Must(t, err)
	traffic := load.Ask(a, "/", 100)
	began := time.Now()
	lab.Contains(t, l.Dokku("cluster:rotate-certificates"), "Giving the nodes a new authority", "Taking out the old authority",
		"All nodes and front doors have new certificates, valid until 20")
	lost, _ := traffic.Lost(began)
	t.Logf("it took %s", time.Since(began).Round(time.Second))
	if lost > 0 {
		t.Errorf("%d requests were lost", lost)
	}
	for _, c := range []struct {
		set  func() (node.Set, error)
		want bool
	}{{func() (node.Set, error) { return old, nil }, false}, {keys.Load, true}} {
		set, err := c.set()
		lab.Must(t, err)
		client, err := node.NewClient(set.Manager)
		lab.Must(t, err)
		for _, n := range s.Nodes {
			conn, err := client.Dial(t.Context(), "tcp", fmt.Sprintf("%s:%d", n.Address, node.APIPort))
			if err == nil {
				fmt.Fprint(conn, "GET /_ping HTTP/1.0\r\n\r\n")
				_, err = conn.Read(make([]byte, 1))
				conn.Close()
			}
			if (err == nil) != c.want {
				t.Errorf("%s with keys from before %v: %v", n.Name, !c.want, err)
			}
		}
	}
	if secrets := strings.Fields(s.Docker("secret", "ls", "--quiet")); len(secrets) != 1 {
		t.Errorf("the swarm has %d secrets", len(secrets))
	}
	a.Push(lab.Files{"version": "2"})
	lab.Contains(t, l.Dokku("cluster:report"), "3 of 3 nodes, certificates until 20")
}

// TestSwarmReachesService: processes on all nodes reach a service of the first server by its
// URL, also after the service has another container.
func TestSwarmReachesService(t *testing.T) {
	l, _ := onSwarm(t, 3, 1, nil)
	kinds := filepath.Join(l.Root, ".dokku", "services.d")
	lab.Must(t, os.MkdirAll(kinds, 0o700))
	image, version, _ := strings.Cut(l.Tools.Base, ":")
	lab.Must(t, os.WriteFile(filepath.Join(kinds, "cache.toml"), fmt.Appendf(nil, `title = "Cache"
image = %q
version = %q
ports = [5000]
scheme = "http"
alias = "CACHE"
url = "{scheme}://{host}:{port}"
command = ["/server"]

[ready]
command = ["/server", "-needs=127.0.0.1:5000", "-exit=0"]
`, image, version), 0o600))
	l.Dokku("cache:create", "c")
	a := l.App(lab.Files{"Procfile": "web: /server -needs=dokku-cache-c:5000\n", "DOKKU_SCALE": "web=3\n", "CHECKS": "WAIT=1\nATTEMPTS=2\n/\n"})
	l.Dokku("apps:create", a.Name)
	lab.Contains(t, a.Pushing().Fails(), "Could not start") // without the link it finds no cache
	l.Dokku("cache:link", "c", a.Name)
	a.Push(nil)
	if nodes := nodesOf(l, a.Name, "web"); len(nodes) != 3 || len(slices.Compact(slices.Sorted(slices.Values(nodes)))) != 3 {
		t.Errorf("web runs on %q", nodes)
	}
	if url := strings.TrimSpace(l.Dokku("config:get", a.Name, "CACHE_URL")); url != "http://dokku-cache-c:5000" {
		t.Errorf("CACHE_URL is %q", url)
	}
	l.Dokku("cache:restart", "c")
	l.Dokku("ps:restart", a.Name)
	l.Dokku("cache:stop", "c")
	lab.Contains(t, l.Refused("cache:destroy", "c", "--force"), "Cannot delete linked service")
}
