package swarm_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"
	"golang.org/x/sys/unix"

	"dokku/agent/e2e/lab"
	"dokku/agent/engine"
	"dokku/agent/engine/node"
	"dokku/agent/engine/swarm"
)

// httpd is the Spec of a web process that answers with the name of its node.
func (f fixture) httpd(n, count int) engine.Spec {
	s := f.web("shop", n, "sh", "-c", "mkdir /www; busybox hostname > /www/index.html; httpd -f -p 8080 -h /www")
	s.Port, s.Placement.Count = 8080, count
	return s
}

// client returns a client that reaches processes as a proxy does, with a connection for each
// request.
func (f fixture) client() *http.Client {
	f.T.Helper()
	keys, err := f.keys.Load()
	lab.Must(f.T, err)
	c, err := node.NewClient(keys.Door)
	lab.Must(f.T, err)
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: c.Dial, DisableKeepAlives: true}}
}

// startAll starts web processes side by side.
func (f fixture) startAll(count int) []engine.Instance {
	f.T.Helper()
	started, failed := make([]engine.Instance, count), make([]error, count)
	var all sync.WaitGroup
	for n := range count {
		all.Go(func() { started[n], failed[n] = f.engine.Start(f.T.Context(), f.httpd(n+1, count)) })
	}
	all.Wait()
	for _, err := range failed {
		lab.Must(f.T, err)
	}
	return started
}

// get asks a process once it answers.
func get(c *http.Client, url string) (string, error) {
	r, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

// TestNodeService: processes are reached by the certificates of their server and in no other
// way, nothing readable is on the wire, engines of other nodes answer managers, and an update
// of the service loses no request.
func TestNodeService(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 2)
	started := f.startAll(2)
	client := f.client()
	heard := listen(t, f.Interface())
	for _, i := range started {
		lab.WaitFor(t, "the process answers", func() bool { _, err := get(client, "http://"+i.Reach(0).String()); return err == nil })
		marker := "secret-" + i.Node
		r, err := http.NewRequest(http.MethodGet, "http://"+i.Reach(0).String(), nil)
		lab.Must(t, err)
		r.Header.Set("X-Marker", marker)
		answer, err := client.Do(r)
		lab.Must(t, err)
		answer.Body.Close()
		// In plain text nobody answers, at either port, and that is heard.
		for _, port := range []int{i.NodePort, node.Port(i.NodePort)} {
			at := fmt.Sprintf("%s:%d", i.Address, port)
			if text, err := get(http.DefaultClient, "http://"+at+"/plain-"+i.Node); err == nil {
				t.Errorf("%s answers without TLS: %q", at, text)
			}
		}
		lab.WaitFor(t, "the plain request is heard", func() bool { return heard("plain-" + i.Node) })
		if heard(marker) {
			t.Errorf("the request to %s is on the wire in plain text", i.Node)
		}
	}
	t.Run("link", func(t *testing.T) { f.link(t, started) })
	t.Run("aborts", func(t *testing.T) { f.aborts(t, started) })
	t.Run("engines", func(t *testing.T) { f.engines(t) })
	t.Run("update", func(t *testing.T) { f.update(t, started) })
	t.Run("successor", func(t *testing.T) { f.successor(t, started) })
	t.Run("images", func(t *testing.T) { f.oldImages(t) })
}

// link: a machine of the nodes' link reaches no process at the address of its container, which
// engines before Docker 28 pass on if the container publishes the port.
func (f fixture) link(t *testing.T, started []engine.Instance) {
	name := fmt.Sprintf("dklink%d", os.Getpid())
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
	ip("netns", "add", name)
	t.Cleanup(func() { ip("netns", "del", name) })
	f.Attach(name)
	for _, i := range started {
		for _, n := range f.Nodes {
			if n.Name != i.Node {
				continue
			}
			// As Docker sets it where it is the one that switches forwarding on.
			if out, err := n.Inside("iptables", "-P", "FORWARD", "DROP").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			gateway, err := n.Client().NetworkInspect(t.Context(), engine.GatewayNetwork, network.InspectOptions{})
			lab.Must(t, err)
			tried := 0
			for _, c := range gateway.Containers {
				at, _, _ := strings.Cut(c.IPv4Address, "/")
				if n.Inside("busybox", "nc", "-w", "2", at, "8080", "-e", "true").Run() != nil {
					continue // the network itself
				}
				ip("-n", name, "route", "replace", at+"/32", "via", n.Address)
				if exec.Command("nsenter", "--net=/run/netns/"+name, "busybox", "nc", "-w", "2", at, "8080", "-e", "true").Run() == nil {
					t.Errorf("the process on %s is reached at %s", n.Name, at)
				}
				tried++
			}
			if tried == 0 {
				t.Errorf("no process on %s is found", n.Name)
			}
		}
	}
}

// aborts: clients that go away before their answer has come do not end the service.
func (f fixture) aborts(t *testing.T, started []engine.Instance) {
	was := f.Docker("service", "ps", "--quiet", swarm.ServiceName)
	keys, err := f.keys.Load()
	lab.Must(t, err)
	c, err := node.NewClient(keys.Door)
	lab.Must(t, err)
	for n := range 40 {
		conn, err := c.Dial(t.Context(), "tcp", started[n%len(started)].Reach(0).String())
		lab.Must(t, err)
		fmt.Fprint(conn, strings.Repeat("GET /www HTTP/1.1\r\nHost: a\r\n\r\n", 20))
		conn.(*tls.Conn).NetConn().(*net.TCPConn).SetLinger(0)
		conn.(*tls.Conn).NetConn().Close()
	}
	for _, i := range started {
		lab.WaitFor(t, "the process answers", func() bool { _, err := get(f.client(), "http://"+i.Reach(0).String()); return err == nil })
	}
	if now := f.Docker("service", "ps", "--quiet", swarm.ServiceName); now != was {
		t.Errorf("the service has started again:\n%s", f.Docker("service", "ps", swarm.ServiceName))
	}
}

// engines: a proxy's certificate does not open them, and what runs on another node is looked
// into with a terminal, too.
func (f fixture) engines(t *testing.T) {
	list, err := f.engine.NodeServices(t.Context())
	lab.Must(t, err)
	for _, s := range list {
		if s.Trouble != "" || s.Outdated || s.Open != "" || time.Until(s.Until) < 9*365*24*time.Hour {
			t.Errorf("%+v", s)
		}
		if text, err := get(f.client(), fmt.Sprintf("http://%s:%d/_ping", s.Node.Address, node.APIPort)); err == nil {
			t.Errorf("the engine of %s answers a proxy: %q", s.Node.Name, text)
		}
	}
	if len(list) != 2 {
		t.Errorf("%d nodes have the service", len(list))
	}
	o, err := f.engine.Observe(t.Context(), "shop")
	lab.Must(t, err)
	for _, i := range o.Instances {
		var out bytes.Buffer
		size := make(chan engine.Size, 1)
		size <- engine.Size{Width: 91, Height: 33}
		code, err := f.engine.ExecAttached(t.Context(), i.ID, []string{"sh", "-c", "sleep 0.5; busybox tty; busybox stty size; read line; echo got $line; exit 7"}, nil,
			engine.Streams{Stdin: strings.NewReader("hello\n"), Stdout: &out, TTY: true, Sizes: size})
		if err != nil || code != 7 || !strings.Contains(out.String(), "/dev/pts/") || !strings.Contains(out.String(), "33 91") || !strings.Contains(out.String(), "got hello") {
			t.Errorf("on %s: %d, %v: %q", i.Node, code, err, out.String())
		}
	}
}

// asking makes requests until stop is called, which fails if one was lost.
func (f fixture) asking(t *testing.T, started []engine.Instance) (asked func() int32, stop func()) {
	over := make(chan struct{})
	var askers sync.WaitGroup
	var count, lost atomic.Int32
	for n := range 4 {
		askers.Go(func() {
			client := f.client()
			for {
				select {
				case <-over:
					return
				default:
				}
				_, err := get(client, "http://"+started[n%len(started)].Reach(0).String())
				if count.Add(1); err != nil {
					lost.Add(1)
					t.Log(err)
				}
			}
		})
	}
	return count.Load, func() {
		close(over)
		askers.Wait()
		if t.Logf("%d requests", count.Load()); lost.Load() != 0 {
			t.Errorf("%d of %d requests were lost", lost.Load(), count.Load())
		}
	}
}

// formerEnd waits until former processes of the service have ended.
func (f fixture) formerEnd(t *testing.T) {
	lab.WaitFor(t, "the former ones have ended", func() bool {
		return !strings.Contains(f.Docker("service", "ps", "--filter", "desired-state=shutdown", "--format", "{{.CurrentState}}", swarm.ServiceName), "Running")
	})
}

// successor: a server that takes the place of the first one has its keys from a backup, and
// another registry. The nodes get the service from there, and no request is lost.
func (f fixture) successor(t *testing.T, started []engine.Instance) {
	set, err := f.keys.Load()
	lab.Must(t, err)
	path, err := program()
	lab.Must(t, err)
	next := f
	next.keys = node.Keys{Dir: t.TempDir()}
	// As its agent does when it starts, before the restore.
	n := f.Nodes[1]
	early := swarm.Beside(n.Engine, swarm.Config{Keys: next.keys, Program: path})
	lab.Must(t, early.RenewNodeService(t.Context(), func(string) (engine.RegistryAuth, error) { return f.auth, nil }))
	if _, err := next.keys.Load(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it has made keys that no node has (%v)", err)
	}
	if _, err := early.Start(t.Context(), f.web("blog", 9, "sh", "-c", "exit 0")); err == nil || !strings.Contains(err.Error(), "have the keys of another server") {
		t.Errorf("before the restore, it places a process: %v", err)
	}
	lab.Must(t, next.keys.Adopt(t.Context(), set))
	info, err := n.Image(t.Context(), f.remote)
	lab.Must(t, err)
	next.remote, err = n.Push(t.Context(), info.ID, f.auth.Server+"/successor/test:1", f.auth, nil)
	lab.Must(t, err)
	next.engine = swarm.Beside(n.Engine, swarm.Config{Keys: next.keys, Program: path})
	image := func() string {
		return f.Docker("service", "inspect", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}", swarm.ServiceName)
	}
	asked, stop := f.asking(t, started)
	for try := range 2 { // the second time, nothing is left to do
		was := image()
		s := next.web("blog", try+1, "sh", "-c", "mkdir /www; httpd -f -p 8080 -h /www")
		s.Port = 8080
		i, err := next.engine.Start(t.Context(), s)
		lab.Must(t, err)
		lab.Must(t, next.engine.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: i.ID}))
		if now := image(); !strings.HasPrefix(now, f.auth.Server+"/successor/dokku_node@") || try == 1 && now != was {
			t.Errorf("the nodes have the service from %s, before from %s", now, was)
		}
	}
	f.formerEnd(t)
	for from := asked(); asked() < from+100; {
		engine.Pause(t.Context(), 100*time.Millisecond)
	}
	stop()
	lab.WaitFor(t, "its images are gone", func() bool {
		left, err := next.engine.PruneNodes(t.Context(), []string{f.auth.Server + "/successor/test"}, nil)
		return err == nil && left.Left == 0
	})
}

// update renews the service while requests are made.
func (f fixture) update(t *testing.T, started []engine.Instance) {
	path, err := program()
	lab.Must(t, err)
	data, err := os.ReadFile(path)
	lab.Must(t, err)
	next := filepath.Join(t.TempDir(), "dokku")
	lab.Must(t, os.WriteFile(next, append(data, '\n'), 0o755)) // behind the end of the program
	newer := swarm.Beside(f.Nodes[0].Engine, swarm.Config{Keys: f.keys, Program: next})
	asked, stop := f.asking(t, started)
	was := f.Docker("service", "ps", "--quiet", "--filter", "desired-state=running", swarm.ServiceName)
	login := func(string) (engine.RegistryAuth, error) { return f.auth, nil }
	lab.Must(t, newer.RenewNodeService(t.Context(), login))
	lab.WaitFor(t, "all nodes have the new version", func() bool {
		now := strings.Fields(f.Docker("service", "ps", "--quiet", "--filter", "desired-state=running", swarm.ServiceName))
		list, err := newer.NodeServices(t.Context())
		for _, s := range list {
			err = map[bool]error{true: io.EOF}[s.Outdated || s.Trouble != ""]
			if err != nil {
				break
			}
		}
		return err == nil && len(now) == 2 && !strings.Contains(was, now[0]) && !strings.Contains(was, now[1])
	})
	for from := asked(); asked() < from+100; {
		engine.Pause(t.Context(), 100*time.Millisecond)
	}
	f.formerEnd(t)
	stop()
	lab.Must(t, newer.RenewNodeService(t.Context(), login)) // nothing to do
}

// oldImages: nodes lose what no release needs and no container has.
func (f fixture) oldImages(t *testing.T) {
	second := f.Nodes[1]
	f.Nodes[0].Import("other:1")
	info, err := f.Nodes[0].Image(t.Context(), "other:1")
	lab.Must(t, err)
	other, err := f.Nodes[0].Push(t.Context(), info.ID, f.auth.Server+"/other:1", f.auth, nil)
	lab.Must(t, err)
	images := func() string {
		out, err := exec.Command("docker", "-H", second.Socket, "image", "ls", "--digests", "--format", "{{.Repository}}@{{.Digest}}").CombinedOutput()
		lab.Must(t, err)
		return string(out)
	}
	lab.Must(t, second.Pull(t.Context(), other, f.auth, nil))
	of := []string{f.auth.Server + "/test"}
	gone := f.auth.Server + "/test@sha256:" + strings.Repeat("0", 64)
	if n, err := f.engine.PruneNodes(t.Context(), of, []string{gone}); n.Removed != 0 || n.Left == 0 || err != nil || !strings.Contains(images(), f.remote) {
		t.Errorf("what a container has is removed: %+v, %v", n, err)
	}
	o, err := f.engine.Observe(t.Context(), "shop")
	lab.Must(t, err)
	lab.Must(t, f.engine.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: o.Instances[0].ID}))
	lab.WaitFor(t, "the node has forgotten the container", func() bool {
		out, _ := exec.Command("docker", "-H", second.Socket, "ps", "--all", "--quiet", "--filter", "label="+engine.LabelApp).Output()
		return len(bytes.TrimSpace(out)) == 0
	})
	if n, err := f.engine.PruneNodes(t.Context(), of, []string{f.remote}); err != nil || !strings.Contains(images(), f.remote) {
		t.Errorf("what a release needs is removed: %+v, %v", n, err)
	}
	n, err := f.engine.PruneNodes(t.Context(), of, nil)
	if left := images(); n.Removed < 1 || n.Left != 0 || err != nil || strings.Contains(left, f.remote) || !strings.Contains(left, other) || !strings.Contains(left, "dokku_node") {
		t.Errorf("removed %+v, %v; left are\n%s", n, err, left)
	}
}

// listen hears what passes an interface of this machine.
func listen(t *testing.T, name string) (heard func(text string) bool) {
	t.Helper()
	i, err := net.InterfaceByName(name)
	lab.Must(t, err)
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in the order of the network
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	lab.Must(t, err)
	lab.Must(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: i.Index}))
	lab.Must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}))
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var wire bytes.Buffer
	var done sync.WaitGroup
	done.Go(func() {
		defer unix.Close(fd)
		packet := make([]byte, 64<<10)
		for ctx.Err() == nil {
			if n, _, err := unix.Recvfrom(fd, packet, 0); err == nil {
				mu.Lock()
				wire.Write(packet[:n])
				mu.Unlock()
			}
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return func(text string) bool {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Contains(wire.Bytes(), []byte(text))
	}
}
