package swarmlab

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"dokku/agent/e2e/lab"
	"dokku/agent/engine"
	"dokku/agent/engine/docker"
)

// A Lab is some engines, each in a network namespace of its own, that one switch connects
// with each other and with this machine.
type Lab struct {
	T     *testing.T
	Nodes []*Node
	// Host is this machine's address on the switch.
	Host string

	name string // begins the names of namespaces and interfaces
	dir  string
}

// A Node is an engine of a Lab.
type Node struct {
	*docker.Engine
	Name    string
	Address string
	Socket  string // unix://...
	// Certs is the folder that the engine has for /etc/docker/certs.d.
	Certs string

	lab     *Lab
	number  int
	process *exec.Cmd
}

var labs atomic.Int32

// New starts a lab with that many engines until the test's end.
func New(t *testing.T, nodes int) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the test needs root, for network namespaces: sudo ./install.sh test")
	}
	sweep()
	dir, err := os.MkdirTemp("", "swarm")
	lab.Must(t, err)
	l := &Lab{T: t, dir: dir, name: fmt.Sprintf("dkl%d%c", os.Getpid(), 'a'+labs.Add(1)-1)}
	t.Cleanup(l.close)
	l.connect(nodes)
	for n := 1; n <= nodes; n++ {
		l.Nodes = append(l.Nodes, l.node(n))
	}
	for _, n := range l.Nodes {
		n.Start()
	}
	for _, n := range l.Nodes {
		n.answers()
	}
	return l
}

// Swarm starts a lab whose nodes form a swarm: the first managers of them are managers.
func Swarm(t *testing.T, nodes, managers int) *Lab {
	t.Helper()
	l := New(t, nodes)
	lab.Must(t, l.Nodes[0].InitCluster(t.Context(), l.Nodes[0].Address))
	l.Hurry()
	for i, n := range l.Nodes[1:] {
		role := engine.RoleWorker
		if i+1 < managers {
			role = engine.RoleManager
		}
		token, err := l.Nodes[0].JoinToken(t.Context(), role, false)
		lab.Must(t, err)
		n.Join(token, l.Nodes[0].Address)
	}
	return l
}

// Hurry makes the first node's swarm notice in a few seconds that a node is gone.
func (l *Lab) Hurry() { l.T.Helper(); l.Heartbeat(time.Second) }

// Heartbeat sets how often the nodes of the first node's swarm say that they are there. One
// that has not done so three times is gone.
func (l *Lab) Heartbeat(every time.Duration) {
	l.T.Helper()
	cli := l.Nodes[0].Client()
	s, err := cli.SwarmInspect(l.T.Context())
	lab.Must(l.T, err)
	s.Spec.Dispatcher.HeartbeatPeriod = every
	lab.Must(l.T, cli.SwarmUpdate(l.T.Context(), s.Version, s.Spec, swarm.UpdateFlags{}))
}

// ip runs an ip command, in a namespace unless that is "".
func (l *Lab) ip(namespace, line string) {
	l.T.Helper()
	args := strings.Fields(line)
	if namespace != "" {
		args = append([]string{"-n", l.name + namespace}, args...)
	}
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.T.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// connect makes the namespaces and connects them. The switch has one of its own, since the
// rules of this machine's engine drop what a bridge of this machine passes on.
func (l *Lab) connect(nodes int) {
	l.T.Helper()
	defer alone(l.T)()
	subnet := freeSubnet(l.T)
	l.Host = subnet + ".254"
	l.ip("", "netns add "+l.name+"s")
	l.ip("s", "link add br0 type bridge")
	l.ip("s", "link set br0 up")
	l.ip("", "link add "+l.name+" type veth peer name up0 netns "+l.name+"s")
	l.ip("s", "link set up0 master br0 up")
	l.ip("", "addr add "+l.Host+"/24 dev "+l.name)
	l.ip("", "link set "+l.name+" up")
	for n := 1; n <= nodes; n++ {
		own, port := strconv.Itoa(n), "p"+strconv.Itoa(n)
		l.ip("", "netns add "+l.name+own)
		l.ip("s", "link add "+port+" type veth peer name eth0 netns "+l.name+own)
		l.ip("s", "link set "+port+" master br0 up")
		l.ip(own, "addr add "+subnet+"."+own+"/24 dev eth0")
		l.ip(own, "link set eth0 up")
		l.ip(own, "link set lo up")
		l.ip(own, "route add default via "+l.Host)
	}
}

// Attach connects a namespace of another part of a test with the switch. It returns the
// addresses of this machine and of the namespace.
func (l *Lab) Attach(namespace string) (host, address string) {
	l.T.Helper()
	const number = "200" // no node has it
	address = strings.TrimSuffix(l.Host, "254") + number
	l.ip("s", "link add p"+number+" type veth peer name eth0 netns "+namespace)
	l.ip("s", "link set p"+number+" master br0 up")
	for _, line := range []string{"addr add " + address + "/24 dev eth0", "link set eth0 up"} {
		if out, err := exec.Command("ip", append([]string{"-n", namespace}, strings.Fields(line)...)...).CombinedOutput(); err != nil {
			l.T.Fatalf("ip %s: %v\n%s", line, err, out)
		}
	}
	return l.Host, address
}

// alone waits until no other lab of this machine chooses a subnet.
func alone(t *testing.T) (done func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(os.TempDir(), "swarmlab.lock"))
	lab.Must(t, err)
	lab.Must(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	return func() { f.Close() }
}

// freeSubnet returns the first three numbers of a subnet that this machine does not have.
// 198.18.0.0/15 is for tests of networks (RFC 2544).
func freeSubnet(t *testing.T) string {
	t.Helper()
	have, err := net.InterfaceAddrs()
	lab.Must(t, err)
	for n := range 256 {
		subnet := fmt.Sprintf("198.18.%d", n)
		taken := false
		for _, a := range have {
			taken = taken || strings.HasPrefix(a.String(), subnet+".")
		}
		if !taken {
			return subnet
		}
	}
	t.Fatal("no subnet of 198.18.0.0/16 is free")
	return ""
}

func (l *Lab) node(number int) *Node {
	l.T.Helper()
	name := "node" + strconv.Itoa(number)
	dir := filepath.Join(l.dir, name)
	n := &Node{Name: name, Address: strings.TrimSuffix(l.Host, "254") + strconv.Itoa(number), lab: l, number: number,
		Socket: "unix://" + filepath.Join(dir, "socket"), Certs: filepath.Join(dir, "etc", "certs.d")}
	lab.Must(l.T, os.MkdirAll(n.Certs, 0o755))
	var err error
	n.Engine, err = docker.New(docker.Config{Host: n.Socket})
	lab.Must(l.T, err)
	return n
}

// Start starts the engine, as power that comes back. It has namespaces of its own for
// processes and mounts, so that all that it starts ends with it.
func (n *Node) Start() {
	t := n.lab.T
	t.Helper()
	dir := filepath.Join(n.lab.dir, n.Name)
	// The engine is also at the usual place, in a /run of its own: containers may mount it.
	inside := `mount -t tmpfs -o mode=755 run /run && exec dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" --cgroup-parent "/$2" \
		-H "unix://$1/socket" -H unix:///run/docker.sock`
	script := `hostname "$1"; mount --make-rprivate / && mount --bind "$2/etc" /etc/docker && rm -rf "$2/exec" "$2/pid" "$2/socket" && \
		exec nsenter --net="/run/netns/$3" sh -c "$5" sh "$2" "$4"`
	n.process = exec.Command("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", script, "sh", n.Name, dir, n.lab.name+strconv.Itoa(n.number), n.lab.name, inside)
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	lab.Must(t, err)
	defer log.Close()
	n.process.Stdout, n.process.Stderr = log, log
	n.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	lab.Must(t, n.process.Start())
}

func (n *Node) answers() {
	t := n.lab.T
	t.Helper()
	lab.WaitFor(t, "the engine of "+n.Name+" answers", func() bool {
		_, err := n.Info(t.Context())
		return err == nil
	})
}

// Configure gives the engine another daemon.json, and starts it again with it.
func (n *Node) Configure(text string) {
	n.lab.T.Helper()
	n.Kill()
	lab.Must(n.lab.T, os.WriteFile(filepath.Join(n.lab.dir, n.Name, "etc", "daemon.json"), []byte(text), 0o644))
	n.Start()
	n.answers()
}

// Kill ends the engine and all of its processes at once, as a loss of power does.
func (n *Node) Kill() { lab.EndProcess(n.process) }

// Cut takes the node off the switch, Mend connects it again.
func (n *Node) Cut()  { n.link("down") }
func (n *Node) Mend() { n.link("up") }

func (n *Node) link(to string) {
	n.lab.T.Helper()
	n.lab.ip("s", "link set p"+strconv.Itoa(n.number)+" "+to)
}

// Join joins the swarm of the manager at an address, as the lines of cluster:join-token do.
func (n *Node) Join(token, address string) {
	n.lab.T.Helper()
	_, err := n.Client().NetworkCreate(n.lab.T.Context(), engine.GatewayNetwork, network.CreateOptions{Driver: "bridge", Options: engine.GatewayOptions()})
	if err != nil && !strings.Contains(err.Error(), "already exists") {
		n.lab.T.Fatal(err)
	}
	lab.Must(n.lab.T, n.Client().SwarmJoin(n.lab.T.Context(), swarm.JoinRequest{JoinToken: token,
		RemoteAddrs: []string{fmt.Sprintf("%s:%d", address, engine.JoinPort)}, ListenAddr: fmt.Sprintf("0.0.0.0:%d", engine.JoinPort)}))
}

// Inside returns a command that runs in the network of the node.
func (n *Node) Inside(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=/run/netns/" + n.lab.name + strconv.Itoa(n.number), name}, args...)...)
}

// Import makes an image of busybox under a name.
func (n *Node) Import(name string) {
	n.lab.T.Helper()
	busybox, err := exec.LookPath("busybox")
	lab.Must(n.lab.T, err)
	data, err := os.ReadFile(busybox)
	lab.Must(n.lab.T, err)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	lab.Must(n.lab.T, w.WriteHeader(&tar.Header{Name: "bin/busybox", Mode: 0o755, Size: int64(len(data))}))
	_, err = w.Write(data)
	lab.Must(n.lab.T, errors.Join(err, w.Close()))
	answer, err := n.Client().ImageImport(n.lab.T.Context(), image.ImportSource{Source: &archive, SourceName: "-"}, name, image.ImportOptions{})
	lab.Must(n.lab.T, err)
	defer answer.Close()
	_, err = io.Copy(io.Discard, answer)
	lab.Must(n.lab.T, err)
}

// close ends the engines and removes all that the lab has made.
func (l *Lab) close() {
	for _, n := range l.Nodes {
		if l.T.Failed() {
			log, _ := os.ReadFile(filepath.Join(l.dir, n.Name, "log"))
			lines := slices.DeleteFunc(strings.Split(string(log), "\n"), func(line string) bool {
				return strings.Contains(line, "level=info") || strings.Contains(line, "kernel parameter")
			})
			l.T.Logf("the engine of %s says at last:\n%s", n.Name, strings.Join(lines[max(0, len(lines)-10):], "\n"))
		}
		if n.process != nil {
			n.Kill()
		}
		n.Close()
	}
	remove(l.name)
	// The kernel takes its time with the mounts of what was killed.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if err := errors.Join(os.RemoveAll(l.dir), removeGroups(l.name)); err == nil {
			return
		}
		engine.Pause(ctx, 50*time.Millisecond)
	}
	l.T.Errorf("cannot remove %s and its control groups", l.dir)
}

// ours matches the namespaces of a lab: the process of its test, the lab, a number or the s
// of the switch.
var ours = regexp.MustCompile(`^(dkl([0-9]+)[a-z])[0-9s]+$`)

// sweep removes the namespaces and control groups of tests that were killed.
func sweep() {
	names, _ := filepath.Glob("/run/netns/dkl*")
	for _, path := range names {
		m := ours.FindStringSubmatch(filepath.Base(path))
		if m == nil {
			continue
		}
		if _, err := os.Stat("/proc/" + m[2]); errors.Is(err, os.ErrNotExist) {
			remove(m[1])
			removeGroups(m[1])
		}
	}
}

// remove removes the namespaces of a lab, and with them all of its interfaces.
func remove(name string) {
	names, _ := filepath.Glob("/run/netns/" + name + "*")
	for _, path := range names {
		exec.Command("ip", "netns", "del", filepath.Base(path)).Run()
	}
}

// removeGroups removes the control groups that the containers of a lab had.
func removeGroups(name string) error {
	var errs []error
	for _, pattern := range []string{"/sys/fs/cgroup/*/" + name, "/sys/fs/cgroup/" + name} {
		tops, _ := filepath.Glob(pattern)
		for _, top := range tops {
			below, _ := filepath.Glob(top + "/*")
			for _, dir := range below {
				if info, err := os.Stat(dir); err == nil && info.IsDir() {
					errs = append(errs, os.Remove(dir))
				}
			}
			errs = append(errs, os.Remove(top))
		}
	}
	return errors.Join(errs...)
}
