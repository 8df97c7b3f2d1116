package docker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"

	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/engine/enginetest"
)

// deploy starts a process of a new app, which is removed after the test.
func deploy(t *testing.T, d *docker.Engine, app string, p enginetest.Program, change func(*engine.Spec)) engine.Instance {
	t.Helper()
	ctx := context.Background()
	id := busybox(t, d, app, nil)
	n, err := d.Network(ctx, app)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clean(t, d, app) })
	p.Output = append(p.Output, "ready")
	spec := engine.Spec{
		App: app, Kind: engine.KindDeploy, Type: "web", Index: 1, Release: 1, Attempt: "a",
		Name: app + ".web.1", Image: id, Command: enginetest.Shell(p), Address: n.Gateway.Next(),
	}
	if change != nil {
		change(&spec)
	}
	i, err := d.Start(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	go func() { in.CloseWithError(d.Logs(ctx, i.ID, engine.LogOptions{Follow: true}, in)) }()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	out.Close()
	return i
}

func clean(t *testing.T, d *docker.Engine, app string) {
	t.Helper()
	ctx := context.Background()
	o, err := d.Observe(ctx, app)
	for _, i := range o.Instances {
		err = errors.Join(err, d.Remove(ctx, engine.Resource{Kind: engine.Container, ID: i.ID}))
	}
	for _, n := range o.Networks {
		err = errors.Join(err, d.Remove(ctx, engine.Resource{Kind: engine.NetworkKind, ID: n.ID}))
	}
	if err != nil {
		t.Errorf("cleaning up: %v", err)
	}
}

func appName(t *testing.T) string {
	return fmt.Sprintf("et%x-%s", time.Now().UnixNano(), strings.ToLower(t.Name()[len("Test"):]))
}

// TestDockerIsolation: an app cannot reach another app's address, but the host can.
func TestDockerIsolation(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	serving := deploy(t, d, appName(t)+"a", enginetest.Program{Ports: []int{8080}}, nil)
	other := deploy(t, d, appName(t)+"b", enginetest.Program{}, nil)

	conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(serving.Address, 8080).String(), 5*time.Second)
	if err != nil {
		t.Fatalf("the host cannot reach the app: %v", err)
	}
	conn.Close()
	dial := []string{"nc", "-w", "1", serving.Address.String(), "8080", "-e", "true"}
	if out, exit, err := d.Exec(t.Context(), serving.ID, dial); err != nil || exit != 0 {
		t.Errorf("the app reaches itself: exit %d, %v: %s", exit, err, out)
	}
	if _, exit, err := d.Exec(t.Context(), other.ID, dial); err != nil || exit == 0 {
		t.Errorf("another app reaches it: exit %d, %v", exit, err)
	}
}

// TestDockerNetworkRace: processes that make the network of one app in parallel make one
// network, whatever subnets they choose.
func TestDockerNetworkRace(t *testing.T) {
	t.Parallel()
	app := appName(t)
	found := make(chan engine.Network)
	for n := range 4 {
		d, err := docker.New(docker.Config{Pool: netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/16", 216+n))})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			n, err := d.Network(t.Context(), app)
			if err != nil {
				t.Error(err)
			}
			found <- n
		}()
	}
	networks := map[engine.Network]bool{}
	for range 4 {
		networks[<-found] = true
	}
	d := newDocker(t)
	t.Cleanup(func() { clean(t, d, app) })
	o, err := d.Observe(t.Context(), app)
	if err != nil || len(o.Networks) != 1 || len(networks) != 1 || !networks[o.Networks[0]] {
		t.Fatalf("got %v, observed %v, %v", networks, o.Networks, err)
	}
	// Not by luck: the engine never makes a second network with this interface.
	cli := d.Client()
	r, err := cli.NetworkInspect(t.Context(), o.Networks[0].ID, network.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := cli.NetworkCreate(t.Context(), r.Name+"-second", network.CreateOptions{
		Options: r.Options, Labels: r.Labels,
	})
	if err == nil {
		t.Errorf("the engine makes network %s with options %v", second.ID, r.Options)
	}
}

// TestDockerByHand: a container that a user starts from an app's image has the image's
// labels, but is not a process of the app.
func TestDockerByHand(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	app := appName(t)
	id := busybox(t, d, app, nil)
	out, err := exec.Command("docker", "create", "--network", "none", id, "sleep", "1000").Output()
	if err != nil {
		t.Fatal(err)
	}
	hand := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if err := d.Remove(context.Background(), engine.Resource{Kind: engine.Container, ID: hand}); err != nil {
			t.Error(err)
		}
	})
	o, err := d.Observe(t.Context(), app)
	if err != nil || len(o.Instances) != 0 || len(o.Images) != 1 {
		t.Errorf("observed %+v, %v", o, err)
	}
}

// TestDockerVolumes: an image's anonymous volumes are removed with their container.
func TestDockerVolumes(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	app := appName(t)
	volume := busybox(t, d, app, []string{"VOLUME /data"})
	i := deploy(t, d, app, enginetest.Program{}, func(s *engine.Spec) { s.Image = volume })
	r, err := d.Client().ContainerInspect(t.Context(), i.ID)
	if err != nil || len(r.Mounts) != 1 {
		t.Fatalf("mounts %+v, %v", r.Mounts, err)
	}
	if log := r.HostConfig.LogConfig; log.Type != "json-file" || log.Config["max-size"] != "10m" {
		t.Errorf("the log does not rotate: %+v", log)
	}
	if err := d.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: i.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Client().VolumeInspect(t.Context(), r.Mounts[0].Name); err == nil {
		t.Error("the volume is still there")
	}
}

// TestDockerStartCut: a start that is given up, at any moment, leaves nothing behind.
func TestDockerStartCut(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	first := deploy(t, d, appName(t), enginetest.Program{}, nil)
	for n, limit := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 40 * time.Millisecond, 120 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		_, err := d.Start(ctx, engine.Spec{
			App: first.App, Kind: engine.KindDeploy, Type: "web", Index: 2 + n, Release: 1, Attempt: "a",
			Name: fmt.Sprintf("%s.web.%d", first.App, 2+n), Image: first.Image, Command: []string{"sleep", "1000"},
		})
		cancel()
		o, failed := d.Observe(t.Context(), first.App)
		if failed != nil {
			t.Fatal(failed)
		}
		want := 1
		if err == nil {
			want = 2
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v", err)
		}
		if len(o.Instances) != want {
			t.Fatalf("after error %v there are %+v", err, o.Instances)
		}
		if err == nil {
			return
		}
	}
}

// TestDockerPortsElsewhere: if the engine's processes are not this machine's, the container
// is asked. A process with that pid on this machine is not taken for the container's.
func TestDockerPortsElsewhere(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	i := deploy(t, d, appName(t), enginetest.Program{Ports: []int{8080}}, nil)
	r, err := d.Client().ContainerInspect(t.Context(), i.ID)
	if err != nil {
		t.Fatal(err)
	}
	proc := t.TempDir()
	for name, text := range map[string]string{
		"cgroup": "0::/init.scope\n", "net/tcp": "0: 00000000:0016 00000000:0000 0A\n",
	} {
		path := filepath.Join(proc, strconv.Itoa(r.State.Pid), name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	d.SetProc(proc)
	sockets, err := d.Listening(t.Context(), i.ID)
	if err != nil || len(sockets) != 2 || sockets[0].Port() != 8080 || sockets[1].Port() != 8081 {
		t.Errorf("got %v, %v", sockets, err)
	}
}

// TestDockerPortsAsAnyone: the table of a container's sockets is readable without
// privileges, which the agent does not have.
func TestDockerPortsAsAnyone(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	i := deploy(t, d, appName(t), enginetest.Program{Ports: []int{8080}}, nil)
	r, err := d.Client().ContainerInspect(t.Context(), i.ID)
	if err != nil {
		t.Fatal(err)
	}
	proc := filepath.Join("/proc", strconv.Itoa(r.State.Pid))
	cmd := exec.Command("cat", proc+"/net/tcp", proc+"/net/tcp6", proc+"/cgroup")
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), ":1F90") || !strings.Contains(string(out), i.ID) {
		t.Errorf("got %s, %v", out, err)
	}
}

// TestDockerExecBounds: a command with endless output costs no memory and ends with its
// context.
func TestDockerExecBounds(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	i := deploy(t, d, appName(t), enginetest.Program{}, nil)
	output, exit, err := d.Exec(t.Context(), i.ID, []string{"sh", "-c", "yes | head -c 1000000; exit 5"})
	if err != nil || exit != 5 || len(output) != engine.MaxExecOutput {
		t.Errorf("got %d bytes, exit %d, %v", len(output), exit, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := d.Exec(ctx, i.ID, []string{"sleep", "1000"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestDockerUnreachable(t *testing.T) {
	t.Parallel()
	host := "unix://" + filepath.Join(t.TempDir(), "docker.sock")
	d, err := docker.New(docker.Config{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Observe(t.Context(), "hello")
	want := "cannot look at the containers of app hello: cannot reach the Docker Engine at " + host +
		": no such file or directory (is it running? try: systemctl status docker)"
	if err == nil || err.Error() != want || !errors.Is(err, engine.ErrUnreachable) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestNewDockerRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []docker.Config{
		{Host: "nonsense"},
		{Pool: netip.MustParsePrefix("fd00::/48")},
		{Pool: netip.MustParsePrefix("10.0.0.0/24")},
		{Pool: netip.MustParsePrefix("10.0.0.0/23")},
	} {
		if _, err := docker.New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

// TestDockerVersion: the client uses the newest API version that both know, in parallel calls
// too.
func TestDockerVersion(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	paths := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		paths[r.URL.Path] = true
		w.Header().Set("API-Version", "1.52")
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "[]")
	}))
	defer s.Close()
	d, err := docker.New(docker.Config{Host: "tcp://" + s.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := d.Observe(t.Context(), "hello"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if !paths["/v1.51/containers/json"] {
		t.Errorf("asked for %v", paths)
	}
}

// TestDockerHangs: an engine that does not answer blocks a call no longer than its context.
func TestDockerHangs(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "docker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // the kernel accepts, the listener never does
	d, err := docker.New(docker.Config{Host: "unix://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.Observe(ctx, "hello"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestDockerRoot: an app's network names its root. A network that is older than this label
// stays the app's.
func TestDockerRoot(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	app := appName(t)
	t.Cleanup(func() { clean(t, d, app+"-old"); clean(t, d, app) })
	if _, err := d.Network(t.Context(), app+"-old"); err != nil {
		t.Fatal(err)
	}
	rooted, err := docker.New(docker.Config{Root: func() string { return "this" }})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{app: "this", app + "-old": ""} {
		n, err := rooted.Network(t.Context(), name)
		if err != nil || n.Root != want {
			t.Errorf("the network of %s is of %q, want %q (%v)", name, n.Root, want, err)
		}
	}
}
